import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { filled, holesOf, insideShape, joined, partsOf } from "./parts";

const ring = (x: number, y: number, side: number): Position[] => [
  [x, y],
  [x + side, y],
  [x + side, y + side],
  [x, y + side],
  [x, y],
];
const FIELD: Geometry = { type: "Polygon", coordinates: [ring(0, 0, 10), ring(1, 1, 2), ring(6, 6, 1)] };
const FAR: Geometry = { type: "Polygon", coordinates: [ring(50, 50, 20)] };

test("parts are put together and taken apart, the largest first", () => {
  const both = joined([FIELD, FAR]);
  expect(both?.type).toBe("MultiPolygon");
  expect(both && partsOf(both)).toEqual([FAR, FIELD]);
  expect(joined([both as Geometry, FIELD])?.type).toBe("MultiPolygon");
  expect(partsOf(FIELD)).toEqual([FIELD]);
  expect(joined([{ type: "Point", coordinates: [0, 0] }, FIELD])).toBeNull();
  expect(joined([FIELD])).toBe(FIELD);
});

test("one hole or all are filled, outlines stay", () => {
  expect(holesOf(FIELD)).toEqual([[1], [2]]);
  expect(holesOf(filled(FIELD, [[1]]))).toHaveLength(1);
  expect(filled(FIELD)).toEqual({ type: "Polygon", coordinates: [ring(0, 0, 10)] });
  const both = joined([FAR, FIELD]) as Geometry;
  expect(holesOf(both)).toEqual([
    [1, 1],
    [1, 2],
  ]);
  expect(partsOf(filled(both))).toHaveLength(2);
});

test("inside a polygon, not in its holes", () => {
  expect(insideShape(FIELD, [5, 5])).toBe(true);
  expect(insideShape(FIELD, [2, 2])).toBe(false);
  expect(insideShape(FIELD, [11, 5])).toBe(false);
});
