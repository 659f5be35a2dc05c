/**
 * Borders that labels share. A vertex belongs to all labels that have one at its very place: they are moved, put in and
 * taken out together, so that a mosaic stays one.
 */
import type { Geometry, Position } from "../types";
import { boundsOf, chains, insertVertex, moveVertex, type Path, removeVertex } from "./geometry";
import { along, between, minus, size, toPlane } from "./plane";
import type { Candidate } from "./snap";

/** Degrees: a tenth of a millimetre. What is nearer is one place that was written in two ways. */
export const SAME = 1e-9;

const same = ([ax = 0, ay = 0]: Position, [bx = 0, by = 0]: Position) =>
  Math.abs(ax - bx) <= SAME && Math.abs(ay - by) <= SAME;

const holds = (geometry: Geometry, [x = 0, y = 0]: Position) => {
  const [w, s, e, n] = boundsOf(geometry);
  return x >= w - SAME && x <= e + SAME && y >= s - SAME && y <= n + SAME;
};

/** The paths of the vertices that a shape has at a place: several where its parts or rings touch. */
export function verticesAt(geometry: Geometry, at: Position): Path[] {
  if (!holds(geometry, at)) return [];
  if (geometry.type === "Point") return [[]];
  return chains(geometry).flatMap(({ path, vertices }) =>
    vertices.flatMap((vertex, i) => (same(vertex, at) ? [[...path, i]] : [])),
  );
}

/** Move the vertex at a place in every label that has one there. Points are labels of their own and stay. */
export function moveShared(labels: Iterable<Candidate>, from: Position, to: Position): Map<number, Geometry> {
  const moved = new Map<number, Geometry>();
  for (const { key, content } of labels) {
    const paths = lineal(content.geometry) ? verticesAt(content.geometry, from) : [];
    if (paths.length === 0) continue;
    moved.set(
      key,
      paths.reduce((geometry, path) => moveVertex(geometry, path, to), content.geometry),
    );
  }
  return moved;
}

/** Take the vertex at a place out of every label that has one there; labels that it would make an end of are left out. */
export function removeShared(labels: Iterable<Candidate>, at: Position): Map<number, Geometry> {
  const changed = new Map<number, Geometry>();
  for (const { key, content } of labels) {
    if (!lineal(content.geometry)) continue;
    const paths = verticesAt(content.geometry, at).toReversed();
    const left = paths.reduce<Geometry | null>((rest, path) => rest && removeVertex(rest, path), content.geometry);
    if (paths.length > 0 && left) changed.set(key, left);
  }
  return changed;
}

const lineal = ({ type }: Geometry) => type !== "Point" && type !== "MultiPoint";

/** Put a vertex at a place into the edge between two vertices, in every label that has this edge. */
export function insertShared(
  labels: Iterable<Candidate>,
  [a, b]: readonly [Position, Position],
  at: Position,
): Map<number, Geometry> {
  const changed = new Map<number, Geometry>();
  for (const { key, content } of labels) {
    if (!holds(content.geometry, a) || !holds(content.geometry, b)) continue;
    for (const { path, vertices, kind } of chains(content.geometry)) {
      const edges = kind === "ring" ? vertices.length : vertices.length - 1;
      for (let i = 0; i < edges; i += 1) {
        const [one, other] = [vertices[i] ?? [], vertices[(i + 1) % vertices.length] ?? []];
        if ((same(one, a) && same(other, b)) || (same(one, b) && same(other, a))) {
          changed.set(key, insertVertex(changed.get(key) ?? content.geometry, [...path, i + 1], at));
        }
      }
    }
  }
  return changed;
}

/** Put a vertex into the edge that a place lies on; the same shape when it is on none, or on a vertex. */
export function insertOnEdge(geometry: Geometry, at: Position): Geometry {
  if (!holds(geometry, at) || verticesAt(geometry, at).length > 0) return geometry;
  const p = toPlane(at);
  for (const { path, vertices, kind } of chains(geometry)) {
    if (kind === "point") continue;
    const edges = kind === "ring" ? vertices.length : vertices.length - 1;
    for (let i = 0; i < edges; i += 1) {
      const [a, b] = [toPlane(vertices[i] ?? []), toPlane(vertices[(i + 1) % vertices.length] ?? [])];
      if (size(minus(between(a, b, along(p, a, b)), p)) <= SAME) return insertVertex(geometry, [...path, i + 1], at);
    }
  }
  return geometry;
}

/** The vertices strictly between two places on the border of a shape, the short way round or the long one; null off it. */
export function trace(geometry: Geometry, chain: Path, from: Position, to: Position, long: boolean): Position[] | null {
  const found = chains(geometry).find((c) => c.path.length === chain.length && c.path.every((n, i) => n === chain[i]));
  if (!found || found.kind === "point") return null;
  const { vertices, kind } = found;
  const [start, end] = [locate(vertices, kind === "ring", from), locate(vertices, kind === "ring", to)];
  if (start === null || end === null) return null;
  const ahead = walk(vertices, start, end, kind === "ring");
  const behind = walk(vertices, end, start, kind === "ring")?.toReversed() ?? null;
  if (!ahead || !behind) return ahead ?? behind;
  const aheadIsShort = length([from, ...ahead, to]) <= length([from, ...behind, to]);
  return aheadIsShort !== long ? ahead : behind;
}

/** Where on a chain a place is: the index of the edge and the share of it. */
function locate(vertices: Position[], closed: boolean, at: Position): number | null {
  const exact = vertices.findIndex((vertex) => same(vertex, at));
  if (exact >= 0) return exact;
  const p = toPlane(at);
  const edges = closed ? vertices.length : vertices.length - 1;
  for (let i = 0; i < edges; i += 1) {
    const [a, b] = [toPlane(vertices[i] ?? []), toPlane(vertices[(i + 1) % vertices.length] ?? [])];
    const share = along(p, a, b);
    if (size(minus(between(a, b, share), p)) <= SAME) return i + share;
  }
  return null;
}

function walk(vertices: Position[], start: number, end: number, closed: boolean): Position[] | null {
  if (!closed && end < start) return null;
  const stop = end > start ? end : end + vertices.length;
  const way: Position[] = [];
  for (let i = Math.floor(start) + 1; i < stop; i += 1) way.push(vertices[i % vertices.length] ?? []);
  return way;
}

function length(way: Position[]): number {
  const plane = way.map(toPlane);
  return plane.slice(1).reduce((sum, to, i) => sum + size(minus(to, plane[i] ?? to)), 0);
}
