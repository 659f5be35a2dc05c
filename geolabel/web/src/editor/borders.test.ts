import { expect, test } from "vitest";
import type { Geometry, Position } from "../types";
import { insertOnEdge, insertShared, moveShared, removeShared, trace, verticesAt } from "./borders";
import { chains, edgeAt } from "./geometry";

type Labels = Map<number, Geometry>;
const of = (labels: Labels) => [...labels].map(([key, geometry]) => ({ key, content: { geometry } }));

/** A land-cover mosaic of `columns` x `rows` parcels; every fifth corner is bent away from the grid. */
function mosaic(columns: number, rows: number): Labels {
  const at = (i: number, j: number): Position => [
    24 + i * 1e-3 + ((i * 7 + j * 3) % 5) * 5e-5,
    60 + j * 7e-4 + ((i * 3 + j * 11) % 5) * 4e-5,
  ];
  const labels: Labels = new Map();
  for (let j = 0; j < rows; j += 1) {
    for (let i = 0; i < columns; i += 1) {
      const ring = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1), at(i, j)];
      labels.set(j * columns + i + 1, { type: "Polygon", coordinates: [ring] });
    }
  }
  return labels;
}

const rings = (labels: Labels) => [...labels.values()].flatMap((g) => chains(g).map((c) => c.vertices));
const name = ([x = 0, y = 0]: Position) => `${x},${y}`;

/** Edges of the mosaic that no neighbour has in the other direction: its outer border. */
function border(labels: Labels): string[] {
  const edges = new Set<string>();
  for (const ring of rings(labels)) {
    ring.forEach((a, i) => {
      const b = ring[(i + 1) % ring.length] ?? a;
      if (!edges.delete(`${name(b)} ${name(a)}`)) edges.add(`${name(a)} ${name(b)}`);
    });
  }
  return [...edges];
}

function area(ring: Position[]): number {
  const [x0 = 0, y0 = 0] = ring[0] ?? [];
  return ring.reduce((sum, [x1 = 0, y1 = 0], i) => {
    const [x2 = 0, y2 = 0] = ring[(i + 1) % ring.length] ?? [];
    return sum + ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2;
  }, 0);
}

function repeatable(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test("2,000 parcels, 1,000 shared vertices moved: no gap and no overlap", () => {
  const labels = mosaic(50, 40);
  expect(labels.size).toBe(2000);
  const outside = border(labels).length;
  const random = repeatable(41);
  let touched = 0;
  for (let n = 0; n < 1000; n += 1) {
    const all = [...labels.values()];
    const ring = (all[Math.floor(random() * all.length)] as GeoJSON.Polygon).coordinates[0] ?? [];
    const from = ring[Math.floor(random() * 4)] ?? [];
    const [x = 0, y = 0] = from;
    const to = [x + (random() - 0.5) * 1e-5, y + (random() - 0.5) * 1e-5];
    for (const [key, geometry] of moveShared(of(labels), from, to)) {
      labels.set(key, geometry);
      touched += 1;
    }
  }
  expect(touched).toBeGreaterThan(3500);
  // Every inner edge is there twice, once each way, with the very same doubles: nothing gapes, nothing overlaps.
  const left = border(labels);
  expect(left).toHaveLength(outside);
  // And so the parcels add up to what their outer border encloses.
  const parcels = rings(labels).map(area);
  expect(parcels.every((a) => a > 0)).toBe(true);
  const next = new Map(left.map((edge) => edge.split(" ") as [string, string]));
  const walked: Position[] = [];
  let here = [...next.keys()][0] ?? "";
  for (let i = 0; i < next.size; i += 1) {
    walked.push(here.split(",").map(Number));
    here = next.get(here) ?? "";
  }
  const whole = area(walked);
  expect(Math.abs(parcels.reduce((sum, a) => sum + a, 0) - whole)).toBeLessThan(1e-9 * whole);
});

test("a vertex is moved in each label that has it, all others keep their doubles", () => {
  const labels = mosaic(2, 2);
  const centre = (labels.get(1) as GeoJSON.Polygon).coordinates[0]?.[2] ?? [];
  const moved = moveShared(of(labels), centre, [24.0011, 60.0008]);
  expect([...moved.keys()]).toEqual([1, 2, 3, 4]);
  for (const [key, geometry] of moved) {
    const [before, after] = [labels.get(key), geometry].map(
      (g) => new Set(chains(g as Geometry)[0]?.vertices.map(name)),
    );
    expect([...(after ?? [])].filter((v) => !before?.has(v))).toEqual(["24.0011,60.0008"]);
  }
});

test("a vertex is put into a shared edge on both sides, and taken out again", () => {
  const labels = mosaic(2, 1);
  const edge = edgeAt(labels.get(1) as Geometry, [0, 2]);
  if (!edge) throw new Error("no edge");
  const at = [24.00105, 60.0004];
  const changed = insertShared(of(labels), edge, at);
  expect([...changed.keys()]).toEqual([1, 2]);
  for (const geometry of changed.values()) expect(verticesAt(geometry, at)).toHaveLength(1);
  expect(border(new Map([...labels, ...changed]))).toHaveLength(border(labels).length);
  const back = removeShared(of(new Map([...labels, ...changed])), at);
  expect([...back.values()]).toEqual([...labels.values()]);
});

test("a place on an edge becomes a vertex there, a place on a vertex nothing", () => {
  const square: Geometry = {
    type: "Polygon",
    coordinates: [
      [
        [0, 0],
        [2, 0],
        [2, 2],
        [0, 2],
        [0, 0],
      ],
    ],
  };
  expect(chains(insertOnEdge(square, [2, 1]))[0]?.vertices[2]).toEqual([2, 1]);
  expect(insertOnEdge(square, [2, 2])).toBe(square);
  expect(insertOnEdge(square, [1, 1])).toBe(square);
});

test("a border is traced the short way, or the long", () => {
  const ring: Geometry = {
    type: "Polygon",
    coordinates: [
      [
        [0, 0],
        [4, 0],
        [4, 1],
        [4, 2],
        [0, 2],
        [0, 0],
      ],
    ],
  };
  expect(trace(ring, [0], [4, 0], [4, 2], false)).toEqual([[4, 1]]);
  expect(trace(ring, [0], [4, 2], [4, 0], false)).toEqual([[4, 1]]);
  expect(trace(ring, [0], [4, 0], [4, 2], true)).toEqual([
    [0, 0],
    [0, 2],
  ]);
  expect(trace(ring, [0], [3, 0], [0, 1.5], false)).toEqual([[0, 0]]);
  expect(trace(ring, [0], [3, 1], [4, 2], false)).toBeNull();
  const line: Geometry = {
    type: "LineString",
    coordinates: [
      [0, 0],
      [1, 0],
      [2, 0],
    ],
  };
  expect(trace(line, [], [2, 0], [0, 0], true)).toEqual([[1, 0]]);
});
