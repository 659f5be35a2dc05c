/** Where an outline crosses itself: the server refuses such shapes, so the editor says it while they are drawn. */
import type { Geometry, Position } from "../types";
import { chains } from "./geometry";

/** Above this many edges the check would be felt in a drag; the server checks all. */
const MOST_EDGES = 1500;

interface Edge {
  a: Position;
  b: Position;
  index: number;
}

/** The first place where two edges of one ring cross; null when none do, or when the shape has no rings. */
export function crossing(geometry: Geometry): Position | null {
  for (const { vertices, kind } of chains(geometry)) {
    if (kind !== "ring" || vertices.length > MOST_EDGES) continue;
    const found = crossingOf(vertices);
    if (found) return found;
  }
  return null;
}

function crossingOf(ring: Position[]): Position | null {
  const edges: Edge[] = ring.map((a, index) => ({ a, b: ring[(index + 1) % ring.length] ?? a, index }));
  // Sweep by x: only edges that overlap in x are compared.
  const byLeft = edges.toSorted((one, other) => left(one) - left(other));
  const open: Edge[] = [];
  for (const edge of byLeft) {
    for (let i = open.length - 1; i >= 0; i -= 1) {
      const other = open[i];
      if (!other) continue;
      if (right(other) < left(edge)) open.splice(i, 1);
      else {
        const apart = Math.abs(other.index - edge.index);
        const neighbours = apart === 1 || apart === ring.length - 1;
        const found = neighbours ? null : meet(edge, other);
        if (found) return found;
      }
    }
    open.push(edge);
  }
  return null;
}

const left = ({ a, b }: Edge) => Math.min(a[0] ?? 0, b[0] ?? 0);
const right = ({ a, b }: Edge) => Math.max(a[0] ?? 0, b[0] ?? 0);

/** Where two edges cross inside both; touching ends are no crossing. */
function meet({ a: [ax = 0, ay = 0], b: [bx = 0, by = 0] }: Edge, { a: [cx = 0, cy = 0], b: [dx = 0, dy = 0] }: Edge) {
  const turn = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx);
  if (turn === 0) return null;
  const t = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / turn;
  const u = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / turn;
  const inside = t > 0 && t < 1 && u > 0 && u < 1;
  return inside ? [ax + t * (bx - ax), ay + t * (by - ay)] : null;
}
