/** What becomes of a finished drawing: a label, a cut, a hole, a selection, a measurement. */
import type { Session } from "../session.svelte";
import type { Geometry, Position } from "../types";
import { begin, fix, type Pen } from "./draft";
import { boundsOf, nearLongitude, unrolled, within } from "./geometry";
import { pickInRing } from "./picking";

/**
 * Do what a finished drawing is for.
 *
 * @param edges where it met borders of other labels, which get a vertex there.
 * @param add to the selection.
 */
export function take(
  session: Session,
  tool: Pen,
  geometry: Geometry,
  edges: { key: number; at: Position }[],
  add: boolean,
): void {
  if (tool === "measure") {
    const places = geometry.type === "LineString" ? geometry.coordinates : [];
    session.measured = places.reduce(fix, begin("measure"));
    return;
  }
  if (tool === "lasso") {
    const ring = geometry.type === "Polygon" ? (geometry.coordinates[0] ?? []) : [];
    session.pickTool("select");
    return pickInRing(session, ring, add);
  }
  if (tool === "split" || tool === "hole") {
    session.pickTool("select");
    return void (tool === "split" ? session.work.split(geometry) : session.work.cutHole(geometry));
  }
  const { scene: inHand, scenes } = session;
  const [w, s, e, n] = boundsOf(geometry);
  const under = scenes
    .toSorted((a, b) => Number(b.id === inHand) - Number(a.id === inHand))
    .find(({ bounds }) => {
      if (!bounds) return false;
      const box = unrolled(bounds);
      const x = nearLongitude((w + e) / 2, (box[0] + box[2]) / 2);
      return within([x, (s + n) / 2, x, (s + n) / 2], box);
    });
  session.edits.add(geometry, under?.id ?? null, session.hand.neighboursWith(edges));
}
