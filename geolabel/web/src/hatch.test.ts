import { expect, test } from "vitest";
import { hatchedOf } from "./hatch";
import { newClass } from "./setup/draft";

function handedOut(count: number) {
  const classes: ReturnType<typeof newClass>[] = [];
  for (let i = 0; i < count; i++) classes.push({ ...newClass(classes), name: `class ${i + 1}` });
  return classes;
}

test("the twelve colours are plain, and the same ones are hatched from the thirteenth on", () => {
  expect([...hatchedOf(handedOut(12))]).toEqual([]);
  const classes = handedOut(14);
  expect([...hatchedOf(classes)]).toEqual(["class 13", "class 14"]);
  expect(classes[12]?.color).toBe(classes[0]?.color);
});

test("a colour that was chosen twice is hatched too, however it is written, and the first stays plain", () => {
  const classes = [
    { name: "roof", color: "#AAB37B" },
    { name: "road", color: "#4478ff" },
    { name: "wall", color: "#aab37b" },
  ];
  expect([...hatchedOf(classes)]).toEqual(["wall"]);
});
