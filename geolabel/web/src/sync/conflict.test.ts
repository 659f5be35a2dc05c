import { expect, test } from "vitest";
import { type Conflict, disputed, firstChoice, mixed, worded } from "./conflict";
import type { Content } from "./content";

const BEFORE: Content = {
  geometry: { type: "Point", coordinates: [0, 0] },
  class: "building",
  note: null,
  attributes: { roof: null, storeys: null },
};
const MINE: Content = { ...BEFORE, geometry: { type: "Point", coordinates: [1, 0] }, note: "annex" };
const THEIRS: Content = { ...BEFORE, note: "roof", attributes: { roof: "tile", storeys: 2 } };
const conflict: Conflict = { before: BEFORE, mine: MINE, theirs: THEIRS, at: 0, feature: null, version: 4 };

test("what I changed is mine to begin with, the rest theirs", () => {
  expect(disputed(conflict)).toEqual(["geometry", "note", "roof", "storeys"]);
  expect(Object.fromEntries(firstChoice(conflict))).toEqual({
    geometry: "mine",
    note: "mine",
    roof: "theirs",
    storeys: "theirs",
  });
  expect(mixed(conflict, firstChoice(conflict))).toEqual({ ...MINE, attributes: THEIRS.attributes });
});

test("any mixture can be made", () => {
  const choice = new Map(firstChoice(conflict)).set("note", "theirs").set("roof", "mine");
  expect(mixed(conflict, choice)).toEqual({ ...MINE, note: "roof", attributes: { roof: null, storeys: 2 } });
});

test("a label that one of us deleted has nothing to mix", () => {
  expect(disputed({ ...conflict, theirs: null })).toEqual([]);
  expect(mixed({ ...conflict, theirs: null }, new Map())).toBe(MINE);
});

test("values in words", () => {
  expect([worded(BEFORE, "roof"), worded(THEIRS, "roof"), worded(THEIRS, "storeys")]).toEqual(["not set", "tile", "2"]);
});
