/** Longitude and latitude to the project's CRS and to pixels of a scene, as the server has them. */
import type { Bounds, Position } from "./types";

/** What the server says of a grid of points over a box. */
export interface Positions {
  /** Short name of the project's CRS. */
  crs: string;
  lonlat: (Position | null)[];
  project: (Position | null)[];
  /** Continuous column and row; null without a scene. */
  pixel: (Position | null)[] | null;
}

const N = 5;

/** The points to ask for: N x N over the box, rows from the south. */
export function gridOver([w, s, e, n]: Bounds): Position[] {
  return Array.from({ length: N * N }, (_, i) => [
    w + ((e - w) * (i % N)) / (N - 1),
    s + ((n - s) * Math.floor(i / N)) / (N - 1),
  ]);
}

/** Weights of the N nodes at 0..1 for a place t: the polynomial through all of them (Lagrange). */
function weights(t: number): number[] {
  const nodes = Array.from({ length: N }, (_, i) => i / (N - 1));
  return nodes.map((at, i) => nodes.reduce((w, other, j) => (i === j ? w : (w * (t - other)) / (at - other)), 1));
}

/**
 * Between the points of a grid: a polynomial of degree 4 both ways, so that a view of a few kilometres is right to far
 * less than a millimetre, and one of a hundred to some centimetres.
 *
 * @param values at the points of `gridOver`.
 */
export function between(values: (Position | null)[], [w, s, e, n]: Bounds, [x, y]: Position): Position | null {
  if (e <= w || n <= s || (x ?? 0) < w || (x ?? 0) > e || (y ?? 0) < s || (y ?? 0) > n) return null;
  const across = weights(((x ?? 0) - w) / (e - w));
  const up = weights(((y ?? 0) - s) / (n - s));
  let column = 0;
  let row = 0;
  for (const [i, value] of values.entries()) {
    if (!value) return null;
    const weight = (across[i % N] ?? 0) * (up[Math.floor(i / N)] ?? 0);
    column += weight * (value[0] ?? 0);
    row += weight * (value[1] ?? 0);
  }
  return [column, row];
}
