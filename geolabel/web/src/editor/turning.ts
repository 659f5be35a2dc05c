/** Turning, scaling and moving a selection: by a drag about its middle, or by steps of the arrow keys. */
import type { Geometry, Position } from "../types";
import { translate } from "./geometry";
import { fromPlane, minus, plus, size, toPlane } from "./plane";
import { rotate, scale } from "./reshape";

export interface Turn {
  kind: "rotate" | "scale" | "move";
  /** The middle of the selection. */
  about: Position;
}

/** Degrees of a turn while Shift is held. */
const STEP = 15;

type Shapes = ReadonlyMap<number, Geometry>;

const each = (shapes: Shapes, change: (geometry: Geometry) => Geometry): Shapes =>
  new Map([...shapes].map(([key, geometry]) => [key, change(geometry)]));

/** What a drag from one place to another makes. */
export function turned({ kind, about }: Turn, shapes: Shapes, from: Position, to: Position, steps: boolean): Shapes {
  if (kind === "move") return each(shapes, (geometry) => translate(geometry, from, to));
  const [a, b] = [minus(toPlane(from), toPlane(about)), minus(toPlane(to), toPlane(about))];
  if (kind === "scale") {
    const factor = size(a) === 0 ? 1 : Math.max(size(b) / size(a), 1e-3);
    return each(shapes, (geometry) => scale(geometry, about, factor));
  }
  const angle = ((Math.atan2(a[1], a[0]) - Math.atan2(b[1], b[0])) * 180) / Math.PI;
  return each(shapes, (geometry) => rotate(geometry, about, steps ? Math.round(angle / STEP) * STEP : angle));
}

/** How far arrow keys have turned a selection: degrees, percent, or steps to the right and up. */
export interface Nudge {
  x: number;
  y: number;
}

/** @param pixel side of a screen pixel in degrees of the plane. */
export function nudged({ kind, about }: Turn, shapes: Shapes, { x, y }: Nudge, pixel: number): Shapes {
  if (kind === "rotate") return each(shapes, (geometry) => rotate(geometry, about, x - y));
  if (kind === "scale") return each(shapes, (geometry) => scale(geometry, about, 1.01 ** (x + y)));
  const to = fromPlane(plus(toPlane(about), [x * pixel, y * pixel]));
  return each(shapes, (geometry) => translate(geometry, about, to));
}
