import { expect, describe as group, test } from "vitest";
import type { Geometry } from "../types";
import * as g from "./geometry";

const SQUARE = [
  [0, 0],
  [10, 0],
  [10, 10],
  [0, 10],
  [0, 0],
];
const HOLE = [
  [4, 4],
  [4, 6],
  [6, 6],
  [6, 4],
  [4, 4],
];
const WITH_HOLE: Geometry = { type: "Polygon", coordinates: [SQUARE, HOLE] };
const PARTS: Geometry = {
  type: "MultiPolygon",
  coordinates: [[SQUARE, HOLE], [SQUARE.map(([x = 0, y = 0]) => [x + 20, y, 7])]],
};
const LINES: Geometry = {
  type: "MultiLineString",
  coordinates: [
    [
      [0, 0],
      [1, 1],
    ],
    [
      [2, 2],
      [3, 3],
      [4, 4],
    ],
  ],
};

/** Doubles that nine decimals cannot hold. */
const FINE: Geometry = {
  type: "Polygon",
  coordinates: [
    [
      [32.59543270000001, 0.35032159999999996],
      [32.59571410000003, 0.35027249999999993],
      [32.59576720000007, 0.35031719999999994],
      [32.59543270000001, 0.35032159999999996],
    ],
  ],
};

group("chains", () => {
  test("holes and parts are found, the closing vertex is not one more", () => {
    expect(g.chains(WITH_HOLE).map((c) => [c.vertices.length, c.hole])).toEqual([
      [4, false],
      [4, true],
    ]);
    expect(g.chains(PARTS).map((c) => c.path)).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(g.vertices(PARTS)).toHaveLength(12);
  });

  test("a point is one vertex with an empty path", () => {
    expect(g.vertices({ type: "Point", coordinates: [1, 2] })).toEqual([{ path: [], position: [1, 2] }]);
  });

  test("midpoints lie on every edge, the closing one too, and none between points", () => {
    // In the middle of the edge as the map shows it: on the ground that is a little to the north.
    const places = g.midpoints({ type: "Polygon", coordinates: [SQUARE] }).map((m) => m.position);
    expect(places.map((at) => at.map((v) => Math.round(v * 1e4) / 1e4))).toEqual([
      [5, 0],
      [10, 5.0191],
      [5, 10],
      [0, 5.0191],
    ]);
    expect(g.midpoints(LINES)).toHaveLength(3);
    expect(g.midpoints({ type: "MultiPoint", coordinates: SQUARE })).toEqual([]);
  });
});

group("moveVertex", () => {
  test("every other vertex keeps its very doubles, and the ring stays closed", () => {
    const moved = g.moveVertex(FINE, [0, 0], [32.5, 0.35]);
    expect(moved).toEqual({
      type: "Polygon",
      coordinates: [[[32.5, 0.35], FINE.coordinates[0]?.[1], FINE.coordinates[0]?.[2], [32.5, 0.35]]],
    });
    expect((FINE.coordinates as number[][][])[0]?.[0]).toEqual([32.59543270000001, 0.35032159999999996]);
  });

  test("a vertex of a hole moves alone", () => {
    const moved = g.moveVertex(PARTS, [0, 1, 2], [7, 7]) as GeoJSON.MultiPolygon;
    expect(moved.coordinates[0]?.[1]?.[2]).toEqual([7, 7]);
    expect(moved.coordinates[0]?.[0]).toEqual(SQUARE);
    expect(moved.coordinates[1]).toBe((PARTS as GeoJSON.MultiPolygon).coordinates[1]);
  });

  test("a height stays", () => {
    const moved = g.moveVertex(PARTS, [1, 0, 1], [31, 1]) as GeoJSON.MultiPolygon;
    expect(moved.coordinates[1]?.[0]?.[1]).toEqual([31, 1, 7]);
  });

  test("points and lines", () => {
    expect(g.moveVertex({ type: "Point", coordinates: [1, 2] }, [], [3, 4])).toEqual({
      type: "Point",
      coordinates: [3, 4],
    });
    const line = g.moveVertex(LINES, [1, 0], [9, 9]) as GeoJSON.MultiLineString;
    expect(line.coordinates[1]?.[0]).toEqual([9, 9]);
    const points = g.moveVertex({ type: "MultiPoint", coordinates: SQUARE }, [1], [9, 9]) as GeoJSON.MultiPoint;
    expect(points.coordinates[1]).toEqual([9, 9]);
  });
});

group("insertVertex", () => {
  test("on the closing edge the ring stays closed", () => {
    const made = g.insertVertex({ type: "Polygon", coordinates: [SQUARE] }, [0, 4], [-1, 5]) as GeoJSON.Polygon;
    expect(made.coordinates[0]).toEqual([...SQUARE.slice(0, 4), [-1, 5], [0, 0]]);
  });

  test("the path of a midpoint is that of the vertex it becomes", () => {
    for (const { path, position } of g.midpoints(PARTS)) {
      const made = g.insertVertex(PARTS, path, position);
      const found = g.vertices(made).find((v) => g.samePath(v.path, path));
      expect(found?.position.slice(0, 2)).toEqual(position);
      expect(g.vertices(made)).toHaveLength(13);
    }
  });
});

group("removeVertex", () => {
  test("the first vertex goes and the ring closes on the next", () => {
    const made = g.removeVertex({ type: "Polygon", coordinates: [SQUARE] }, [0, 0]) as GeoJSON.Polygon;
    expect(made.coordinates[0]).toEqual([
      [10, 0],
      [10, 10],
      [0, 10],
      [10, 0],
    ]);
  });

  test("a hole with three vertices left goes as a whole", () => {
    const once = g.removeVertex(WITH_HOLE, [1, 0]);
    const twice = once && g.removeVertex(once, [1, 0]);
    expect(twice).toEqual({ type: "Polygon", coordinates: [SQUARE] });
  });

  test("so does a part, with its holes, but not the last one", () => {
    const triangle: Geometry = {
      type: "MultiPolygon",
      coordinates: [[[...SQUARE.slice(0, 3), [0, 0]], HOLE], [SQUARE]],
    };
    expect(g.removeVertex(triangle, [0, 0, 1])).toEqual({ type: "MultiPolygon", coordinates: [[SQUARE]] });
    expect(g.removeVertex(FINE, [0, 1])).toBeNull();
    expect(g.removeVertex({ type: "Point", coordinates: [0, 0] }, [])).toBeNull();
  });

  test("a line of two vertices goes; the other line stays", () => {
    const made = g.removeVertex(LINES, [0, 1]) as GeoJSON.MultiLineString;
    expect(made.coordinates).toEqual([LINES.type === "MultiLineString" ? LINES.coordinates[1] : null]);
  });
});

test("translate keeps the shape on the map, closed, holes and parts with it", () => {
  const made = g.translate(PARTS, [0, 0], [5, 1]) as GeoJSON.MultiPolygon;
  expect(made.coordinates[0]?.[1]?.[0]?.[0]).toBeCloseTo(9, 12);
  expect(made.coordinates[0]?.[0]?.[0]).toEqual(made.coordinates[0]?.[0]?.[4]);
  const back = g.translate(made, [5, 1], [0, 0]);
  g.vertices(back).forEach(({ position: [x, y] }, i) => {
    const [was] = [g.vertices(PARTS)[i]?.position];
    expect(x).toBeCloseTo(was?.[0] ?? 0, 9);
    expect(y).toBeCloseTo(was?.[1] ?? 0, 9);
  });
});

test("bounds, and boxes in boxes", () => {
  expect(g.boundsOf(PARTS)).toEqual([0, 0, 30, 10]);
  expect(g.unite([g.boundsOf(FINE), [0, 0, 1, 1]])).toEqual([0, 0, 32.59576720000007, 1]);
  expect(g.unite([])).toBeNull();
  expect(g.within([1, 1, 2, 2], [0, 0, 3, 3])).toBe(true);
  expect(g.within([1, 1, 4, 2], [0, 0, 3, 3])).toBe(false);
});

test("what the inspector says of a shape", () => {
  expect(g.describe(FINE)).toBe("3, 1 ring, no holes");
  expect(g.describe(WITH_HOLE)).toBe("8, 1 ring, 1 hole");
  expect(g.describe(PARTS)).toBe("12, 2 parts, 1 hole");
  expect(g.describe(LINES)).toBe("5, 2 parts");
});

test("a JSON pointer of the server leads to its vertex", () => {
  expect(g.positionAt(WITH_HOLE, "/geometry/coordinates/1/2")).toEqual([6, 6]);
  expect(g.positionAt({ type: "Point", coordinates: [1, 2] }, "/geometry/coordinates")).toEqual([1, 2]);
  expect(g.positionAt(WITH_HOLE, "/geometry/coordinates/5/2")).toBeNull();
  expect(g.positionAt(WITH_HOLE, "/properties/class")).toBeNull();
});

test("an outline that cancels itself out is drawn as a line, any other as it is", () => {
  const ring = (...coordinates: [number, number][]): Geometry => ({ type: "Polygon", coordinates: [coordinates] });
  const bow = ring([0, 0], [2, 2], [2, 0], [0, 2], [0, 0]);
  expect(g.drawable(bow)).toEqual({
    type: "MultiLineString",
    coordinates: (bow as { coordinates: unknown }).coordinates,
  });
  const sliver = ring([0, 0], [100, 100], [100, 100.01], [0, 0]);
  expect(g.drawable(sliver)).toBe(sliver);
});
