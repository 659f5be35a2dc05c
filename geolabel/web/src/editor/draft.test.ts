import { expect, test } from "vitest";
import { draftOf } from "./draft";

test("a polygon's last vertex follows the pointer", () => {
  const ring = [
    [0, 0],
    [1, 0],
    [5, 5],
    [0, 0],
  ];
  expect(draftOf("polygon", { type: "Polygon", coordinates: [ring] }, 2)).toEqual({
    tool: "polygon",
    fixed: ring.slice(0, 2),
    cursor: [5, 5],
    closed: true,
  });
});

test("a pointer that rests on the last vertex is no vertex", () => {
  const line = [
    [0, 0],
    [1, 0],
    [1, 0],
  ];
  expect(draftOf("line", { type: "LineString", coordinates: line }, 2)).toMatchObject({ cursor: null, closed: false });
});

test("a rectangle is whole from its first corner", () => {
  const ring = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
    [0, 0],
  ];
  expect(draftOf("rectangle", { type: "Polygon", coordinates: [ring] }, undefined)?.fixed).toHaveLength(4);
});
