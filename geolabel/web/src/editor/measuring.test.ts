import { expect, test } from "vitest";
import type { Position } from "../types";
import { begin, canClose, type Draft, fix, isClosed, shapeOf } from "./draft";
import { measurement } from "./measuring";

const drawn = (...places: Position[]): Draft => places.reduce(fix, begin("measure"));
// A block of Kampala; the numbers are geodesic ones of pyproj's Geod (WGS 84).
const [A, B, C]: Position[] = [
  [32.5943, 0.3506],
  [32.5946, 0.3506],
  [32.5946, 0.3508],
];
const corner = drawn(A ?? [], B ?? [], C ?? []);

test("a path is as long as its edges, and says what it would enclose", () => {
  const found = measurement(corner);
  expect(found?.edges.map(({ metres }) => Number(metres.toFixed(3)))).toEqual([33.395, 22.115]);
  expect(found?.metres).toBeCloseTo(33.395 + 22.115, 2);
  expect(found?.m2).toBeCloseTo(369.265, 2);
  expect(found?.closed).toBe(false);
});

test("the pointer is the next place", () => {
  expect(measurement(drawn(A ?? []))).toBeNull();
  const found = measurement({ ...drawn(A ?? []), cursor: B ?? [] });
  expect(found?.metres).toBeCloseTo(33.395, 3);
  expect(found?.m2).toBeNull();
});

test("the first place again closes it: the length is the perimeter, the area stays", () => {
  expect(canClose(corner)).toBe(true);
  expect(canClose(drawn(A ?? [], B ?? []))).toBe(false);
  const closed = fix(corner, corner.fixed[0] ?? []);
  expect(isClosed(closed)).toBe(true);
  expect(isClosed(corner)).toBe(false);
  const found = measurement(closed);
  expect(found?.closed).toBe(true);
  expect(found?.m2).toBeCloseTo(measurement(corner)?.m2 ?? 0, 9);
  expect(found?.metres).toBeCloseTo(33.395 + 22.115 + 40.054, 2);
  expect(shapeOf(closed)?.type).toBe("LineString");
});

test("a traced border counts as it runs", () => {
  const draft: Draft = { ...drawn(A ?? []), way: [B ?? []], cursor: C ?? [] };
  expect(measurement(draft)?.metres).toBeCloseTo(33.395 + 22.115, 2);
});
