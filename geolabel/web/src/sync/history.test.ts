import { expect, test } from "vitest";
import type { Content } from "./content";
import { History } from "./history";

const content = (name: string): Content => ({
  geometry: { type: "Point", coordinates: [0, 0] },
  class: name,
  note: null,
  attributes: {},
});
const step = (key: number) => ({ key, before: content("a"), after: content("b") });

test("undo and redo walk the edits both ways", () => {
  const history = new History();
  const first = history.record("Move vertex", [step(1)]);
  const second = history.record("Change class", [step(1)]);
  expect(history.undo()).toBe(second);
  expect(history.undo()).toBe(first);
  expect(history.undo()).toBeUndefined();
  expect(history.redoable).toBe(first);
  expect(history.redo()).toBe(first);
  expect(history.undoable).toBe(first);
});

test("a new edit forgets what was undone", () => {
  const history = new History();
  history.record("One", [step(1)]);
  history.undo();
  history.record("Two", [step(1)]);
  expect(history.redoable).toBeUndefined();
});

test("a discarded change is no step any more; those before it and those of others stay", () => {
  const history = new History();
  history.record("Kept", [step(1)]);
  const { number } = history.record("Refused", [step(1)]);
  history.record("Both", [step(1), step(2)]);
  history.drop(1, number);
  expect(history.undo()).toMatchObject({ title: "Both", steps: [{ key: 2 }] });
  expect(history.undo()?.title).toBe("Kept");
});
