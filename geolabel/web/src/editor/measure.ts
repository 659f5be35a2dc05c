/**
 * Ground area and length on the WGS 84 ellipsoid, good to a fraction of a percent for shapes the size of a label.
 *
 * Area: the cylindrical equal-area projection of the ellipsoid (Snyder 1987, Map Projections, eq. 3-12 and 10-14..15) keeps every
 * area, so the planar area of the projected ring is the ground area; only the bend of its edges is left out.
 * Length: radii of curvature at the middle latitude of each edge; for long edges, which are measured on the ground, the
 * geodesic (Vincenty 1975, Survey Review 23).
 */
import type { Position, Scene } from "../types";
import { chains, once } from "./geometry";

const A = 6378137;
const E2 = 0.0066943799901413165;
const E = Math.sqrt(E2);
const B = A * Math.sqrt(1 - E2);
const F = 1 - B / A;
const RAD = Math.PI / 180;
/** Degrees: up to here the radii of curvature are good to a millionth. */
const SHORT = 0.1;
const NEARLY_ANTIPODAL = 200;

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
  if (Math.abs(lat2 - lat1) > SHORT || Math.abs(lon2 - lon1) > SHORT) return geodesic(lon2 - lon1, lat1, lat2);
  const middle = ((lat1 + lat2) / 2) * RAD;
  const w = 1 - E2 * Math.sin(middle) ** 2;
  const north = ((A * (1 - E2)) / w ** 1.5) * (lat2 - lat1) * RAD;
  const east = (A / Math.sqrt(w)) * Math.cos(middle) * (lon2 - lon1) * RAD;
  return Math.hypot(north, east);
}

/** The shortest way on the ellipsoid, in metres. */
function geodesic(lon: number, lat1: number, lat2: number): number {
  const [u1, u2] = [lat1, lat2].map((lat) => Math.atan((1 - F) * Math.tan(lat * RAD))) as [number, number];
  const [s1, c1, s2, c2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
  let [lambda, before] = [lon * RAD, Number.NaN];
  let [sigma, sinSigma, cosSigma, cos2Alpha, cos2M] = [0, 0, 1, 1, 0];
  for (let i = 0; i < NEARLY_ANTIPODAL && !(Math.abs(lambda - before) < 1e-12); i += 1) {
    const [sinL, cosL] = [Math.sin(lambda), Math.cos(lambda)];
    sinSigma = Math.hypot(c2 * sinL, c1 * s2 - s1 * c2 * cosL);
    if (sinSigma === 0) return 0;
    cosSigma = s1 * s2 + c1 * c2 * cosL;
    sigma = Math.atan2(sinSigma, cosSigma);
    const sinAlpha = (c1 * c2 * sinL) / sinSigma;
    cos2Alpha = 1 - sinAlpha ** 2;
    cos2M = cos2Alpha === 0 ? 0 : cosSigma - (2 * s1 * s2) / cos2Alpha;
    const c = (F / 16) * cos2Alpha * (4 + F * (4 - 3 * cos2Alpha));
    before = lambda;
    lambda =
      lon * RAD + (1 - c) * F * sinAlpha * (sigma + c * sinSigma * (cos2M + c * cosSigma * (2 * cos2M ** 2 - 1)));
  }
  const v2 = (cos2Alpha * (A ** 2 - B ** 2)) / B ** 2;
  const a = 1 + (v2 / 16384) * (4096 + v2 * (-768 + v2 * (320 - 175 * v2)));
  const b = (v2 / 1024) * (256 + v2 * (-128 + v2 * (74 - 47 * v2)));
  const third = (b / 6) * cos2M * (4 * sinSigma ** 2 - 3) * (4 * cos2M ** 2 - 3);
  return B * a * (sigma - b * sinSigma * (cos2M + (b / 4) * (cosSigma * (2 * cos2M ** 2 - 1) - third)));
}

/** In square metres, holes left out; null for lines and points. */
export const groundArea = once((geometry): number | null => {
  const rings = chains(geometry).filter((chain) => chain.kind === "ring");
  if (rings.length === 0) return null;
  return rings.reduce((sum, ring) => sum + (ring.hole ? -1 : 1) * ringArea(ring.vertices), 0);
});

/** In metres: of a line, or of all rings of a polygon; null for points. */
export const groundLength = once((geometry): number | null => {
  const all = chains(geometry).filter((chain) => chain.kind !== "point");
  if (all.length === 0) return null;
  return all.reduce((sum, { vertices, kind }) => {
    const path = kind === "ring" ? [...vertices, ...vertices.slice(0, 1)] : vertices;
    return sum + path.slice(1).reduce((length, to, i) => length + edgeLength(path[i] ?? to, to), 0);
  }, 0);
});

/** Ground covered by a pixel, in square metres: of a sheared grid it is less than the product of the pixel's edges. */
export function pixelArea({ resolution, transform }: Pick<Scene, "resolution" | "transform">): number | null {
  if (!resolution) return null;
  const [a, b, , d, e] = transform;
  const squareness = Math.abs(a * e - b * d) / (Math.hypot(a, d) * Math.hypot(b, e));
  return resolution ** 2 * squareness;
}
