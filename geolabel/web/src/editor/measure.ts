/**
 * Ground area and length on the WGS 84 ellipsoid, good to a fraction of a percent for shapes the size of a label.
 *
 * Area: the cylindrical equal-area projection of the ellipsoid (Snyder 1987, Map Projections, eq. 3-12 and 10-14..15) keeps every
 * area, so the planar area of the projected ring is the ground area; only the bend of its edges is left out.
 * Length: radii of curvature at the middle latitude of each edge.
 */
import type { Geometry, Position } from "../types";
import { chains } from "./geometry";

const A = 6378137;
const E2 = 0.0066943799901413165;
const E = Math.sqrt(E2);
const RAD = Math.PI / 180;

function equalArea([lon = 0, lat = 0]: Position): [number, number] {
  const s = Math.sin(lat * RAD);
  const q = (1 - E2) * (s / (1 - E2 * s * s) - Math.log((1 - E * s) / (1 + E * s)) / (2 * E));
  return [A * lon * RAD, (A * q) / 2];
}

function ringArea(ring: Position[]): number {
  const [x0 = 0, y0 = 0] = equalArea(ring[0] ?? []);
  const points = ring.map(equalArea).map(([x, y]) => [x - x0, y - y0] as const);
  let twice = 0;
  points.forEach(([x1, y1], i) => {
    const [x2, y2] = points[(i + 1) % points.length] ?? [0, 0];
    twice += x1 * y2 - x2 * y1;
  });
  return Math.abs(twice) / 2;
}

function edgeLength([lon1 = 0, lat1 = 0]: Position, [lon2 = 0, lat2 = 0]: Position): number {
  const middle = ((lat1 + lat2) / 2) * RAD;
  const w = 1 - E2 * Math.sin(middle) ** 2;
  const north = ((A * (1 - E2)) / w ** 1.5) * (lat2 - lat1) * RAD;
  const east = (A / Math.sqrt(w)) * Math.cos(middle) * (lon2 - lon1) * RAD;
  return Math.hypot(north, east);
}

/** In square metres, holes left out; null for lines and points. */
export function groundArea(geometry: Geometry): number | null {
  const rings = chains(geometry).filter((chain) => chain.kind === "ring");
  if (rings.length === 0) return null;
  return rings.reduce((sum, ring) => sum + (ring.hole ? -1 : 1) * ringArea(ring.vertices), 0);
}

/** In metres: of a line, or of all rings of a polygon; null for points. */
export function groundLength(geometry: Geometry): number | null {
  const all = chains(geometry).filter((chain) => chain.kind !== "point");
  if (all.length === 0) return null;
  return all.reduce((sum, { vertices, kind }) => {
    const path = kind === "ring" ? [...vertices, ...vertices.slice(0, 1)] : vertices;
    return sum + path.slice(1).reduce((length, to, i) => length + edgeLength(path[i] ?? to, to), 0);
  }, 0);
}
