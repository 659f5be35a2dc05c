import { expect, test } from "vitest";
import { PLAIN } from "./map/look";
import { parsePlace, placeOf } from "./place";

test("a project and its view go into the address and come back", () => {
  const at = { center: [32.594491, -0.350523] as [number, number], zoom: 18.25 };
  const hash = placeOf("kampala land", { at });
  expect(hash).toBe("#/p/kampala%20land@32.594491,-0.350523,19.25");
  expect(parsePlace(hash)).toMatchObject({ project: "kampala land", at, scene: null, select: [], looks: {} });
});

test("a project alone, nothing, and nonsense", () => {
  expect(parsePlace("#/p/landuse")).toMatchObject({ project: "landuse", at: null });
  expect(parsePlace("")).toMatchObject({ project: null, at: null });
  expect(parsePlace("#/p/x@1,200,3").at).toBeNull();
});

test("an address that nobody made by placeOf is a name like another", () => {
  expect(parsePlace("#/p/100%").project).toBe("100%");
});

test("what is selected and how scenes are rendered go along", () => {
  const looks = { "s 2": { ...PLAIN, show: "ndvi" as const, colormap: "rdylgn", opacity: 40 } };
  const hash = placeOf("landuse", { scene: "s 2", select: [12, 15], looks });
  expect(parsePlace(hash)).toMatchObject({ project: "landuse", at: null, scene: "s 2", select: [12, 15], looks });
  expect(parsePlace("#/p/x?select=1.-2.three.4&look.s=<script>").select).toEqual([1, 4]);
});
