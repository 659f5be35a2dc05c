/** Which handle lies under the pointer: in screen pixels. */
import type { Bounds, Geometry, Position } from "../types";
import { type Midpoint, midpoints, type Path, type Vertex, vertices, within } from "./geometry";

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
 * @param around longitudes and latitudes that the reach lies in: of a shape with very many vertices only those are looked at.
 */
export function handleAt(
  geometry: Geometry,
  x: number,
  y: number,
  toScreen: ToScreen,
  around: Bounds | null = null,
): Handle | null {
  const near = ({ position: [lng = 0, lat = 0] }: Vertex) => !around || within([lng, lat, lng, lat], around);
  const vertex = nearest(vertices(geometry).filter(near), x, y, NEAR_VERTEX, toScreen);
  if (vertex) return { kind: "vertex", ...vertex };
  const open = midpoints(geometry).filter((middle) => near(middle) && hasRoom(middle, toScreen));
  const midpoint = nearest(open, x, y, NEAR_MIDPOINT, toScreen);
  return midpoint && { kind: "midpoint", path: midpoint.path, position: midpoint.position };
}

function nearest(all: Vertex[], x: number, y: number, reach: number, toScreen: ToScreen): Vertex | null {
  let best: Vertex | null = null;
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
