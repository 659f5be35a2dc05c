import { expect, test } from "vitest";
import type { Position } from "../types";
import { back, begin, constrained, type Draft, fix, forward, full, outline, type Pen, shapeOf, thinned } from "./draft";
import { minus, size, toPlane } from "./plane";

const drawn = (tool: Pen, ...places: Position[]): Draft => places.reduce(fix, begin(tool));
const close = (one: Position, other: Position) => size(minus(toPlane(one), toPlane(other))) < 1e-9;

test("a polygon is its places, closed; a line is not", () => {
  const places = [
    [10, 50],
    [11, 50],
    [11, 51],
  ];
  expect(shapeOf(drawn("polygon", ...places))).toEqual({ type: "Polygon", coordinates: [[...places, places[0]]] });
  expect(shapeOf(drawn("line", ...places))).toEqual({ type: "LineString", coordinates: places });
  expect(shapeOf(drawn("polygon", ...places.slice(1)))).toBeNull();
  expect(shapeOf(drawn("point", [10, 50]))).toEqual({ type: "Point", coordinates: [10, 50] });
});

test("the cursor belongs to the outline, not to the shape", () => {
  const draft = { ...drawn("polygon", [0, 0], [1, 0], [1, 1]), cursor: [0, 1] };
  expect(outline(draft)).toHaveLength(4);
  expect((shapeOf(draft) as GeoJSON.Polygon).coordinates[0]).toHaveLength(4);
});

test("a rectangle takes two corners, an angled one three places", () => {
  const flat = drawn("rectangle", [0, 0], [2, 1]);
  expect(full(flat)).toBe(true);
  expect(outline(flat).map(([x = 0, y = 0]) => [x, Math.round(y * 1e9) / 1e9])).toEqual([
    [0, 0],
    [2, 0],
    [2, 1],
    [0, 1],
  ]);
  const corners = outline(drawn("angled", [0, 60], [1, 60.5], [0.4, 61])).map(toPlane);
  const edges = corners.map((corner, i) => minus(corners[(i + 1) % 4] ?? corner, corner));
  for (const [i, edge] of edges.entries()) {
    const next = edges[(i + 1) % 4] ?? edge;
    expect(Math.abs(edge[0] * next[0] + edge[1] * next[1])).toBeLessThan(1e-12);
  }
});

test("a circle is as far from its centre all round", () => {
  const corners = outline(drawn("circle", [25, 60], [25.01, 60]));
  expect(corners).toHaveLength(64);
  for (const corner of corners) expect(size(minus(toPlane(corner), toPlane([25, 60])))).toBeCloseTo(0.01, 9);
});

test("places are taken back and put back", () => {
  const draft = drawn("line", [0, 0], [1, 0], [2, 0]);
  expect(back(back(draft)).fixed).toHaveLength(1);
  expect(forward(forward(back(back(draft)))).fixed).toEqual(draft.fixed);
  expect(forward(fix(back(draft), [5, 5])).fixed).toHaveLength(3);
});

test("what was traced is fixed with the place it led to", () => {
  const draft = { ...drawn("polygon", [0, 0]), way: [[1, 1]] };
  expect(fix(draft, [2, 0]).fixed).toEqual([
    [0, 0],
    [1, 1],
    [2, 0],
  ]);
});

test("Shift draws in steps of 45 degrees, and squares", () => {
  const east = constrained(drawn("polygon", [10, 0]), [11, 0.1]);
  expect(close(east, [11, 0])).toBe(true);
  const diagonal = toPlane(constrained(drawn("line", [10, 0]), [11, 0.9]));
  expect(diagonal[0] - 10).toBeCloseTo(diagonal[1], 9);
  const corner = toPlane(constrained(drawn("rectangle", [10, 0]), [12, -1]));
  expect([corner[0] - 10, corner[1]].map((v) => Math.round(v * 1e9) / 1e9)).toEqual([2, -2]);
});

test("a stroke is thinned, its corners stay", () => {
  const side = (i: number): Position => (i <= 50 ? [i / 50, 0] : [1, (i - 50) / 50]);
  const stroke = Array.from({ length: 101 }, (_, i) => side(i));
  expect(thinned(stroke, 1e-4)).toEqual([
    [0, 0],
    [1, 0],
    [1, 1],
  ]);
});
