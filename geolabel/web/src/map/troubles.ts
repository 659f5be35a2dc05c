/** Where something is wrong with labels. */
import { crossing } from "../editor/crossing";
import { positionAt } from "../editor/geometry";
import type { Session } from "../session.svelte";
import type { Position } from "../types";

/** The places that the server named, or where an outline crosses itself, and those of warnings. */
export function troubledPlaces(session: Session): Position[] {
  const positions: Position[] = [];
  for (const { kind, pointers, key } of session.desk.troubles) {
    const content = session.labels.get(key)?.content;
    if (!content || kind !== "refused") continue;
    const named = pointers.map((pointer) => positionAt(content.geometry, pointer)).filter((at) => at !== null);
    const crossed = named.length > 0 ? null : crossing(content.geometry);
    positions.push(...named, ...(crossed ? [crossed] : []));
  }
  positions.push(...session.hand.warnings.map(({ at }) => at));
  return positions;
}
