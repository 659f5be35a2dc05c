/** A shape in the making: which places were fixed, where the pointer is, and what comes of them. */
import type { Geometry, GeometryKind, Position } from "../types";
import { along, between, cross, fromPlane, minus, plus, size, times, toPlane, type XY } from "./plane";

/** Tools that draw new labels. */
export type Drawing = "polygon" | "rectangle" | "angled" | "circle" | "freehand" | "line" | "point";
/** Tools that draw and make no label: they cut labels, select them, or measure the ground. */
export type Pen = Drawing | "split" | "hole" | "lasso" | "measure";
export type Tool = "select" | Pen;

/** What kind of shape a tool makes. */
export const KIND_OF: Record<Drawing, GeometryKind> = {
  polygon: "polygon",
  rectangle: "polygon",
  angled: "polygon",
  circle: "polygon",
  freehand: "polygon",
  line: "line",
  point: "point",
};

export const isDrawing = (tool: Tool): tool is Drawing => tool in KIND_OF;

interface Plan {
  /** How many places it takes, at least and at most. */
  least: number;
  most: number;
  closed: boolean;
  /** Drawn in one stroke of the pointer. */
  stroke: boolean;
  /** A line that the first place again makes a ring. */
  closable?: boolean;
}

const many = Number.POSITIVE_INFINITY;
export const PLANS: Record<Pen, Plan> = {
  polygon: { least: 3, most: many, closed: true, stroke: false },
  hole: { least: 3, most: many, closed: true, stroke: false },
  rectangle: { least: 2, most: 2, closed: true, stroke: false },
  angled: { least: 3, most: 3, closed: true, stroke: false },
  circle: { least: 2, most: 2, closed: true, stroke: false },
  freehand: { least: 3, most: many, closed: true, stroke: true },
  lasso: { least: 3, most: many, closed: true, stroke: true },
  line: { least: 2, most: many, closed: false, stroke: false },
  split: { least: 2, most: many, closed: false, stroke: false },
  measure: { least: 2, most: many, closed: false, stroke: false, closable: true },
  point: { least: 1, most: 1, closed: false, stroke: false },
};

export interface Draft {
  readonly tool: Pen;
  /** The places that were fixed. */
  readonly fixed: readonly Position[];
  /** What lies between the last one and the cursor when a border is traced. */
  readonly way: readonly Position[];
  /** Where the next one would go. */
  readonly cursor: Position | null;
  /** Taken back, the last one first. */
  readonly undone: readonly (readonly Position[])[];
}

export const begin = (tool: Pen): Draft => ({ tool, fixed: [], way: [], cursor: null, undone: [] });

/** Fix a place, with what was traced on the way to it. */
export function fix(draft: Draft, at: Position): Draft {
  return { ...draft, fixed: [...draft.fixed, ...draft.way, at], way: [], cursor: null, undone: [] };
}

/** Would the first place again close it? */
export const canClose = ({ tool, fixed }: Draft): boolean => PLANS[tool].closable === true && fixed.length >= 3;

/** Was it closed by its first place? */
export const isClosed = ({ tool, fixed }: Draft): boolean =>
  PLANS[tool].closable === true && fixed.length > 3 && fixed[0] === fixed.at(-1);

/** Are there as many places as the tool takes? */
export const full = (draft: Draft): boolean => draft.fixed.length >= PLANS[draft.tool].most;

export function back(draft: Draft): Draft {
  return {
    ...draft,
    fixed: draft.fixed.slice(0, -1),
    way: [],
    undone: [...draft.undone, draft.fixed.slice(-1)],
  };
}

export function forward(draft: Draft): Draft {
  const last = draft.undone.at(-1);
  return last ? { ...draft, fixed: [...draft.fixed, ...last], undone: draft.undone.slice(0, -1) } : draft;
}

/** The vertices of what a draft would be if the cursor were fixed; without the closing one. */
export function outline({ tool, fixed, way, cursor }: Draft): Position[] {
  return cornersOf(tool, cursor ? [...fixed, ...way, cursor] : [...fixed]);
}

/** What the places that are fixed make; null while there are too few. */
export function shapeOf({ tool, fixed }: Draft): Geometry | null {
  const { least, closed } = PLANS[tool];
  if (fixed.length < least) return null;
  const corners = cornersOf(tool, fixed);
  const [first] = corners;
  if (!first) return null;
  if (tool === "point") return { type: "Point", coordinates: first };
  if (!closed) return { type: "LineString", coordinates: corners };
  return { type: "Polygon", coordinates: [[...corners, first]] };
}

const CIRCLE = 64;

function cornersOf(tool: Pen, places: readonly Position[]): Position[] {
  const [a, b, c] = places.map(toPlane);
  if (tool === "rectangle" && a && b) return ring([a, [b[0], a[1]], b, [a[0], b[1]]]);
  if (tool === "circle" && a && b) {
    const radius = size(minus(b, a));
    const start = Math.atan2(b[1] - a[1], b[0] - a[0]);
    return ring(
      Array.from({ length: CIRCLE }, (_, i) => {
        const angle = start + (2 * Math.PI * i) / CIRCLE;
        return plus(a, [radius * Math.cos(angle), radius * Math.sin(angle)]);
      }),
    );
  }
  if (tool === "angled" && a && b && c) {
    const edge = minus(b, a);
    const length = size(edge);
    const side = times([-edge[1], edge[0]], length === 0 ? 0 : cross(edge, minus(c, a)) / length ** 2);
    return [...places.slice(0, 2), ...ring([plus(b, side), plus(a, side)])];
  }
  return [...places];
}

const ring = (all: XY[]): Position[] => all.map((at) => fromPlane(at));

/** Where a place goes while Shift is held: in steps of 45 degrees from the last one; a rectangle becomes a square. */
export function constrained({ tool, fixed }: Draft, at: Position): Position {
  const last = fixed.at(-1);
  if (!last || tool === "circle" || (tool === "angled" && fixed.length > 1)) return at;
  const from = toPlane(last);
  const step = minus(toPlane(at), from);
  if (tool === "rectangle") {
    const side = Math.max(Math.abs(step[0]), Math.abs(step[1]));
    return fromPlane(plus(from, [side * (Math.sign(step[0]) || 1), side * (Math.sign(step[1]) || 1)]));
  }
  const angle = (Math.round(Math.atan2(step[1], step[0]) / (Math.PI / 4)) * Math.PI) / 4;
  const way: XY = [Math.cos(angle), Math.sin(angle)];
  return fromPlane(plus(from, times(way, step[0] * way[0] + step[1] * way[1])));
}

/** A stroke without the places that matter less than a tolerance, in degrees of the plane (Douglas and Peucker 1973). */
export function thinned(places: readonly Position[], tolerance: number): Position[] {
  const plane = places.map(toPlane);
  const keep = new Set([0, places.length - 1]);
  const spans: [number, number][] = [[0, places.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [first, last] = span;
    const [a, b]: [XY, XY] = [plane[first] ?? [0, 0], plane[last] ?? [0, 0]];
    let [far, most] = [-1, tolerance];
    for (let i = first + 1; i < last; i += 1) {
      const p: XY = plane[i] ?? [0, 0];
      const away = size(minus(p, between(a, b, along(p, a, b))));
      if (away > most) [far, most] = [i, away];
    }
    if (far < 0) continue;
    keep.add(far);
    spans.push([first, far], [far, last]);
  }
  return places.filter((_, i) => keep.has(i));
}
