import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { chains } from "./geometry";
import { minus, toPlane } from "./plane";
import { middleOf, rotate, scale, smoothed, squared } from "./reshape";

const ring = (...corners: Position[]): Geometry => ({ type: "Polygon", coordinates: [[...corners, corners[0] ?? []]] });
const BOX = ring([10, 60], [10.004, 60], [10.004, 60.001], [10, 60.001]);
const plane = (geometry: Geometry) => chains(geometry).flatMap((c) => c.vertices.map(toPlane));

function corners(geometry: Geometry): number[] {
  const all = plane(geometry);
  return all.map((p, i) => {
    const [a, b] = [minus(all[(i + all.length - 1) % all.length] ?? p, p), minus(all[(i + 1) % all.length] ?? p, p)];
    return Math.abs((Math.atan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]) * 180) / Math.PI);
  });
}

test("turned four times by 90 degrees it is where it was; turned once its width is its height", () => {
  const about = middleOf([BOX]);
  let shape = BOX;
  for (let i = 0; i < 4; i += 1) shape = rotate(shape, about, 90);
  const [before, after] = [plane(BOX), plane(shape)];
  before.forEach(([x, y], i) => {
    expect(after[i]?.[0]).toBeCloseTo(x, 10);
    expect(after[i]?.[1]).toBeCloseTo(y, 10);
  });
  const [p, q] = plane(rotate(BOX, about, 90));
  expect(Math.abs((p?.[0] ?? 0) - (q?.[0] ?? 1))).toBeLessThan(1e-10);
  const east = rotate({ type: "Point", coordinates: [10.01, 60] }, [10, 60], 90) as GeoJSON.Point;
  expect(east.coordinates[1]).toBeLessThan(60); // clockwise: from east to south
});

test("scaled about its middle, heights kept", () => {
  const point: Geometry = {
    type: "LineString",
    coordinates: [
      [10, 60, 7],
      [10.002, 60, 8],
    ],
  };
  const double = scale(point, [10.001, 60], 2) as GeoJSON.LineString;
  expect(double.coordinates[0]?.[0]).toBeCloseTo(9.999, 9);
  expect(double.coordinates.map((p) => p[2])).toEqual([7, 8]);
});

test("corners that are nearly right become right, also turned and with a hole", () => {
  const skewed = ring([10, 60], [10.004, 60.00003], [10.0039, 60.00101], [10.00195, 60.001], [10.0001, 60.00102]);
  const hole: Position[] = [
    [10.001, 60.0003],
    [10.002, 60.00031],
    [10.002, 60.0006],
    [10.001, 60.00061],
    [10.001, 60.0003],
  ];
  const shape: Geometry = { type: "Polygon", coordinates: [(skewed as GeoJSON.Polygon).coordinates[0] ?? [], hole] };
  for (const degrees of [0, 17, 45, 80]) {
    const made = squared(rotate(shape, [10, 60], degrees));
    if (!made) throw new Error("not squared");
    const angles = chains(made).map((c) =>
      corners({ type: "Polygon", coordinates: [[...c.vertices, c.vertices[0] ?? []]] }),
    );
    for (const angle of angles.flat()) expect(Math.min(Math.abs(angle - 90), Math.abs(angle - 180))).toBeLessThan(1e-4);
  }
});

test("a cut corner stays cut; a circle has no corners to square", () => {
  const chamfered = ring([10, 60], [10.004, 60], [10.004, 60.001], [10.001, 60.001], [10, 60.0005]);
  const made = squared(chamfered);
  expect(made && corners(made).filter((a) => Math.abs(a - 90) < 1e-6)).toHaveLength(3);
  const round = Array.from(
    { length: 40 },
    (_, i): Position => [10 + Math.cos(i / 6.3662) / 100, Math.sin(i / 6.3662) / 100],
  );
  expect(squared(ring(...round))).toBeNull();
  expect(
    squared({
      type: "LineString",
      coordinates: [
        [0, 0],
        [1, 1],
      ],
    }),
  ).toBeNull();
});

test("smoothing cuts corners and keeps the ends of a line", () => {
  expect(chains(smoothed(BOX, 1))[0]?.vertices).toHaveLength(8);
  const line: Geometry = {
    type: "LineString",
    coordinates: [
      [0, 0],
      [1, 1],
      [2, 0],
    ],
  };
  const soft = smoothed(line) as GeoJSON.LineString;
  expect(soft.coordinates[0]).toEqual([0, 0]);
  expect(soft.coordinates.at(-1)).toEqual([2, 0]);
  expect(Math.max(...soft.coordinates.map((p) => p[1] ?? 0))).toBeLessThan(0.9);
});
