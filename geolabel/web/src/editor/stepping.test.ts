import fc from "fast-check";
import { expect, test } from "vitest";
import type { LabelFeature, LabelPage } from "../types";
import { nextOf, type Ordered } from "./stepping";

const label = (id: number) => ({ type: "Feature", id, properties: { class: "" } }) as unknown as LabelFeature;

/** A server that has labels with these numbers, in order; counts what it was asked for. */
function server(ids: number[]): Ordered & { asked: number } {
  const all = [...ids].sort((a, b) => a - b);
  return {
    asked: 0,
    async page(_, after, limit): Promise<LabelPage> {
      this.asked += 1;
      const found = all.filter((id) => id > after);
      return { features: found.slice(0, limit).map(label), numberMatched: found.length, links: [] };
    },
  };
}

const any = () => true;
const some = fc.uniqueArray(fc.integer({ min: 1, max: 5000 }), { maxLength: 200 });

test("steps are those of the sorted numbers, whatever is missing or hidden", async () => {
  await fc.assert(
    fc.asyncProperty(
      some,
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 4 }),
      async (ids, at, every) => {
        const open = ({ id }: LabelFeature) => id % every === 0;
        const shown = ids.filter((id) => id % every === 0).sort((a, b) => a - b);
        const items = server(ids);
        expect((await nextOf(items, at, 1, open))?.id).toBe(shown.find((id) => id > at));
        expect((await nextOf(items, at, -1, open))?.id).toBe(shown.findLast((id) => id < at));
        expect((await nextOf(items, null, 1, open))?.id).toBe(shown.at(0));
        expect((await nextOf(items, null, -1, open))?.id).toBe(shown.at(-1));
      },
    ),
    { numRuns: 150 },
  );
});

test("a step among neighbours asks once", async () => {
  const items = server(Array.from({ length: 3000 }, (_, i) => i + 1));
  expect((await nextOf(items, 2000, 1, any))?.id).toBe(2001);
  expect(items.asked).toBe(1);
  expect((await nextOf(items, 2000, -1, any))?.id).toBe(1999);
  expect(items.asked).toBe(2);
});
