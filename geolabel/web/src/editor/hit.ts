/** Which handle lies under the pointer: in screen pixels. */
import type { Geometry, Position } from "../types";
import { midpoints, type Path, type Vertex, vertices } from "./geometry";

export interface Handle {
  kind: "vertex" | "midpoint";
  path: Path;
  position: Position;
}

export type ToScreen = (position: Position) => { x: number; y: number };

const NEAR_VERTEX = 9;
const NEAR_MIDPOINT = 7;

/** The nearest handle in reach; a vertex goes before a midpoint. */
export function handleAt(geometry: Geometry, x: number, y: number, toScreen: ToScreen): Handle | null {
  const vertex = nearest(vertices(geometry), x, y, NEAR_VERTEX, toScreen);
  if (vertex) return { kind: "vertex", ...vertex };
  const midpoint = nearest(midpoints(geometry), x, y, NEAR_MIDPOINT, toScreen);
  return midpoint && { kind: "midpoint", ...midpoint };
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
