import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { verticesAt } from "./borders";
import { closeGap, type Surroundings, warningsOf } from "./warnings";

const box = (w: number, s: number, e: number, n: number): Geometry => ({
  type: "Polygon",
  coordinates: [
    [
      [w, s],
      [e, s],
      [e, n],
      [w, n],
      [w, s],
    ],
  ],
});
const PIXEL = 0.01;
const around = (neighbours: Geometry[], more: Partial<Surroundings> = {}): Surroundings => ({
  neighbours: neighbours.map((geometry, key) => ({ key, content: { geometry } })),
  gaps: true,
  scenes: [[-100, -100, 100, 100]],
  pixel: PIXEL,
  ...more,
});
const kinds = (shape: Geometry, surroundings: Surroundings) => warningsOf(shape, surroundings).map((w) => w.kind);

const FIELD = box(0, 0, 10, 10);

test("neighbours that share a border are fine, also when they drifted apart by a hair", () => {
  expect(kinds(FIELD, around([box(10, 0, 20, 10), box(10 + 1e-9, 0, 20, 10)]))).toEqual([]);
});

test("a neighbour that is lapped over is named, with a place on both", () => {
  const [found] = warningsOf(FIELD, around([box(50, 0, 60, 10), box(8, 2, 20, 12)]));
  expect(found).toMatchObject({ kind: "overlap", key: 1 });
  const [x = 0, y = 0] = found?.at ?? [];
  expect([x, y].every((v) => v >= 1.9 && v <= 10.1)).toBe(true);
});

test("outlines that meet at vertices only lap over, too", () => {
  const notched: Geometry = {
    type: "Polygon",
    coordinates: [
      [
        [10, 0],
        [20, 0],
        [20, 10],
        [10, 10],
        [5, 5],
        [10, 0],
      ],
    ],
  };
  expect(kinds(notched, around([FIELD]))).toEqual(["overlap"]);
});

test("a corner that was pulled along a neighbour's border laps over it", () => {
  const pulled: Geometry = {
    type: "Polygon",
    coordinates: [
      [
        [10, 0],
        [20, 0],
        [20, 10],
        [8, 10],
        [10, 0],
      ],
    ],
  };
  expect(kinds(pulled, around([FIELD]))).toEqual(["overlap"]);
});

test("a house in a yard does not lap over it", () => {
  expect(kinds(box(4, 4, 5, 5), around([FIELD]))).toEqual([]);
  expect(kinds(FIELD, around([box(4, 4, 5, 5)]))).toEqual([]);
});

test("a gap of a pixel is told and closed, one of ten is a distance", () => {
  const near = box(10.01, 2, 20, 8);
  expect(kinds(near, around([FIELD]))).toEqual(["gap"]);
  expect(kinds(near, around([FIELD], { gaps: false }))).toEqual([]);
  expect(kinds(box(10.1, 2, 20, 8), around([FIELD]))).toEqual([]);
  const { geometry, other } = closeGap(near, FIELD, PIXEL);
  expect(kinds(geometry, around([other]))).toEqual([]);
  for (const at of (geometry as GeoJSON.Polygon).coordinates[0]?.filter(([x]) => x === 10) ?? []) {
    expect(verticesAt(other, at as Position)).toHaveLength(1);
  }
});

test("outside the scene, and crossing itself", () => {
  expect(kinds(box(95, 0, 105, 10), around([]))).toEqual(["outside"]);
  expect(kinds(box(95, 0, 105, 10), around([], { scenes: [] }))).toEqual([]);
  const bow: Geometry = {
    type: "Polygon",
    coordinates: [
      [
        [0, 0],
        [1, 1],
        [1, 0],
        [0, 1],
        [0, 0],
      ],
    ],
  };
  expect(kinds(bow, around([]))).toEqual(["crosses"]);
});
