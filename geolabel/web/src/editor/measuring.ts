/** What the measuring tool says of its draft: how long it is, each edge of it, and the area that it closes. */
import type { Geometry, Position } from "../types";
import { type Draft, isClosed } from "./draft";
import { groundArea, groundLength } from "./measure";
import { between, fromPlane, toPlane } from "./plane";

export interface Measurement {
  /** Along all places, in metres; the perimeter when it is closed. */
  metres: number;
  /** In square metres; of what it would be if it were closed. Null while there are less than three places. */
  m2: number | null;
  closed: boolean;
  edges: readonly Edge[];
}

export interface Edge {
  from: Position;
  to: Position;
  /** Half way along it on the map. */
  middle: Position;
  metres: number;
}

const lengthOf = (coordinates: Position[]): number => groundLength({ type: "LineString", coordinates }) ?? 0;

/** Null before there is a first edge. */
export function measurement(draft: Draft): Measurement | null {
  const { fixed, way, cursor } = draft;
  const places = cursor ? [...fixed, ...way, cursor] : [...fixed];
  const [first] = places;
  if (!first || places.length < 2) return null;
  const ring = places[0] === places.at(-1) ? places.slice(0, -1) : places;
  const area: Geometry = { type: "Polygon", coordinates: [[...ring, first]] };
  return {
    metres: lengthOf(places),
    m2: ring.length < 3 ? null : groundArea(area),
    closed: isClosed(cursor ? { ...draft, fixed: places } : draft),
    edges: places.slice(1).map((to, i) => edge(places[i] ?? to, to)),
  };
}

const edge = (from: Position, to: Position): Edge => ({
  from,
  to,
  middle: fromPlane(between(toPlane(from), toPlane(to), 0.5)),
  metres: lengthOf([from, to]),
});
