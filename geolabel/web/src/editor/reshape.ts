/** Whole shapes changed by hand: turned, scaled, squared, smoothed. */
import type { Geometry, Position } from "../types";
import { boundsOf, chains } from "./geometry";
import { fromPlane, mapPlane, minus, plus, size, times, toPlane, type XY } from "./plane";

/** The middle of the box around shapes: what they are turned about. */
export function middleOf(geometries: Geometry[]): Position {
  const boxes = geometries.map(boundsOf);
  const w = Math.min(...boxes.map((b) => b[0]));
  const e = Math.max(...boxes.map((b) => b[2]));
  const s = Math.min(...boxes.map((b) => b[1]));
  const n = Math.max(...boxes.map((b) => b[3]));
  return fromPlane(times(plus(toPlane([w, s]), toPlane([e, n])), 0.5));
}

/** @param degrees clockwise as seen on the map. */
export function rotate(geometry: Geometry, about: Position, degrees: number): Geometry {
  const centre = toPlane(about);
  const angle = (-degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return mapPlane(geometry, (at) => {
    const [x, y] = minus(at, centre);
    return plus(centre, [x * cos - y * sin, x * sin + y * cos]);
  });
}

export function scale(geometry: Geometry, about: Position, factor: number): Geometry {
  const centre = toPlane(about);
  return mapPlane(geometry, (at) => plus(centre, times(minus(at, centre), factor)));
}

/** How far, in degrees, an edge may be off the two main directions to be turned into one of them. */
const SQUARABLE = 22.5;

/**
 * Make the corners of a polygon right angles: edges near one of its two main directions come to lie in it, each run of them
 * on its mean. Edges across stay as they are.
 *
 * @returns null when it has no main directions, or no rings.
 */
export function squared(geometry: Geometry): Geometry | null {
  if (geometry.type !== "Polygon" && geometry.type !== "MultiPolygon") return null;
  const angle = mainDirection(geometry);
  if (angle === null) return null;
  let about: XY | null = null;
  const square = (ring: Position[]): Position[] => {
    const open = ring.slice(0, -1);
    const plane = open.map(toPlane);
    about ??= plane[0] ?? [0, 0];
    const centre = about;
    const local = plane.map((p) => turned(minus(p, centre), -angle));
    const made = rightAngled(local).map((p, i) => fromPlane(plus(centre, turned(p, angle)), open[i]));
    return [...made, ...made.slice(0, 1)];
  };
  return geometry.type === "Polygon"
    ? { ...geometry, coordinates: geometry.coordinates.map(square) }
    : { ...geometry, coordinates: geometry.coordinates.map((part) => part.map(square)) };
}

const turned = ([x, y]: XY, angle: number): XY => [
  x * Math.cos(angle) - y * Math.sin(angle),
  x * Math.sin(angle) + y * Math.cos(angle),
];

/** The direction that most of the outline runs in, or across, as an angle of 0 to 90 degrees in radians. */
function mainDirection(geometry: Geometry): number | null {
  let [cos, sin, total] = [0, 0, 0];
  for (const { vertices } of chains(geometry)) {
    vertices.forEach((from, i) => {
      const edge = minus(toPlane(vertices[(i + 1) % vertices.length] ?? from), toPlane(from));
      const angle = 4 * Math.atan2(edge[1], edge[0]);
      cos += size(edge) * Math.cos(angle);
      sin += size(edge) * Math.sin(angle);
      total += size(edge);
    });
  }
  return Math.hypot(cos, sin) < 0.35 * total ? null : Math.atan2(sin, cos) / 4;
}

type Run = "flat" | "steep" | "across";

function runOf([x, y]: XY): Run {
  const angle = (Math.atan2(Math.abs(y), Math.abs(x)) * 180) / Math.PI;
  return angle <= SQUARABLE ? "flat" : angle >= 90 - SQUARABLE ? "steep" : "across";
}

/** A ring whose main directions are the axes, with its edges on them. */
function rightAngled(ring: XY[]): XY[] {
  const n = ring.length;
  const at = (i: number): XY => ring[(i + n) % n] ?? [0, 0];
  const runs = ring.map((p, i) => runOf(minus(at(i + 1), p)));
  const [x, y] = [ring.map((p) => p[0]), ring.map((p) => p[1])];
  const levelled = (values: number[], run: Run, axis: 0 | 1) => {
    const first = runs.findIndex((r, i) => r === run && runs[(i + n - 1) % n] !== run);
    if (first < 0) return;
    for (let step = 0; step < n; ) {
      const start = (first + step) % n;
      if (runs[start] !== run) {
        step += 1;
        continue;
      }
      let [length, sum, count] = [0, 0, 0];
      while (count < n && runs[(start + count) % n] === run) {
        const [a, b] = [at(start + count), at(start + count + 1)];
        const weight = size(minus(b, a));
        length += weight;
        sum += (weight * (a[axis] + b[axis])) / 2;
        count += 1;
      }
      for (let i = 0; i <= count; i += 1) values[(start + i) % n] = length > 0 ? sum / length : at(start)[axis];
      step += count;
    }
  };
  levelled(y, "flat", 1);
  levelled(x, "steep", 0);
  return ring.map((_, i) => [x[i] ?? 0, y[i] ?? 0]);
}

/** Cut every corner twice (Chaikin 1974): lines keep their ends. */
export function smoothed(geometry: Geometry, times_ = 2): Geometry {
  const smooth = (line: Position[], closed: boolean): Position[] => {
    let points = (closed ? line.slice(0, -1) : line).map((p) => [...toPlane(p), p] as const);
    for (let n = 0; n < times_; n += 1) {
      const edges = closed ? points.length : points.length - 1;
      const cut = Array.from({ length: edges }, (_, i) => {
        const a = points[i] ?? ([0, 0, []] as const);
        const b = points[(i + 1) % points.length] ?? a;
        const share = (k: number) => [a[0] + k * (b[0] - a[0]), a[1] + k * (b[1] - a[1]), a[2]] as const;
        return [share(0.25), share(0.75)];
      }).flat();
      const [first, last] = [points[0], points.at(-1)];
      points = closed || !first || !last ? cut : [first, ...cut.slice(1, -1), last];
    }
    const made = points.map(([x, y, like]) => fromPlane([x, y], like));
    return closed ? [...made, ...made.slice(0, 1)] : made;
  };
  switch (geometry.type) {
    case "LineString":
      return { ...geometry, coordinates: smooth(geometry.coordinates, false) };
    case "MultiLineString":
      return { ...geometry, coordinates: geometry.coordinates.map((line) => smooth(line, false)) };
    case "Polygon":
      return { ...geometry, coordinates: geometry.coordinates.map((ring) => smooth(ring, true)) };
    case "MultiPolygon":
      return { ...geometry, coordinates: geometry.coordinates.map((part) => part.map((ring) => smooth(ring, true))) };
    default:
      return geometry;
  }
}
