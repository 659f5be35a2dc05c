import { describe, expect, it } from "vitest";
import { between, gridOver } from "./places";
import type { Bounds, Position } from "./types";

const BOX: Bounds = [32.59, 0.35, 32.6, 0.36];
const R = 6378137;
const mercator = ([lon = 0, lat = 0]: Position): Position => [
  (R * lon * Math.PI) / 180,
  R * Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)),
];

describe("places between the points of a grid", () => {
  it("are right to a micrometre in a view of a kilometre", () => {
    const values = gridOver(BOX).map(mercator);
    for (const at of [
      [32.5931, 0.3567],
      [32.59, 0.35],
      [32.6, 0.36],
      [32.5999, 0.3501],
    ] as Position[]) {
      const [x = 0, y = 0] = between(values, BOX, at) ?? [];
      const [rx = 0, ry = 0] = mercator(at);
      expect(Math.hypot(x - rx, y - ry)).toBeLessThan(1e-6);
    }
  });

  it("are right to a centimetre in a view of a hundred kilometres", () => {
    const box: Bounds = [32, 50, 33, 51];
    const values = gridOver(box).map(mercator);
    const [x = 0, y = 0] = between(values, box, [32.37, 50.61]) ?? [];
    const [rx = 0, ry = 0] = mercator([32.37, 50.61]);
    expect(Math.hypot(x - rx, y - ry)).toBeLessThan(0.01);
  });

  it("are none outside the box, nor where the CRS has none", () => {
    const values = gridOver(BOX).map(mercator);
    expect(between(values, BOX, [33, 0.355])).toBeNull();
    expect(between([...values.slice(1), null], BOX, [32.595, 0.355])).toBeNull();
  });
});
