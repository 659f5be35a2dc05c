/** What is done to whole labels on the spot, without the server: squared, smoothed, copied, taken apart, put together. */
import { plural } from "../format";
import type { Edit, LiveLabel, Session } from "../session.svelte";
import type { Geometry } from "../types";
import { filled, holesOf, joined, partsOf } from "./parts";
import { mapPlane, plus } from "./plane";
import { smoothed, squared } from "./reshape";

/** Reshape each selected label that a change means something for. */
function each(
  session: Session,
  verb: string,
  change: (geometry: Geometry) => Geometry | null,
  otherwise: string,
): void {
  const shapes = new Map<number, Geometry>();
  for (const { key, content } of session.selected()) {
    const made = change(content.geometry);
    if (made && made !== content.geometry) shapes.set(key, made);
  }
  if (shapes.size === 0) return session.say(otherwise);
  session.edits.reshape(shapes.size > 1 ? `${verb} of ${shapes.size} labels` : verb, shapes);
}

export const square = (session: Session): void =>
  each(session, "Square corners", squared, "This shape has no two main directions to square it to.");

export const smooth = (session: Session): void =>
  each(session, "Smooth outline", (g) => (g.type.endsWith("Point") ? null : smoothed(g)), "A point has no outline.");

export const fillHoles = (session: Session): void =>
  each(session, "Fill holes", (g) => (holesOf(g).length > 0 ? filled(g) : null), "There are no holes to fill.");

/** Copy the selected labels, a little to the side. */
export function duplicate(session: Session, pixel: number): void {
  const step = 12 * pixel;
  const edits: Edit[] = session.selected().map(({ content }) => ({
    key: session.labels.newKey(),
    after: { ...content, geometry: mapPlane(content.geometry, (at) => plus(at, [step, -step])) },
  }));
  if (edits.length === 0) return;
  session.labels.commit(edits, edits.length > 1 ? `Duplicate ${edits.length} labels` : "Duplicate");
  session.select(edits.map(({ key }) => key));
}

/** Make a label of each part; the largest stays the label that it was. */
export function explode(session: Session): void {
  const edits: Edit[] = session.selected().flatMap(({ key, content }) => {
    const [first, ...rest] = partsOf(content.geometry);
    if (!first || rest.length === 0) return [];
    return [
      { key, after: { ...content, geometry: first } },
      ...rest.map((geometry) => ({ key: session.labels.newKey(), after: { ...content, geometry } })),
    ];
  });
  if (edits.length === 0) return session.say("This label has one part only.");
  session.labels.commit(edits, "Take parts apart");
  session.select(edits.map(({ key }) => key));
  session.say(`${plural(edits.length, "label", "labels")} made of the parts.`, true);
}

/** Make one label of several, each of which becomes a part of it. */
export function rejoin(session: Session): void {
  const labels: LiveLabel[] = session.selected();
  const [first, ...rest] = labels;
  const geometry = joined(labels.map(({ content }) => content.geometry));
  if (!first || rest.length === 0) return session.say("Select two labels or more to put them together.");
  if (!geometry) return session.say("Labels that are put together are of one kind: all polygons, lines or points.");
  session.labels.commit(
    [{ key: first.key, after: { ...first.content, geometry } }, ...rest.map(({ key }) => ({ key, after: null }))],
    "Put together",
  );
  session.select([first.key]);
  session.say(`${labels.length} labels are one, of ${partsOf(geometry).length} parts.`, true);
}
