import { expect, test } from "vitest";
import type { Content } from "./content";
import { History, retraced } from "./history";
import type { Step } from "./labels";

const content = (name: string, x = 0): Content => ({
  geometry: { type: "Point", coordinates: [x, 0] },
  class: name,
  note: null,
  attributes: {},
});
const step = (key: number, before: Content | null = content("a"), after: Content | null = content("b")): Step => ({
  key,
  before,
  after,
});
const back = (steps: Step[], now: Content | null) => retraced(steps, "undo", () => now);

test("undo and redo walk the commits both ways", () => {
  const history = new History();
  history.record("Move vertex", [step(1)]);
  history.record("Change class", [step(1)]);
  expect([history.undo()?.name, history.undo()?.name, history.undo()]).toEqual([
    "Change class",
    "Move vertex",
    undefined,
  ]);
  expect(history.redoable?.name).toBe("Move vertex");
  history.redo();
  expect(history.undoable?.name).toBe("Move vertex");
});

test("a new commit forgets what was undone", () => {
  const history = new History();
  history.record("One", [step(1)]);
  history.undo();
  history.record("Two", [step(1)]);
  expect(history.redoable).toBeUndefined();
});

test("going back changes what still is as it was left, and leaves what somebody else changed since", () => {
  expect(back([step(1)], content("b")).edits).toEqual([{ key: 1, after: content("a") }]);
  expect(back([step(1)], content("b", 5)).edits).toEqual([{ key: 1, after: content("a", 5) }]);
  expect(back([step(1)], content("c"))).toEqual({ edits: [], kept: [1] });
  expect(back([step(1)], null)).toEqual({ edits: [], kept: [1] });
});

test("a label that was drawn goes, unless somebody else has changed it; a deleted one comes back", () => {
  expect(back([step(1, null)], content("b")).edits).toEqual([{ key: 1, after: null }]);
  expect(back([step(1, null)], content("b", 5))).toEqual({ edits: [], kept: [1] });
  expect(back([step(1, content("a"), null)], null).edits).toEqual([{ key: 1, after: content("a") }]);
});

test("what the server kept with other digits is what was done", () => {
  const history = new History();
  const drawn = content("a", 1);
  history.record("Draw a", [step(1, null, drawn)]);
  history.record("Change class", [step(1, drawn, { ...drawn, class: "b" })]);
  const got = { ...content("a", 1.0000000000000002), attributes: { status: "labelled" } };
  history.saved(1, drawn, got);
  const [change, draw] = [history.undo(), history.undo()];
  expect(draw?.steps[0]?.after).toEqual(got);
  expect(change?.steps[0]?.after?.geometry).toEqual(got.geometry);
});
