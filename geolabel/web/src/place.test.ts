import { expect, test } from "vitest";
import { parsePlace, placeOf } from "./place";

test("a project and its view go into the address and come back", () => {
  const at = { center: [32.594491, -0.350523] as [number, number], zoom: 18.25 };
  const hash = placeOf("kampala land", at);
  expect(hash).toBe("#/p/kampala%20land@32.594491,-0.350523,19.25");
  expect(parsePlace(hash)).toEqual({ project: "kampala land", at });
});

test("a project alone, nothing, and nonsense", () => {
  expect(parsePlace("#/p/landuse")).toEqual({ project: "landuse", at: null });
  expect(parsePlace("")).toEqual({ project: null, at: null });
  expect(parsePlace("#/p/x@1,200,3").at).toBeNull();
});

test("an address that nobody made by placeOf is a name like another", () => {
  expect(parsePlace("#/p/100%").project).toBe("100%");
});
