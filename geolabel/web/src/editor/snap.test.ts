import { expect, test } from "vitest";
import type { Geometry } from "../types";
import { snapTo } from "./snap";

const square = (x: number, y: number): Geometry => ({
  type: "Polygon",
  coordinates: [
    [
      [x, y],
      [x + 1, y],
      [x + 1, y + 1],
      [x, y + 1],
      [x, y],
    ],
  ],
});
const LABELS = [
  { key: 1, content: { geometry: square(0, 60) } },
  { key: 2, content: { geometry: square(3, 60) } },
];

test("a vertex goes before an edge that is nearer", () => {
  expect(snapTo(LABELS, [0.08, 60.001], 0.1)).toEqual({ key: 1, kind: "vertex", position: [0, 60], chain: [0] });
});

test("an edge gives the place on it that is nearest", () => {
  const found = snapTo(LABELS, [1.05, 60.5], 0.1);
  expect(found).toMatchObject({ key: 1, kind: "edge" });
  expect(found?.position[0]).toBeCloseTo(1, 12);
  expect(found?.position[1]).toBeCloseTo(60.5, 9);
});

test("nothing out of reach, and nothing in the middle of a label", () => {
  expect(snapTo(LABELS, [0.5, 60.5], 0.1)).toBeNull();
  expect(snapTo(LABELS, [2, 60], 0.1)).toBeNull();
  expect(snapTo([], [0, 60], 0.1)).toBeNull();
});

test("the nearest label wins", () => {
  expect(snapTo(LABELS, [2.95, 60.02], 5)?.key).toBe(2);
});
