import { expect, test } from "vitest";
import { type Drawn, fillOpacity, nextDrawn } from "./drawn";

test("one key leads from both to the outline, to the fill, and back", () => {
  const seen: Drawn[] = ["both"];
  for (let i = 0; i < 3; i++) seen.push(nextDrawn(seen.at(-1) ?? "both"));
  expect(seen).toEqual(["both", "outline", "fill", "both"]);
});

test("the fill is as the slider says, stronger under the pointer, and less where labels are faint", () => {
  const { plain, hover } = fillOpacity(40, 50, "both");
  expect(plain).toBeCloseTo(0.2);
  expect(hover).toBeCloseTo(0.36);
});

test("an outline alone has no fill, not even under the pointer", () => {
  expect(fillOpacity(60, 100, "outline")).toEqual({ plain: 0, hover: 0 });
});

test("a fill alone can be seen even where the slider is at nothing", () => {
  expect(fillOpacity(0, 100, "both").plain).toBe(0);
  expect(fillOpacity(0, 100, "fill").plain).toBeCloseTo(0.18);
  expect(fillOpacity(45, 100, "fill").plain).toBeCloseTo(0.45);
});
