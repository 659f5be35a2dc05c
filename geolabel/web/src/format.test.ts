import { expect, test } from "vitest";
import * as f from "./format";

test("areas and lengths carry their unit", () => {
  expect(f.area(328.62)).toBe("328.6 m²");
  expect(f.area(14_745.3)).toBe("14,745 m²");
  expect(f.area(6_393_652)).toBe("6.39 km²");
  expect(f.hectares(328.6)).toBe("0.0329");
  expect(f.length(85.71)).toBe("85.7 m");
  expect(f.length(12_345)).toBe("12.3 km");
  expect(f.resolution(0.1488)).toBe("0.15 m");
  expect(f.resolution(29.93)).toBe("29.9 m");
});

test("a place on the other side of 180 is where it is", () => {
  expect(f.place(32.59449, 0.350523)).toBe("0.350523° N 32.594490° E");
  expect(f.place(181, -1)).toBe("1.000000° S 179.000000° W");
});

test("the scale bar is a round length that fits", () => {
  expect(f.scaleBar(0.15, 90)).toEqual({ metres: 10, pixels: 10 / 0.15 });
  expect(f.scaleBar(1, 90).metres).toBe(50);
  expect(f.distance(2000)).toBe("2 km");
  expect(f.distance(0.5)).toBe("50 cm");
});

test("today is a time, another day is a date", () => {
  const now = new Date("2026-06-01T15:00:00");
  expect(f.when("2026-06-01T14:32:00", now)).toBe("14:32");
  expect(f.when("2018-10-13T14:32:00", now)).toBe("13 Oct 2018");
  expect(f.when("2026-05-09T14:32:00", now)).toBe("9 May");
});

test("one change, two changes", () => {
  expect(f.plural(1, "change")).toBe("1 change");
  expect(f.plural(2000, "change")).toBe("2,000 changes");
  expect(f.plural(2, "class", "classes")).toBe("2 classes");
});

test("names keep their capitals inside a sentence", () => {
  expect(f.inSentence("Draw Emergent Wetland")).toBe("draw Emergent Wetland");
});
