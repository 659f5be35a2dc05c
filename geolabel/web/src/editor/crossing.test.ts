import { expect, test } from "vitest";
import type { Position } from "../types";
import { crossing } from "./crossing";

const polygon = (...rings: Position[][]) => ({
  type: "Polygon" as const,
  coordinates: rings.map((ring) => [...ring, ring[0] ?? []]),
});

const SQUARE = [
  [0, 0],
  [10, 0],
  [10, 10],
  [0, 10],
];
const BOW = [
  [0, 0],
  [10, 10],
  [10, 0],
  [0, 10],
];

test("a bow tie crosses in its middle", () => {
  expect(crossing(polygon(BOW))).toEqual([5, 5]);
  expect(
    crossing({ type: "MultiPolygon", coordinates: [polygon(SQUARE).coordinates, polygon(BOW).coordinates] }),
  ).toEqual([5, 5]);
});

test("a hole is looked at too", () => {
  expect(
    crossing(
      polygon(
        [
          [-9, -9],
          [19, -9],
          [19, 19],
          [-9, 19],
        ],
        BOW,
      ),
    ),
  ).toEqual([5, 5]);
});

test("plain shapes do not cross, concave ones neither", () => {
  expect(crossing(polygon(SQUARE))).toBeNull();
  expect(
    crossing(
      polygon([
        [0, 0],
        [10, 0],
        [5, 2],
        [10, 10],
        [0, 10],
      ]),
    ),
  ).toBeNull();
  const star = Array.from({ length: 40 }, (_, i) => {
    const r = i % 2 ? 1 : 3;
    return [r * Math.cos((i * Math.PI) / 20), r * Math.sin((i * Math.PI) / 20)];
  });
  expect(crossing(polygon(star))).toBeNull();
});

test("lines may cross themselves", () => {
  expect(crossing({ type: "LineString", coordinates: BOW })).toBeNull();
});
