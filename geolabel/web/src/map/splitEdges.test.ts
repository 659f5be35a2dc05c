import { expect, test } from "vitest";
import { splitEdges } from "./splitEdges";

const chip = (x: number, y: number, color: string | null): GeoJSON.Feature => ({
  type: "Feature",
  properties: { color },
  geometry: {
    type: "Polygon",
    coordinates: [
      [
        [x, y],
        [x + 1, y],
        [x + 1, y + 1],
        [x, y + 1],
        [x, y],
      ],
    ],
  },
});

test("two chips of a split have one border, and none between them", () => {
  const { features } = splitEdges({
    type: "FeatureCollection",
    features: [chip(0, 0, "#00f"), chip(1, 0, "#00f"), chip(2, 0, "#fc0"), chip(3, 0, null)],
  });
  expect(features.map((f) => f.properties.color)).toEqual(["#00f", "#fc0"]);
  const [blue, yellow] = features.map((f) => f.geometry.coordinates);
  expect(blue).toHaveLength(6);
  expect(blue?.some(([a, b]) => a?.[0] === 1 && b?.[0] === 1)).toBe(false);
  // The chips lie to the right: their southern edges run west.
  const south = blue?.filter(([a, b]) => a?.[1] === 0 && b?.[1] === 0);
  expect(south?.map(([a, b]) => (b?.[0] ?? 0) - (a?.[0] ?? 0))).toEqual([-1, -1]);
  // The border between two splits is of both.
  expect(yellow).toHaveLength(4);
});
