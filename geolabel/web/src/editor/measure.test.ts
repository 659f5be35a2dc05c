import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { groundArea, groundLength } from "./measure";

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
