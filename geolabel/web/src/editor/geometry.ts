/**
 * Shapes as chains of vertices: pure functions, nothing is changed in place.
 *
 * A geometry of any type is opened into its chains (rings, lines, single points), which are edited one vertex at a time.
 * Holes and parts stay where they are, and every vertex that an edit does not name keeps its very doubles.
 */
import type { Bounds, Geometry, Position } from "../types";
import { between, fromPlane, mapPlane, minus, plus, toPlane } from "./plane";

/** Where a vertex is: the indices that lead to it in `coordinates`. A point's path is empty. */
export type Path = readonly number[];

export interface Chain {
  /** The indices that lead to the chain; the path of its vertex i is [...path, i]. */
  path: Path;
  /** Without the closing vertex of a ring. */
  vertices: Position[];
  kind: "ring" | "line" | "point";
  /** A ring inside another. */
  hole: boolean;
}

export interface Vertex {
  path: Path;
  position: Position;
}

/** All chains of a geometry, in the order of its coordinates. */
export function chains(geometry: Geometry): Chain[] {
  switch (geometry.type) {
    case "Point":
      return [{ path: [], vertices: [geometry.coordinates], kind: "point", hole: false }];
    case "MultiPoint":
      return [{ path: [], vertices: geometry.coordinates, kind: "point", hole: false }];
    case "LineString":
      return [{ path: [], vertices: geometry.coordinates, kind: "line", hole: false }];
    case "MultiLineString":
      return geometry.coordinates.map((line, i) => ({ path: [i], vertices: line, kind: "line", hole: false }));
    case "Polygon":
      return geometry.coordinates.map((ring, i) => openRing(ring, [i], i > 0));
    case "MultiPolygon":
      return geometry.coordinates.flatMap((part, i) => part.map((ring, j) => openRing(ring, [i, j], j > 0)));
    case "GeometryCollection":
      return [];
  }
}

function openRing(ring: Position[], path: Path, hole: boolean): Chain {
  return { path, vertices: ring.slice(0, -1), kind: "ring", hole };
}

/** All vertices; the closing vertex of a ring is not one of them. */
export function vertices(geometry: Geometry): Vertex[] {
  if (geometry.type === "Point") return [{ path: [], position: geometry.coordinates }];
  return chains(geometry).flatMap((chain) =>
    chain.vertices.map((position, i) => ({ path: [...chain.path, i], position })),
  );
}

/** The middle of an edge, with the path that a vertex there would have. */
export interface Midpoint extends Vertex {
  ends: readonly [Position, Position];
}

export const midpointOf = (a: Position, b: Position, path: Path): Midpoint => ({
  path,
  position: fromPlane(between(toPlane(a), toPlane(b), 0.5)),
  ends: [a, b],
});

/** Where a vertex can be put in between. */
export function midpoints(geometry: Geometry): Midpoint[] {
  return chains(geometry).flatMap(({ vertices, kind, path }) => {
    if (kind === "point") return [];
    const edges = kind === "ring" ? vertices.length : vertices.length - 1;
    return Array.from({ length: edges }, (_, i) => {
      const [a, b] = [vertices[i] ?? [], vertices[(i + 1) % vertices.length] ?? []];
      return midpointOf(a, b, [...path, i + 1]);
    });
  });
}

/** Change one chain and leave all others as they are, the same objects. */
function changeChain(geometry: Geometry, path: Path, change: (vertices: Position[]) => Position[]): Geometry {
  const walk = (value: unknown, depth: number): unknown => {
    if (depth < path.length) {
      return (value as unknown[]).map((child, i) => (i === path[depth] ? walk(child, depth + 1) : child));
    }
    const ring = geometry.type === "Polygon" || geometry.type === "MultiPolygon";
    const given = value as Position[];
    if (!ring) return change(given);
    const changed = change(given.slice(0, -1));
    return [...changed, ...changed.slice(0, 1)];
  };
  if (geometry.type === "GeometryCollection") return geometry;
  return { ...geometry, coordinates: walk(geometry.coordinates, 0) } as Geometry;
}

/** Longitude and latitude of `to`, whatever else (a height) the vertex had. */
function placed(vertex: Position | undefined, to: Position): Position {
  const [x = 0, y = 0] = to;
  return [x, y, ...(vertex ?? []).slice(2)];
}

export function moveVertex(geometry: Geometry, path: Path, to: Position): Geometry {
  if (geometry.type === "Point") return { ...geometry, coordinates: placed(geometry.coordinates, to) };
  const index = path[path.length - 1] ?? 0;
  return changeChain(geometry, path.slice(0, -1), (all) => all.map((v, i) => (i === index ? placed(v, to) : v)));
}

/** Put a vertex in; it has the given path afterwards. */
export function insertVertex(geometry: Geometry, path: Path, at: Position): Geometry {
  const index = path[path.length - 1] ?? 0;
  return changeChain(geometry, path.slice(0, -1), (all) => [
    ...all.slice(0, index),
    placed(all[index - 1], at),
    ...all.slice(index),
  ]);
}

/**
 * Take a vertex out. A hole or a part that has too few left goes with it.
 *
 * @returns null when nothing would be left: that is a delete of the label, not of a vertex.
 */
export function removeVertex(geometry: Geometry, path: Path): Geometry | null {
  if (geometry.type === "Point" || geometry.type === "GeometryCollection") return null;
  const chain = chains(geometry).find((c) => samePath(c.path, path.slice(0, -1)));
  if (!chain) return geometry;
  const least = { ring: 3, line: 2, point: 1 }[chain.kind];
  if (chain.vertices.length > least) {
    const index = path[path.length - 1];
    return changeChain(geometry, chain.path, (all) => all.filter((_, i) => i !== index));
  }
  return removeChain(geometry, chain);
}

function removeChain(geometry: Geometry, { path, hole }: Chain): Geometry | null {
  const [first, second] = path;
  switch (geometry.type) {
    case "Polygon":
      if (!hole) return null;
      return { ...geometry, coordinates: geometry.coordinates.filter((_, i) => i !== first) };
    case "MultiPolygon": {
      const parts = hole
        ? geometry.coordinates.map((part, i) => (i === first ? part.filter((_, j) => j !== second) : part))
        : geometry.coordinates.filter((_, i) => i !== first);
      return parts.length > 0 ? { ...geometry, coordinates: parts } : null;
    }
    case "MultiLineString": {
      const lines = geometry.coordinates.filter((_, i) => i !== first);
      return lines.length > 0 ? { ...geometry, coordinates: lines } : null;
    }
    default:
      return null;
  }
}

export function samePath(one: Path, other: Path): boolean {
  return one.length === other.length && one.every((index, i) => index === other[i]);
}

/** The two vertices that a vertex would be put between. */
export function edgeAt(geometry: Geometry, path: Path): readonly [Position, Position] | null {
  const index = path.at(-1) ?? 0;
  const chain = chains(geometry).find(
    (c) => c.path.length === path.length - 1 && c.path.every((n, i) => n === path[i]),
  );
  const a = chain?.vertices[index - 1];
  const b = chain?.vertices[index % chain.vertices.length];
  return a && b ? [a, b] : null;
}

/** Every position through a function; the closing vertex of a ring stays equal to its first. */
export function mapPositions(geometry: Geometry, change: (position: Position) => Position): Geometry {
  if (geometry.type === "GeometryCollection") return geometry;
  const walk = (value: unknown): unknown =>
    typeof (value as unknown[])[0] === "number" ? change(value as Position) : (value as unknown[]).map(walk);
  return { ...geometry, coordinates: walk(geometry.coordinates) } as Geometry;
}

/** Move a whole shape as it looks on the map: by the step from one position to another. */
export function translate(geometry: Geometry, from: Position, to: Position): Geometry {
  const step = minus(toPlane(to), toPlane(from));
  return mapPlane(geometry, (at) => plus(at, step));
}

/** A function of a shape that is worked out once for each: a shape is never changed in place. */
export function once<T>(make: (geometry: Geometry) => T): (geometry: Geometry) => T {
  const made = new WeakMap<Geometry, T>();
  return (geometry) => {
    const known = made.get(geometry);
    if (known !== undefined) return known;
    const value = make(geometry);
    made.set(geometry, value);
    return value;
  };
}

export const boundsOf = once((geometry): Bounds => {
  let [w, s, e, n] = [
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  for (const chain of chains(geometry)) {
    for (const [x = 0, y = 0] of chain.vertices) {
      if (x < w) w = x;
      if (x > e) e = x;
      if (y < s) s = y;
      if (y > n) n = y;
    }
  }
  return [w, s, e, n];
});

export function unite(boxes: Bounds[]): Bounds | null {
  const [first, ...rest] = boxes;
  if (!first) return null;
  return rest.reduce<Bounds>(
    (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])],
    first,
  );
}

/** The longitude that means the same and lies nearest to another: -179 is 181 near 180. */
export const nearLongitude = (lng: number, home: number): number => lng + 360 * Math.round((home - lng) / 360);

/** A shape about a longitude in one piece, also where it crosses the antimeridian. */
export function nearby(geometry: Geometry, home: number): Geometry {
  const [w, , e] = boundsOf(geometry);
  if (Math.abs(w - home) <= 180 && Math.abs(e - home) <= 180) return geometry;
  return mapPositions(geometry, ([x = 0, ...rest]) => [nearLongitude(x, home), ...rest]);
}

/** West below east, by going past 180. */
export const unrolled = ([w, s, e, n]: Bounds): Bounds => [w, s, w > e ? e + 360 : e, n];

/**
 * What a map can draw: a polygon that crosses itself so that its sides cancel out has no area, and MapLibre drops shapes
 * without area. Its outline alone is given then.
 */
export function drawable(geometry: Geometry): Geometry {
  if (geometry.type !== "Polygon" && geometry.type !== "MultiPolygon") return geometry;
  const rings = chains(geometry).map((chain) => chain.vertices);
  if (!rings.some(cancelsOut)) return geometry;
  return { type: "MultiLineString", coordinates: rings.map((ring) => [...ring, ...ring.slice(0, 1)]) };
}

function cancelsOut(ring: Position[]): boolean {
  const [x0 = 0, y0 = 0] = ring[0] ?? [];
  let [twice, swept] = [0, 0];
  ring.forEach(([x1 = 0, y1 = 0], i) => {
    const [x2 = 0, y2 = 0] = ring[(i + 1) % ring.length] ?? [];
    const part = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
    twice += part;
    swept += Math.abs(part);
  });
  return Math.abs(twice) <= 1e-4 * swept;
}

/** Is a box wholly inside another? */
export function within(inner: Bounds, outer: Bounds): boolean {
  return inner[0] >= outer[0] && inner[1] >= outer[1] && inner[2] <= outer[2] && inner[3] <= outer[3];
}

/** "17, 1 ring, 2 holes", as the inspector says it. */
export function describe(geometry: Geometry): string {
  const all = chains(geometry);
  const count = all.reduce((sum, chain) => sum + chain.vertices.length, 0);
  const holes = all.filter((chain) => chain.hole).length;
  const parts = all.length - holes;
  const plural = (n: number, one: string) => `${n} ${one}${n === 1 ? "" : "s"}`;
  if (all[0]?.kind === "ring") {
    return `${count}, ${plural(parts, parts > 1 ? "part" : "ring")}, ${holes ? plural(holes, "hole") : "no holes"}`;
  }
  return all.length > 1 ? `${count}, ${plural(parts, "part")}` : String(count);
}

/** Where the server's JSON pointer leads: `/geometry/coordinates/0/3` is a vertex of the shape. */
export function positionAt(geometry: Geometry, pointer: string): Position | null {
  const path = /^\/geometry\/coordinates((?:\/\d+)*)$/.exec(pointer)?.[1];
  if (path === undefined || geometry.type === "GeometryCollection") return null;
  let value: unknown = geometry.coordinates;
  for (const index of path.split("/").slice(1)) value = (value as unknown[] | undefined)?.[Number(index)];
  return Array.isArray(value) && typeof value[0] === "number" ? (value as Position) : null;
}
