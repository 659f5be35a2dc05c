/** Which handle lies under the pointer: in screen pixels. */
import type { Bounds, Geometry, Position } from "../types";
import { chains, type Midpoint, midpointOf, type Path, type Vertex, vertices } from "./geometry";

export interface Handle {
  kind: "vertex" | "midpoint";
  path: Path;
  position: Position;
}

export type ToScreen = (position: Position) => { x: number; y: number };

/** The larger of the two. */
export const REACH = 9;
const NEAR_VERTEX = REACH;
const NEAR_MIDPOINT = 7;
/** On a shorter edge there is no room for a handle between those of its ends, in screen pixels. */
const SHORTEST_EDGE = 24;

export function hasRoom({ ends: [a, b] }: Midpoint, toScreen: ToScreen): boolean {
  const [p, q] = [toScreen(a), toScreen(b)];
  return Math.hypot(p.x - q.x, p.y - q.y) >= SHORTEST_EDGE;
}

/**
 * The nearest handle in reach; a vertex goes before a midpoint.
 *
 * @param around longitudes and latitudes that the reach lies in: only what is there is looked at, for a shape may have very
 *   many vertices and a pointer moves often.
 */
export function handleAt(
  geometry: Geometry,
  x: number,
  y: number,
  toScreen: ToScreen,
  around: Bounds = EVERYWHERE,
): Handle | null {
  const vertex = nearest(verticesIn(geometry, around), x, y, NEAR_VERTEX, toScreen);
  if (vertex) return { kind: "vertex", ...vertex };
  const open = midpointsIn(geometry, around).filter((middle) => hasRoom(middle, toScreen));
  const midpoint = nearest(open, x, y, NEAR_MIDPOINT, toScreen);
  return midpoint && { kind: "midpoint", path: midpoint.path, position: midpoint.position };
}

const EVERYWHERE: Bounds = [
  Number.NEGATIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.POSITIVE_INFINITY,
  Number.POSITIVE_INFINITY,
];

function verticesIn(geometry: Geometry, [w, s, e, n]: Bounds): Vertex[] {
  if (geometry.type === "Point") return vertices(geometry);
  const found: Vertex[] = [];
  for (const { path, vertices: all } of chains(geometry)) {
    for (let i = 0; i < all.length; i += 1) {
      const position = all[i] as Position;
      const [x = 0, y = 0] = position;
      if (x >= w && x <= e && y >= s && y <= n) found.push({ path: [...path, i], position });
    }
  }
  return found;
}

/** Midpoints in a box, and some beside it. */
function midpointsIn(geometry: Geometry, [w, s, e, n]: Bounds): Midpoint[] {
  const found: Midpoint[] = [];
  for (const { path, vertices: all, kind } of chains(geometry)) {
    if (kind === "point") continue;
    const edges = kind === "ring" ? all.length : all.length - 1;
    for (let i = 0; i < edges; i += 1) {
      const [a, b] = [all[i] as Position, all[(i + 1) % all.length] as Position];
      const [ax = 0, ay = 0] = a;
      const [bx = 0, by = 0] = b;
      // The middle on the map lies a little to the north or south of that of the latitudes.
      const slack = Math.abs(by - ay) * 0.05;
      const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
      if (x >= w && x <= e && y >= s - slack && y <= n + slack) found.push(midpointOf(a, b, [...path, i + 1]));
    }
  }
  return found;
}

function nearest<V extends Vertex>(all: V[], x: number, y: number, reach: number, toScreen: ToScreen): V | null {
  let best: V | null = null;
  let least = reach;
  for (const vertex of all) {
    const at = toScreen(vertex.position);
    const distance = Math.hypot(at.x - x, at.y - y);
    if (distance <= least) {
      best = vertex;
      least = distance;
    }
  }
  return best;
}
