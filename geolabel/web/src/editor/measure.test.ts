import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { groundArea, groundLength, pixelArea } from "./measure";

// The expected numbers are geodesic ones of pyproj's Geod (WGS 84).
const WITH_HOLE: Geometry = {
  type: "Polygon",
  coordinates: [
    [
      [32.5943, 0.3506],
      [32.5946, 0.3506],
      [32.5946, 0.3508],
      [32.5943, 0.3508],
      [32.5943, 0.3506],
    ],
    [
      [32.5944, 0.35065],
      [32.5944, 0.35075],
      [32.5945, 0.35075],
      [32.5945, 0.35065],
      [32.5944, 0.35065],
    ],
  ],
};
const NORTH: Geometry = {
  type: "Polygon",
  coordinates: [
    [
      [10, 60],
      [10.02, 60.003],
      [10.015, 60.01],
      [10.001, 60.008],
      [10, 60],
    ],
  ],
};
const LINE: Geometry = {
  type: "LineString",
  coordinates: [
    [-84.38, 33.74],
    [-84.37, 33.75],
    [-84.36, 33.74],
  ],
};

const off = (value: number | null, oracle: number) => Math.abs((value ?? 0) - oracle) / oracle;

test("area on the ellipsoid, the hole left out", () => {
  expect(off(groundArea(WITH_HOLE), 615.442384)).toBeLessThan(1e-6);
  expect(off(groundArea(NORTH), 823588.153945)).toBeLessThan(1e-4);
});

test("the area does not hang on which way the rings turn", () => {
  const turned = { ...WITH_HOLE, coordinates: (WITH_HOLE as GeoJSON.Polygon).coordinates.map((r) => [...r].reverse()) };
  expect(groundArea(turned as Geometry)).toBeCloseTo(groundArea(WITH_HOLE) ?? 0, 6);
});

test("length of a line, and of all rings", () => {
  expect(off(groundLength(LINE), 2890.579012)).toBeLessThan(1e-6);
  expect(off(groundLength(WITH_HOLE), 155.398526)).toBeLessThan(1e-6);
  expect(off(groundLength(NORTH), 3698.396437)).toBeLessThan(1e-6);
});

test("long edges are geodesics, also across the antimeridian", () => {
  const far = (from: Position, to: Position) => groundLength({ type: "LineString", coordinates: [from, to] });
  expect(off(far([10, 60], [12, 61]), 156496.16988268227)).toBeLessThan(1e-9);
  expect(off(far([-84.4, 33.7], [-74, 40.7]), 1205089.5452063605)).toBeLessThan(1e-9);
  expect(off(far([170, -10], [185, 20]), 3703100.9971715338)).toBeLessThan(1e-9);
  expect(off(far([0, 0], [0, 80]), 8885139.871936874)).toBeLessThan(1e-9);
  expect(far([0, 0], [360, 0])).toBeCloseTo(0, 3);
});

test("a line has no area, a point has neither", () => {
  expect(groundArea(LINE)).toBeNull();
  expect(groundLength({ type: "Point", coordinates: [0, 0] })).toBeNull();
});

test("a pixel of a sheared grid covers less than the product of its edges", () => {
  expect(pixelArea({ resolution: 2, transform: [2, 0, 500000, 0, -2, 6000000] })).toBeCloseTo(4, 12);
  expect(pixelArea({ resolution: 2, transform: [0, 2, 500000, 2, 0, 6000000] })).toBeCloseTo(4, 12);
  // Rows that go down at 30 degrees to the columns: a rhombus of half the area.
  const [a, b] = [Math.cos(Math.PI / 6), 0.5];
  expect(pixelArea({ resolution: 1, transform: [1, a, 0, 0, -b, 0] })).toBeCloseTo(0.5, 12);
  expect(pixelArea({ resolution: null, transform: [1, 0, 0, 0, -1, 0] })).toBeNull();
});
