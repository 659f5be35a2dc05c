/**
 * The plane of the map: Web Mercator in degrees. What is straight, square or round on the screen is so here, and, within
 * the size of a label, on the ground.
 */
import type { Geometry, Position } from "../types";

export type XY = readonly [x: number, y: number];

const RAD = Math.PI / 180;

export const toPlane = ([lng = 0, lat = 0]: Position): XY => [
  lng,
  Math.log(Math.tan(Math.PI / 4 + (lat * RAD) / 2)) / RAD,
];

/** @param like what else than longitude and latitude (a height) the position has. */
export const fromPlane = ([x, y]: XY, like: Position = []): Position => [
  x,
  (2 * Math.atan(Math.exp(y * RAD))) / RAD - 90,
  ...like.slice(2),
];

export const minus = (a: XY, b: XY): XY => [a[0] - b[0], a[1] - b[1]];
export const plus = (a: XY, b: XY): XY => [a[0] + b[0], a[1] + b[1]];
export const times = (a: XY, k: number): XY => [a[0] * k, a[1] * k];
export const dot = (a: XY, b: XY): number => a[0] * b[0] + a[1] * b[1];
export const cross = (a: XY, b: XY): number => a[0] * b[1] - a[1] * b[0];
export const size = (a: XY): number => Math.hypot(a[0], a[1]);

/** How far along an edge (0 to 1) the place of it lies that is nearest to a point. */
export function along(p: XY, a: XY, b: XY): number {
  const edge = minus(b, a);
  const length2 = dot(edge, edge);
  return length2 === 0 ? 0 : Math.min(1, Math.max(0, dot(minus(p, a), edge) / length2));
}

export const between = (a: XY, b: XY, share: number): XY => plus(a, times(minus(b, a), share));

/**
 * Longitude and latitude of a tile of the web's common matrix: west, south, east, north.
 *
 * @param margin how far it reaches over its edges, in its own size.
 */
export function tileBounds(z: number, x: number, y: number, margin = 0): [number, number, number, number] {
  const side = 360 / 2 ** z;
  const west = x * side - 180 - margin * side;
  const north = 180 - y * side + margin * side;
  const span = side * (1 + 2 * margin);
  const [, south = 0] = fromPlane([0, north - span]);
  const [, top = 0] = fromPlane([0, north]);
  return [west, south, west + span, top];
}

/** Every position of a shape through a function of the plane. */
export function mapPlane(geometry: Geometry, change: (at: XY) => XY): Geometry {
  if (geometry.type === "GeometryCollection") return geometry;
  const walk = (value: unknown): unknown =>
    typeof (value as unknown[])[0] === "number"
      ? fromPlane(change(toPlane(value as Position)), value as Position)
      : (value as unknown[]).map(walk);
  return { ...geometry, coordinates: walk(geometry.coordinates) } as Geometry;
}
