/** Every change of the labels that the user makes: it goes to the map, the history and the queue. */
import { inSentence, plural } from "../format";
import { fitting, isFor, titleOf } from "../schema";
import type { Session } from "../session.svelte";
import type { Content } from "../sync/content";
import type { Retraced } from "../sync/desk.svelte";
import type { Edit } from "../sync/labels";
import type { Attribute, Attributes, AttributeValue, Geometry } from "../types";

export class Edits {
  /** What labels that are drawn next carry: what was last entered. */
  nextAttributes = $state.raw<Attributes>({});

  constructor(private readonly session: Session) {}

  undo(): void {
    this.#follow(this.session.desk.undo(), "Undone");
  }

  redo(): void {
    this.#follow(this.session.desk.redo(), "Done again");
  }

  #follow(retraced: Retraced | null, done: string): void {
    if (!retraced) return;
    const { name, edits, kept } = retraced;
    const there = edits.filter((edit) => edit.after).map((edit) => edit.key);
    // Neighbours that changed with what is selected need no eye of their own.
    const enough = this.session.selection.length > 0 && this.session.selection.every((key) => there.includes(key));
    if (this.session.tool === "select" && !enough) this.session.select(there);
    const since = `${plural(kept.length, "label stays", "labels stay")} as somebody else has changed it since`;
    if (edits.length === 0) this.session.say(`Nothing to undo: ${since}.`);
    else this.session.say(`${done}: ${inSentence(name)}${kept.length > 0 ? `; ${since}` : ""}.`);
  }

  /**
   * A shape was drawn: it is a label of the picked class.
   *
   * @param neighbours what its neighbours become, where it lies on their edges.
   */
  add(geometry: Geometry, scene: string | null, neighbours: ReadonlyMap<number, Geometry> = new Map()): void {
    const attributes = {
      ...fitting(this.session.project.attributes, this.session.className, this.nextAttributes),
      scene,
    };
    const after: Content = { geometry, class: this.session.className, note: null, attributes };
    this.session.palette.reveal(this.session.className);
    const edits = [{ key: this.session.labels.newKey(), after }, ...this.#reshaped(neighbours)];
    this.session.labels.commit(edits, `Draw ${this.session.className}`);
  }

  reshape(title: string, geometries: ReadonlyMap<number, Geometry>): void {
    this.session.labels.commit(this.#reshaped(geometries), title);
  }

  #reshaped(geometries: ReadonlyMap<number, Geometry>): Edit[] {
    return [...geometries].flatMap(([key, geometry]) => {
      const content = this.session.labels.get(key)?.content;
      return content ? [{ key, after: { ...content, geometry } }] : [];
    });
  }

  setClass(name: string): void {
    this.session.palette.reveal(name);
    const edits = this.session
      .selected()
      .filter((label) => label.content.class !== name)
      .map(({ key, content }) => ({
        key,
        after: {
          ...content,
          class: name,
          attributes: fitting(this.session.project.attributes, name, content.attributes),
        },
      }));
    this.session.labels.commit(edits, edits.length > 1 ? `Change class of ${edits.length} labels` : "Change class");
  }

  /** Give an attribute a value: of the selected labels that carry it, and of those that are drawn next. */
  setAttribute(attribute: Attribute, value: AttributeValue): void {
    const { name } = attribute;
    this.nextAttributes = { ...this.nextAttributes, [name]: value };
    const edits = this.session
      .selected()
      .filter(({ content }) => isFor(attribute, content.class))
      .map(({ key, content }) => ({
        key,
        after: { ...content, attributes: { ...content.attributes, [name]: value } },
      }));
    this.session.labels.commit(
      edits,
      `Change ${titleOf(attribute)}${edits.length > 1 ? ` of ${edits.length} labels` : ""}`,
    );
  }

  setNote(key: number, text: string): void {
    const content = this.session.labels.get(key)?.content;
    const note = text.trim() === "" ? null : text;
    if (content) this.session.labels.commit([{ key, after: { ...content, note } }], "Change note");
  }

  restore(key: number, content: Content): void {
    this.session.labels.commit([{ key, after: content }], "Restore version");
  }

  remove(): void {
    const gone = this.session.selected();
    if (gone.length === 0) return;
    const [first] = gone;
    const title = gone.length > 1 ? `Delete ${gone.length} labels` : "Delete label";
    this.session.labels.commit(
      gone.map(({ key }) => ({ key, after: null })),
      title,
    );
    this.session.select([]);
    this.session.say(
      gone.length > 1 ? `${gone.length} labels deleted.` : `${first ? this.session.nameOf(first) : "Label"} deleted.`,
      true,
    );
  }
}
