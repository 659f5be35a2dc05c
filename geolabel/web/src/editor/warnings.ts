/**
 * What is odd about a shape, told while it is made: it crosses itself, laps over a neighbour, leaves a gap to one, or lies
 * outside the imagery. The server decides what it takes; these are hints, with the place that each concerns.
 */
import type { Bounds, Geometry, Position } from "../types";
import { insertOnEdge, SAME, verticesAt } from "./borders";
import { crossing } from "./crossing";
import { boundsOf, chains, moveVertex, type Path, vertices } from "./geometry";
import { insideShape } from "./parts";
import { along, between, cross, fromPlane, minus, size, toPlane, type XY } from "./plane";
import type { Candidate } from "./snap";

export type Warning =
  | { kind: "crosses"; at: Position }
  | { kind: "overlap"; at: Position; key: number }
  | { kind: "gap"; at: Position; key: number }
  | { kind: "outside"; at: Position };

export interface Surroundings {
  /** Labels that the shape should neither lap over nor leave a gap to. */
  neighbours: readonly Candidate[];
  /** Whether gaps are of interest: for ground cover, not for things that stand apart. */
  gaps: boolean;
  /** Of the imagery; empty when it is not known. */
  scenes: readonly Bounds[];
  /** Side of the finest pixel in degrees of the plane. */
  pixel: number;
}

/** Above this many vertices only the server looks. */
const MOST_VERTICES = 1500;
/** Narrower than this many pixels is a border; wider than that many is no gap but a distance. */
const TOUCHING = 0.05;
const APART = 2;

export function warningsOf(geometry: Geometry, { neighbours, gaps, scenes, pixel }: Surroundings): Warning[] {
  const own = vertices(geometry);
  if (own.length > MOST_VERTICES) return [];
  const found: Warning[] = [];
  const crossed = crossing(geometry);
  if (crossed) found.push({ kind: "crosses", at: crossed });
  const away = scenes.length > 0 ? own.find(({ position }) => !scenes.some((box) => within(position, box))) : undefined;
  if (away) found.push({ kind: "outside", at: away.position });
  if (geometry.type !== "Polygon" && geometry.type !== "MultiPolygon") return found;
  for (const { key, content } of neighbours) {
    const other = content.geometry;
    if (!chains(other).some((chain) => chain.kind === "ring") || !near(geometry, other, APART * pixel)) continue;
    if (vertices(other).length > MOST_VERTICES) continue;
    const over = overlap(geometry, other, TOUCHING * pixel);
    if (over) found.push({ kind: "overlap", at: over, key });
    else if (gaps) {
      const gap = gapTo(geometry, other, TOUCHING * pixel, APART * pixel);
      if (gap) found.push({ kind: "gap", at: gap.position, key });
    }
  }
  return found;
}

const within = ([x = 0, y = 0]: Position, [w, s, e, n]: Bounds) =>
  x >= w - SAME && x <= e + SAME && y >= s - SAME && y <= n + SAME;

function near(one: Geometry, other: Geometry, reach: number): boolean {
  const [a, b] = [boundsOf(one), boundsOf(other)];
  return a[0] - reach <= b[2] && b[0] - reach <= a[2] && a[1] - reach <= b[3] && b[1] - reach <= a[3];
}

/** A place where two polygons lap over; null when they do not, or when one lies wholly inside the other. */
function overlap(one: Geometry, other: Geometry, touching: number): Position | null {
  const [mine, theirs] = [edgesOf(one), edgesOf(other)];
  for (const [a, b] of mine) {
    for (const [c, d] of theirs) {
      const at = crossed(a, b, c, d, touching);
      if (at) return fromPlane(at);
    }
  }
  // Outlines that meet only at vertices: some place of the one is inside the other, and another one outside.
  return partlyInside(mine, other, theirs, touching) ?? partlyInside(theirs, one, mine, touching);
}

function partlyInside(edges: [XY, XY][], other: Geometry, theirs: [XY, XY][], touching: number): Position | null {
  const places = edges.flatMap(([a, b]) => [a, between(a, b, 0.5)]).map((at) => fromPlane(at));
  const sides = places.map((place) => sideOf(other, theirs, place, touching));
  return sides.includes(-1) ? (places[sides.indexOf(1)] ?? null) : null;
}

/** 1 inside, -1 outside, 0 on the border. */
function sideOf(geometry: Geometry, edges: [XY, XY][], at: Position, touching: number): -1 | 0 | 1 {
  if (distance(edges, toPlane(at)) <= touching) return 0;
  return insideShape(geometry, at) ? 1 : -1;
}

const distance = (edges: [XY, XY][], p: XY): number =>
  edges.reduce(
    (least, [a, b]) => Math.min(least, size(minus(between(a, b, along(p, a, b)), p))),
    Number.POSITIVE_INFINITY,
  );

function edgesOf(geometry: Geometry): [XY, XY][] {
  return chains(geometry).flatMap(({ vertices, kind }) => {
    if (kind === "point") return [];
    const plane = vertices.map(toPlane);
    const edges = plane.slice(0, -1).map((a, i): [XY, XY] => [a, plane[i + 1] ?? a]);
    const [first, last] = [plane[0], plane.at(-1)];
    return kind === "ring" && first && last ? [...edges, [last, first]] : edges;
  });
}

/** Where two edges cross, when the ends of each lie clearly on both sides of the other. */
function crossed(a: XY, b: XY, c: XY, d: XY, touching: number): XY | null {
  if (Math.max(a[0], b[0]) < Math.min(c[0], d[0]) || Math.max(c[0], d[0]) < Math.min(a[0], b[0])) return null;
  if (Math.max(a[1], b[1]) < Math.min(c[1], d[1]) || Math.max(c[1], d[1]) < Math.min(a[1], b[1])) return null;
  const [ab, cd] = [minus(b, a), minus(d, c)];
  const [u, v] = [side(ab, minus(c, a)), side(ab, minus(d, a))];
  const [s, t] = [side(cd, minus(a, c)), side(cd, minus(b, c))];
  const clear = (x: number, y: number) => x * y < 0 && Math.min(Math.abs(x), Math.abs(y)) > touching;
  return clear(u, v) && clear(s, t) ? between(a, b, s / (s - t)) : null;
}

/** How far a point lies to the left of a direction. */
const side = (way: XY, to: XY): number => (size(way) === 0 ? 0 : cross(way, to) / size(way));

/** The vertex that comes nearest to a neighbour's border without lying on it, and where it should lie. */
function gapTo(
  geometry: Geometry,
  other: Geometry,
  touching: number,
  apart: number,
): { path: Path; position: Position; to: XY } | null {
  const edges = edgesOf(other);
  let best: { path: Path; position: Position; to: XY } | null = null;
  let least = apart;
  for (const { path, position } of vertices(geometry)) {
    const p = toPlane(position);
    if (verticesAt(other, position).length > 0) continue;
    for (const [a, b] of edges) {
      const to = between(a, b, along(p, a, b));
      const away = size(minus(to, p));
      if (away > touching && away < least) {
        least = away;
        best = { path, position, to };
      }
    }
  }
  return best;
}

/** Both shapes with the gap between them closed: the vertex lies on the neighbour's border, which has one there too. */
export function closeGap(geometry: Geometry, other: Geometry, pixel: number): { geometry: Geometry; other: Geometry } {
  let [mine, theirs] = [geometry, other];
  for (let n = vertices(geometry).length; n > 0; n -= 1) {
    const gap = gapTo(mine, theirs, TOUCHING * pixel, APART * pixel);
    if (!gap) break;
    const corner = vertices(theirs).find(({ position }) => size(minus(toPlane(position), gap.to)) <= APART * pixel);
    const to = corner?.position ?? fromPlane(gap.to);
    mine = moveVertex(mine, gap.path, to);
    theirs = insertOnEdge(theirs, to);
  }
  return { geometry: mine, other: theirs };
}
