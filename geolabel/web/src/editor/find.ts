/**
 * Which labels lie under the pointer: worked out on the geometries themselves, so that a label can be picked the moment it
 * is there, whatever the map has drawn so far.
 */
import type { Geometry, Position } from "../types";
import { boundsOf, chains } from "./geometry";

/** How many screen pixels a degree is, in x and in y, about the pointer. */
export interface Scale {
  x: number;
  y: number;
}

interface Candidate {
  key: number;
  content: { geometry: Geometry };
}

/** Reach of a line or an edge, and of a point, in screen pixels. */
const NEAR_EDGE = 4;
const NEAR_POINT = 8;

/** Keys of the labels at a place, topmost first: points, then lines, then polygons from the smallest. */
export function labelsAt(labels: Iterable<Candidate>, at: Position, scale: Scale): number[] {
  const [x = 0, y = 0] = at;
  const dx = NEAR_POINT / scale.x;
  const dy = NEAR_POINT / scale.y;
  const found: { key: number; rank: number; size: number }[] = [];
  for (const { key, content } of labels) {
    const [w, s, e, n] = boundsOf(content.geometry);
    if (x < w - dx || x > e + dx || y < s - dy || y > n + dy) continue;
    const rank = hit(content.geometry, at, scale);
    if (rank !== null) found.push({ key, rank, size: (e - w) * (n - s) });
  }
  found.sort((one, other) => one.rank - other.rank || one.size - other.size || other.key - one.key);
  return found.map(({ key }) => key);
}

/** 0 on a point, 1 on a line, 2 on a polygon; null past all of them. */
function hit(geometry: Geometry, [x = 0, y = 0]: Position, scale: Scale): number | null {
  let inside = false;
  for (const { vertices, kind } of chains(geometry)) {
    const local = vertices.map(([vx = 0, vy = 0]) => [(vx - x) * scale.x, (vy - y) * scale.y] as const);
    if (kind === "point") {
      if (local.some(([px, py]) => Math.hypot(px, py) <= NEAR_POINT)) return 0;
      continue;
    }
    const edges = kind === "ring" ? local.length : local.length - 1;
    for (let i = 0; i < edges; i += 1) {
      const [ax, ay] = local[i] ?? [0, 0];
      const [bx, by] = local[(i + 1) % local.length] ?? [0, 0];
      if (fromOrigin(ax, ay, bx, by) <= NEAR_EDGE) return kind === "ring" ? 2 : 1;
      if (kind === "ring" && ay > 0 !== by > 0 && ax + ((0 - ay) / (by - ay)) * (bx - ax) > 0) inside = !inside;
    }
  }
  return inside ? 2 : null;
}

/** Distance of the origin from a segment. */
function fromOrigin(ax: number, ay: number, bx: number, by: number): number {
  const dx = bx - ax;
  const dy = by - ay;
  const length2 = dx * dx + dy * dy;
  const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, -(ax * dx + ay * dy) / length2));
  return Math.hypot(ax + t * dx, ay + t * dy);
}
