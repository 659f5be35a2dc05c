import { describe, expect, it } from "vitest";
import { atPositions, positionsOf, targets } from "./goto";
import type { Geometry } from "./types";

const shape = (text: string) => targets(text).map((t) => (t.kind === "shape" ? [t.geometry, t.crs] : t.id));
const at = (x: number, y: number) => ({ type: "Point", coordinates: [x, y] });

describe("what can be gone to", () => {
  it("is a label by its number", () => {
    expect(shape("#1101")).toEqual([1101]);
    expect(shape(" 7 ")).toEqual([7]);
  });

  it("is a place in the ways in which people write one", () => {
    expect(shape("0.350523° N 32.594490° E")).toEqual([[at(32.59449, 0.350523), null]]);
    expect(shape("33.5S, 70.6W")).toEqual([[at(-70.6, -33.5), null]]);
    expect(shape("70.6 W 33.5 S")).toEqual([[at(-70.6, -33.5), null]]);
    // Two bare numbers: latitude first, then longitude first, then the project's own.
    expect(shape("0.35, 32.59")).toEqual([
      [at(32.59, 0.35), null],
      [at(0.35, 32.59), null],
      [at(0.35, 32.59), "project"],
    ]);
    expect(shape("483000 5427000.5")).toEqual([[at(483000, 5427000.5), "project"]]);
    expect(shape("epsg:3857 3628402.06 39020.26")).toEqual([[at(3628402.06, 39020.26), "EPSG:3857"]]);
  });

  it("is a shape as WKT", () => {
    expect(shape("POINT (32.59 0.35)")).toEqual([[at(32.59, 0.35), null]]);
    expect(shape("SRID=32636;POINT Z (452000 38000 1100)")).toEqual([[at(452000, 38000), "EPSG:32636"]]);
    const ring = [
      [0, 0],
      [4, 0],
      [4, 4],
      [0, 0],
    ];
    expect(shape("POLYGON((0 0, 4 0, 4 4, 0 0),(1 1,2 1,2 2,1 1))")).toEqual([
      [
        {
          type: "Polygon",
          coordinates: [
            ring,
            [
              [1, 1],
              [2, 1],
              [2, 2],
              [1, 1],
            ],
          ],
        },
        null,
      ],
    ]);
    expect(shape("linestring (0 0, 1e1 2.5)")).toEqual([
      [
        {
          type: "LineString",
          coordinates: [
            [0, 0],
            [10, 2.5],
          ],
        },
        null,
      ],
    ]);
    expect(shape("MULTIPOLYGON (((0 0,4 0,4 4,0 0)))")).toEqual([
      [{ type: "MultiPolygon", coordinates: [[ring]] }, null],
    ]);
    expect(shape("MULTIPOINT ((1 2), (3 4))")).toEqual([
      [
        {
          type: "MultiPoint",
          coordinates: [
            [1, 2],
            [3, 4],
          ],
        },
        null,
      ],
    ]);
    expect(shape("MULTIPOINT (1 2, 3 4)")).toEqual([
      [
        {
          type: "MultiPoint",
          coordinates: [
            [1, 2],
            [3, 4],
          ],
        },
        null,
      ],
    ]);
  });

  it("is nothing else", () => {
    for (const text of ["", "here", "POLYGON (0 0, 1 1)", "POINT (a b)", "95 N 200 E N", "CIRCLE (1 2)", "1,2,3"]) {
      expect(targets(text)).toEqual([]);
    }
  });

  it("keeps its shape in another CRS", () => {
    const [target] = targets("POLYGON((0 0, 4 0, 4 4, 0 0))");
    const geometry = target?.kind === "shape" ? target.geometry : (at(0, 0) as Geometry);
    const moved = positionsOf(geometry).map(([x = 0, y = 0]) => [x + 10, y]);
    expect(atPositions(geometry, moved)).toEqual({
      type: "Polygon",
      coordinates: [
        [
          [10, 0],
          [14, 0],
          [14, 4],
          [10, 0],
        ],
      ],
    });
  });
});
