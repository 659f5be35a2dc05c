/** Where the pointer snaps to: a vertex of a neighbour, or else an edge. */
import type { Geometry, Position } from "../types";
import { boundsOf, chains, type Path } from "./geometry";
import { along, between, fromPlane, minus, size, toPlane } from "./plane";

export interface Candidate {
  readonly key: number;
  readonly content: { readonly geometry: Geometry };
}

export interface Snap {
  readonly key: number;
  readonly kind: "vertex" | "edge";
  /** Of a vertex its very coordinates. */
  readonly position: Position;
  /** The ring or line that it is on. */
  readonly chain: Path;
}

export const SNAP_PX = 10;

/**
 * The nearest vertex in reach; when there is none, the nearest place on an edge.
 *
 * @param reach in degrees of the plane.
 */
export function snapTo(labels: Iterable<Candidate>, at: Position, reach: number): Snap | null {
  const p = toPlane(at);
  let vertex: Snap | null = null;
  let edge: Snap | null = null;
  let nearVertex = reach;
  let nearEdge = reach;
  for (const { key, content } of labels) {
    const [w, s, e, n] = boundsOf(content.geometry);
    // A degree of latitude is at least a degree of the plane: the box of latitudes is the wider one.
    if (p[0] < w - reach || p[0] > e + reach || (at[1] ?? 0) < s - reach || (at[1] ?? 0) > n + reach) continue;
    for (const { vertices, kind, path } of chains(content.geometry)) {
      let before = kind === "ring" ? toPlane(vertices.at(-1) ?? []) : null;
      for (const position of vertices) {
        const here = toPlane(position);
        const away = size(minus(here, p));
        if (away <= nearVertex) {
          nearVertex = away;
          vertex = { key, kind: "vertex", position, chain: path };
        }
        if (before && kind !== "point" && meets(p, before, here, nearEdge)) {
          const place = between(before, here, along(p, before, here));
          const off = size(minus(place, p));
          if (off < nearEdge) {
            nearEdge = off;
            edge = { key, kind: "edge", position: fromPlane(place), chain: path };
          }
        }
        before = here;
      }
    }
  }
  return vertex ?? edge;
}

/** Does the box of an edge come within reach? A quick look. */
function meets(
  p: readonly [number, number],
  a: readonly [number, number],
  b: readonly [number, number],
  reach: number,
) {
  return (
    Math.min(a[0], b[0]) - reach <= p[0] &&
    Math.max(a[0], b[0]) + reach >= p[0] &&
    Math.min(a[1], b[1]) - reach <= p[1] &&
    Math.max(a[1], b[1]) + reach >= p[1]
  );
}
