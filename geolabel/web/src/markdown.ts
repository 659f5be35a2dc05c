/** Markdown to HTML that can do nothing: the one place where text becomes markup. */
import createDOMPurify from "dompurify";
import { Marked } from "marked";

const TAGS = "h1 h2 h3 h4 h5 h6 p br hr ul ol li strong em del code pre blockquote a table thead tbody tr th td".split(
  " ",
);

const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

// HTML inside of Markdown is text like any other.
const marked = new Marked({
  gfm: true,
  renderer: { html: ({ text }) => escaped(text), image: ({ text }) => escaped(text) },
});

const purify = createDOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("rel", "noopener noreferrer");
  node.setAttribute("target", "_blank");
});

/** No image either: it could come from elsewhere. */
export function toHtml(markdown: string): string {
  const html = marked.parse(markdown, { async: false });
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "title", "align"],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}
