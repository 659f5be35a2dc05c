import { expect, test } from "vitest";
import { type Changes, clashes, commandFor, keysOf, objection, readChanges } from "./keymap";
import { type Command, capsOf, keyOf, SCOPES, type Scope, SHORTCUTS } from "./keys";

const held = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };
type Held = Partial<typeof held>;
const press = (key: string, more: Held & { code?: string } = {}, scope: Scope = "idle", changes: Changes = {}) =>
  commandFor(keyOf({ key, code: "", ...held, ...more }), scope, changes);

test("no two commands have one key where both work", () => {
  expect(clashes()).toEqual([]);
  for (const scope of SCOPES) {
    const keys = SHORTCUTS.filter((s) => !s.in || s.in.includes(scope)).flatMap((s) => s.keys);
    expect(new Set(keys).size).toBe(keys.length);
  }
});

test("each command is there once, none has a digit or a key of the browser", () => {
  const commands = SHORTCUTS.map((s) => s.command);
  expect(new Set(commands).size).toBe(commands.length);
  for (const key of SHORTCUTS.flatMap((s) => s.keys)) {
    expect(key).not.toMatch(/^\d$|^Tab$|^Ctrl\+(Shift\+)?[trwn]$|^F5$/);
  }
});

test("undo and redo, as on every system", () => {
  expect(press("z", { ctrlKey: true })).toBe("undo");
  expect(press("z", { metaKey: true })).toBe("undo");
  expect(press("Z", { ctrlKey: true, shiftKey: true })).toBe("redo");
  expect(press("y", { ctrlKey: true })).toBe("redo");
});

test("letters are tools, with or without capitals; not with Ctrl or Alt", () => {
  expect(press("p")).toBe("tool:polygon");
  expect(press("P", { shiftKey: true })).toBe("tool:polygon");
  expect(press("V", { shiftKey: true })).toBe("tool:lasso");
  expect(press("p", { ctrlKey: true })).toBeUndefined();
  expect(press("v", { altKey: true })).toBeUndefined();
});

test("signs that need Shift on some keyboards", () => {
  expect(press("?", { shiftKey: true })).toBe("help");
  expect(press("\\")).toBe("panels");
  expect(press("]")).toBe("next");
});

test("the same key in another place is another command", () => {
  expect(press("]", {}, "vertices")).toBe("vertex:next");
  expect(press("q", {}, "idle")).toBeUndefined();
  expect(press("q", {}, "selected")).toBe("label:square");
});

test("digits with Shift, and letters with Alt, are named by their place on the keyboard", () => {
  expect(keyOf({ key: "!", code: "Digit1", ...held, shiftKey: true })).toBe("Shift+1");
  expect(keyOf({ key: "˙", code: "KeyH", ...held, altKey: true })).toBe("Alt+h");
  expect(capsOf("Ctrl+Shift+z")).toEqual(["Ctrl", "Shift", "Z"]);
  expect(capsOf("+")).toEqual(["+"]);
  expect(capsOf("Ctrl++")).toEqual(["Ctrl", "+"]);
});

test("a key is given to another command, and taken from the one that had it", () => {
  expect(objection("tool:polygon", "r", {})?.taken?.command).toBe("tool:rectangle");
  expect(objection("tool:polygon", "j", {})).toBeNull();
  expect(objection("tool:polygon", "1", {})?.says).toContain("classes");
  expect(objection("tool:polygon", "Tab", {})?.says).toContain("own");
  expect(objection("tool:polygon", "Escape", {})?.says).toContain("stays");
  const changes: Changes = { "tool:polygon": "r", "tool:rectangle": "" };
  expect(press("r", {}, "idle", changes)).toBe("tool:polygon");
  expect(press("p", {}, "idle", changes)).toBeUndefined();
  expect(clashes(changes)).toEqual([]);
});

test("what a browser kept is checked before it is used", () => {
  expect(readChanges({ "tool:polygon": "j", "label:smooth": "Shift+q" })).toEqual({
    "tool:polygon": "j",
    "label:smooth": "Shift+q",
  });
  const bad: unknown[] = [null, 3, "x", [], { "tool:polygon": 7 }, { nothing: "j" }, { escape: "j" }];
  bad.push({ "tool:polygon": "<img src=x onerror=alert(1)>" }, { "tool:polygon": "r" }, { "tool:polygon": "5" });
  for (const kept of bad) expect(readChanges(kept)).toEqual({});
  const polygon = SHORTCUTS.find((s) => s.command === ("tool:polygon" satisfies Command));
  expect(polygon && keysOf(polygon, readChanges(bad[8]))).toEqual(["p"]);
});
