import { expect, test, vi } from "vitest";
import { boundsOf } from "../editor/geometry";
import type { Bounds, LabelFeature } from "../types";
import { Labels } from "./labels";
import { LabelLoader } from "./loader";

const feature = (id: number, x = 0): LabelFeature =>
  ({
    type: "Feature",
    id,
    geometry: { type: "Point", coordinates: [x, 0] },
    properties: { class: "water", note: null, version: 1 },
  }) as unknown as LabelFeature;

const page = (features: LabelFeature[], numberMatched: number, more = false) => ({
  features,
  numberMatched,
  links: more ? [{ rel: "next", href: "" }] : [],
});

const VIEW: Bounds = [0, 0, 1, 1];

test("reads page after page, then a pan inside asks for nothing", async () => {
  const ask = vi
    .fn()
    .mockResolvedValueOnce(page([feature(1), feature(2)], 3, true))
    .mockResolvedValueOnce(page([feature(9)], 3));
  const labels = new Labels();
  const loader = new LabelLoader({ page: ask }, labels);
  expect(await loader.view(VIEW)).toEqual({ matched: 3, whole: true });
  expect(ask.mock.calls.map((call) => call[1])).toEqual([0, 2]);
  expect(labels.all().map((label) => label.key)).toEqual([1, 2, 9]);
  expect(await loader.view([0.1, 0.1, 1.1, 1.1])).toBeNull();
  expect(ask).toHaveBeenCalledTimes(2);
});

test("asks again for another place, and drops what is gone from there", async () => {
  const ask = vi
    .fn()
    .mockResolvedValueOnce(page([feature(1), feature(2)], 2))
    .mockResolvedValueOnce(page([feature(2)], 1));
  const labels = new Labels();
  const loader = new LabelLoader({ page: ask }, labels);
  await loader.view([-1, -1, 1, 1]);
  await loader.view([-3, -3, 3, 3]);
  expect(labels.all().map((label) => label.key)).toEqual([2]);
});

test("a box past the ends of the Earth is cut", async () => {
  const ask = vi.fn().mockResolvedValue(page([], 0));
  await new LabelLoader({ page: ask }, new Labels()).view([-400, -100, 400, 100]);
  expect(ask.mock.calls[0]?.[0]).toEqual([-180, -90, 180, 90]);
});

test("a failure is told, and the next view tries again", async () => {
  const ask = vi.fn().mockRejectedValueOnce(new Error("no")).mockResolvedValue(page([], 0));
  const loader = new LabelLoader({ page: ask }, new Labels());
  await expect(loader.view(VIEW)).rejects.toThrow("no");
  expect(await loader.view(VIEW)).toEqual({ matched: 0, whole: true });
});

test("a label saved while the server was being asked stays, though the answer does not know it", async () => {
  let answer = (_: unknown) => {};
  const ask = vi.fn().mockReturnValue(
    new Promise((resolve) => {
      answer = resolve;
    }),
  );
  const labels = new Labels();
  const loading = new LabelLoader({ page: ask }, labels).view(VIEW);
  labels.adopt([{ key: -1, id: 7, version: 1, feature: feature(7, 0.5), sent: null }]);
  answer(page([], 0));
  await loading;
  expect(labels.all().map((label) => label.id)).toEqual([7]);
});

test("across the antimeridian: one box, and shapes in one piece beside each other", async () => {
  const torn = {
    ...feature(2),
    geometry: {
      type: "Polygon",
      coordinates: [
        [
          [179, 0],
          [-179, 0],
          [-179, 1],
          [179, 0],
        ],
      ],
    },
  } as LabelFeature;
  const ask = vi.fn().mockResolvedValue(page([feature(1, -179), torn], 2));
  const labels = new Labels(180);
  await new LabelLoader({ page: ask }, labels).view([-182, -1, -178, 1]);
  const [west = 0, , east = 0] = ask.mock.calls[0]?.[0] ?? [];
  expect(west).toBeCloseTo(176.8);
  expect(east).toBeCloseTo(-176.8);
  const [point, polygon] = labels.all().map((label) => label.content.geometry);
  expect(point).toEqual({ type: "Point", coordinates: [181, 0] });
  expect(polygon && boundsOf(polygon)).toEqual([179, 0, 181, 1]);
});
