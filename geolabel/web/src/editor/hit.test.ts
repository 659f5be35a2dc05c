import { expect, test } from "vitest";
import type { Geometry } from "../types";
import { handleAt } from "./hit";

const LINE: Geometry = {
  type: "LineString",
  coordinates: [
    [0, 0],
    [100, 0],
    [110, 0],
  ],
};
const screen = ([x = 0, y = 0]: number[]) => ({ x, y });

test("a vertex in reach is found, the nearest one", () => {
  expect(handleAt(LINE, 104, 1, screen)).toMatchObject({ kind: "vertex", path: [1] });
  expect(handleAt(LINE, 107, 0, screen)).toMatchObject({ kind: "vertex", path: [2] });
});

test("a midpoint is found, but a vertex goes before it", () => {
  expect(handleAt(LINE, 51, 3, screen)).toMatchObject({ kind: "midpoint", path: [1], position: [50, 0] });
  expect(handleAt(LINE, 105, 0, screen)).toMatchObject({ kind: "vertex" });
});

test("an edge too short for three handles has none in its middle", () => {
  const short: Geometry = {
    type: "LineString",
    coordinates: [
      [0, 0],
      [20, 0],
    ],
  };
  expect(handleAt(short, 10, 0, screen)).toBeNull();
});

test("nothing is found past the reach", () => {
  expect(handleAt(LINE, 30, 0, screen)).toBeNull();
});
