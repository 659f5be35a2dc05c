import { expect, test } from "vitest";
import { commandOf, SHORTCUTS } from "./keys";

const press = (key: string, held: Partial<Record<"ctrlKey" | "metaKey" | "shiftKey" | "altKey", boolean>> = {}) =>
  commandOf({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });

test("every key has one command", () => {
  const keys = SHORTCUTS.flatMap((shortcut) => shortcut.keys ?? []);
  expect(new Set(keys).size).toBe(keys.length);
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
  expect(press("p", { ctrlKey: true })).toBeUndefined();
  expect(press("v", { altKey: true })).toBeUndefined();
});

test("signs that need Shift on some keyboards", () => {
  expect(press("?", { shiftKey: true })).toBe("help");
  expect(press("\\")).toBe("panels");
  expect(press("]")).toBe("next");
});
