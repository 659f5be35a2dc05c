import { expect, test } from "vitest";
import type { FileLook } from "../types";
import { beginning, bodyOf, byField, NEW, problemOf, reportOf, SKIP, totals } from "./importing";

const LOOK: FileLook = {
  layers: [],
  crs: "EPSG:32616",
  count: 10,
  kinds: { Polygon: 10 },
  fields: [
    {
      name: "floors",
      values: [
        ["1", 6],
        ["2", 4],
      ],
    },
    {
      name: "use",
      values: [
        ["Building", 5],
        ["shed", 3],
        ["", 2],
      ],
    },
  ],
  shapes: [],
  bounds: null,
};

test("the column whose values are classes of the project is taken first", () => {
  const mapping = beginning(LOOK, ["building", "road"]);
  expect(mapping).toEqual({ field: "use", single: null, classes: { Building: "building", shed: NEW, "": SKIP } });
  expect(totals(LOOK, mapping)).toBe(8);
  expect(bodyOf(mapping)).toEqual({ class_field: "use", classes: { Building: "building", shed: "shed", "": null } });
});

test("without such a column all become one class", () => {
  expect(beginning(LOOK, ["road"])).toEqual({ field: null, single: "road", classes: {} });
  expect(bodyOf(beginning(LOOK, ["road"]))).toEqual({ class: "road" });
});

test("what would import nothing is said", () => {
  const mapping = byField(LOOK, "use", []);
  expect(problemOf({ ...mapping, classes: { Building: SKIP, shed: SKIP, "": SKIP } })).toBe("Every value is left out.");
  expect(problemOf(mapping)).toBeNull();
});

test("the report says what came, and what did not", () => {
  const report = reportOf({
    imported: 8,
    by_class: { building: 5, shed: 3 },
    repaired: 1,
    dropped_columns: ["floors"],
    problems: [{ pointer: "feature 7", message: "The outline crosses itself: repaired." }],
  });
  expect(report.title).toBe("8 labels imported");
  expect(report.lines).toEqual([
    "5 building, 3 shed",
    "1 repaired.",
    "No place in the project for the columns floors.",
  ]);
  expect(report.problems).toEqual(["feature 7: The outline crosses itself: repaired."]);
});
