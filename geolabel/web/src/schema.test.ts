import { describe, expect, it } from "vitest";
import { fitting, headingOf, missing, readNumber } from "./schema";
import type { Attribute } from "./types";

const attribute = (name: string, more: Partial<Attribute> = {}): Attribute => ({
  name,
  kind: "text",
  required: false,
  values: [],
  minimum: null,
  maximum: null,
  classes: [],
  title: "",
  description: "",
  ...more,
});

const ROOF = attribute("roof", { kind: "enum", values: ["tile", "metal"], required: true, classes: ["building"] });
const STOREYS = attribute("storeys", { kind: "number", minimum: 0, maximum: 200, title: "Storeys" });

describe("attributes", () => {
  it("go with the class that carries them", () => {
    expect(fitting([ROOF, STOREYS], "road", { roof: "tile", storeys: 2 })).toEqual({ storeys: 2 });
    expect(fitting([ROOF], "building", { roof: "tile", scene: "s2" })).toEqual({ roof: "tile", scene: "s2" });
  });

  it("are missing when required, of the class, and without a value", () => {
    expect(missing([ROOF, STOREYS], "building", { roof: null })).toEqual([ROOF]);
    expect(missing([ROOF, STOREYS], "road", {})).toEqual([]);
    expect(missing([ROOF, STOREYS], "building", { roof: "metal" })).toEqual([]);
  });
});

describe("a typed number", () => {
  it("is read, with a comma too, and held to its range", () => {
    expect(readNumber(STOREYS, "2,5")).toBe(2.5);
    expect(readNumber(STOREYS, "  ")).toBeNull();
    expect(readNumber(STOREYS, "201")).toEqual({ problem: "Storeys: expected a number from 0 to 200, got 201." });
    expect(readNumber(attribute("n", { kind: "number" }), "two")).toEqual({
      problem: "n: expected a number, got two.",
    });
  });
});

it("a title, or the name as people write it", () => {
  expect(headingOf(STOREYS)).toBe("Storeys");
  expect(headingOf({ ...STOREYS, name: "roof_kind", title: "" })).toBe("Roof kind");
});
