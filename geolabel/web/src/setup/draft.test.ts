import { describe, expect, it } from "vitest";
import type { Project } from "../types";
import { bodyOf, COLORS, draftOf, newAttribute, newClass, type ProjectDraft, problemsOf } from "./draft";

const PROJECT = {
  id: "land",
  title: "Land",
  scenes: ["s2"],
  classes: [
    { id: 1, name: "water", color: "#4478ff", hotkey: "1", parent: null, geometries: ["polygon"], description: "" },
    { id: 2, name: "wood", color: "#2a8b6c", hotkey: "2", parent: null, geometries: ["polygon"], description: "" },
  ],
  attributes: [],
  guidelines: "",
} as unknown as Project;

const made = (): ProjectDraft => ({ ...draftOf(null, []), title: "Land", scenes: ["s2"] });

describe("the set-up of a project", () => {
  it("hands out colours and keys in order, and begins anew when they are used up", () => {
    const classes = [newClass([])];
    for (let i = 1; i < 13; i++) classes.push(newClass(classes));
    expect(classes.map((c) => c.color)).toEqual([...COLORS, COLORS[0]]);
    expect(classes.map((c) => c.hotkey).join("")).toBe("123456789");
  });

  it("says what is missing, where it is missing", () => {
    const draft = { ...draftOf(null, []), attributes: [newAttribute()] };
    const problems = problemsOf(draft);
    expect(problems.title).toBe("A project needs a title.");
    expect(problems.scenes).toBe("Choose at least one scene to label on.");
    expect(problems[`class ${draft.classes[0]?.row}`]).toBe("A class needs a name.");
    expect(problems[`attribute ${draft.attributes[0]?.row}`]).toContain("lower-case letters");
  });

  it("refuses keys and names that clash", () => {
    const [one, other] = [newClass([]), newClass([])];
    const draft = {
      ...made(),
      classes: [
        { ...one, name: "a", hotkey: "p" },
        { ...other, name: "b", hotkey: "7" },
      ],
    };
    expect(problemsOf(draft)[`class ${one.row}`]).toBe("The key p is taken by a command; see ?");
    const same = {
      ...made(),
      classes: [
        { ...one, name: "a" },
        { ...other, name: "b" },
      ],
    };
    expect(problemsOf(same)[`class ${one.row}`]).toBe("Two classes have the key 1.");
  });

  it("sends a renamed class and a class that was taken out as what their labels become", () => {
    const draft = draftOf(PROJECT, []);
    const [water] = draft.classes;
    if (!water) throw new Error("no class");
    const changed = {
      ...draft,
      classes: [{ ...water, name: "open water" }],
      moved: [{ name: "wood", labels: 3, to: "open water" }],
    };
    expect(bodyOf(changed).mapping).toEqual({ classes: { water: "open water", wood: "open water" } });
    expect(bodyOf(draft).mapping).toBeUndefined();
    expect(problemsOf(draft)).toEqual({});
  });

  it("reads the values of an enum and the bounds of a number", () => {
    const roof = { ...newAttribute(), name: "roof", values: "tile, metal,\n tile , " };
    const storeys = { ...newAttribute(), name: "storeys", kind: "number" as const, minimum: "0", maximum: "" };
    const { attributes } = bodyOf({ ...made(), attributes: [roof, storeys] }) as {
      attributes: Record<string, unknown>[];
    };
    expect(attributes[0]?.values).toEqual(["tile", "metal"]);
    expect(attributes[1]).toMatchObject({ minimum: 0, maximum: null });
  });
});
