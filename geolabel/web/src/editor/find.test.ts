import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { labelsAt } from "./find";

const square = (x: number, y: number, side: number): Position[] => [
  [x, y],
  [x + side, y],
  [x + side, y + side],
  [x, y + side],
  [x, y],
];
const label = (key: number, geometry: Geometry) => ({ key, content: { geometry } });

const FIELD = label(1, { type: "Polygon", coordinates: [square(0, 0, 100), square(40, 40, 20).reverse()] });
const HOUSE = label(2, { type: "Polygon", coordinates: [square(10, 10, 10)] });
const ROAD = label(3, {
  type: "LineString",
  coordinates: [
    [0, 80],
    [200, 80],
  ],
});
const WELL = label(4, { type: "Point", coordinates: [15, 15] });
const PARTS = label(5, { type: "MultiPolygon", coordinates: [[square(300, 0, 10)], [square(320, 0, 10)]] });
const ALL = [FIELD, HOUSE, ROAD, WELL, PARTS];
const at = (x: number, y: number) => labelsAt(ALL, [x, y], { x: 1, y: 1 });

test("the small lie above the large, lines and points above both", () => {
  expect(at(15, 15)).toEqual([4, 2, 1]);
  expect(at(70, 82)).toEqual([3, 1]);
  expect(at(70, 30)).toEqual([1]);
});

test("a hole is not the polygon, its edge is", () => {
  expect(at(50, 50)).toEqual([]);
  expect(at(42, 50)).toEqual([1]);
});

test("each part, and nothing between them", () => {
  expect(at(305, 5)).toEqual([5]);
  expect(at(325, 5)).toEqual([5]);
  expect(at(315, 5)).toEqual([]);
});

test("an edge is in reach by screen pixels, not by degrees", () => {
  expect(at(-3, 50)).toEqual([1]);
  expect(at(-5, 50)).toEqual([]);
  expect(labelsAt(ALL, [-3, 50], { x: 10, y: 10 })).toEqual([]);
});
