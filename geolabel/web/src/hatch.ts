/** Which classes are hatched: there are twelve colours that everybody can tell apart, and past them they repeat. */
import type { LabelClass } from "./types";

type Colored = Pick<LabelClass, "name" | "color">;

/** The names of the classes whose colour a class above them has already. */
export function hatchedOf(classes: readonly Colored[]): ReadonlySet<string> {
  const taken = new Set<string>();
  const hatched = new Set<string>();
  for (const { name, color } of classes) {
    const same = color.toLowerCase();
    if (taken.has(same)) hatched.add(name);
    taken.add(same);
  }
  return hatched;
}
