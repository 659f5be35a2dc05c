/** What the import panel asks for, and what it says of what came. */
import { plural } from "../format";
import type { FileLook } from "../types";

/** A value that becomes a class of its own name, and one whose features are left out. */
export const NEW = "\u0000new";
export const SKIP = "\u0000skip";

export interface Mapping {
  /** The column that names the class; null for one class for all. */
  field: string | null;
  single: string | null;
  /** By value of the column: a class, `NEW` or `SKIP`. */
  classes: Record<string, string>;
}

const LIKELY = ["class", "classname", "class_name", "label", "category", "type", "landuse", "land_use", "name"];
/** A column with more values than this hardly names a class. */
const MOST = 50;

/** A class of the same name, whatever its capitals; a new one; without a value none. */
export function byField(look: FileLook, name: string, classes: string[]): Mapping {
  const values = look.fields.find((field) => field.name === name)?.values ?? [];
  const same = (value: string) => classes.find((c) => c.toLowerCase() === value.trim().toLowerCase());
  return {
    field: name,
    single: null,
    classes: Object.fromEntries(values.map(([value]) => [value, same(value) ?? (value.trim() === "" ? SKIP : NEW)])),
  };
}

/** The likeliest column: one whose values are classes of the project, else one that is called so. */
export function beginning(look: FileLook, classes: string[]): Mapping {
  const fit = look.fields.filter(({ values }) => values.length > 0 && values.length <= MOST);
  const known = fit.find(({ name }) =>
    Object.values(byField(look, name, classes).classes).some((to) => to !== NEW && to !== SKIP),
  );
  const named = LIKELY.map((name) => fit.find((field) => field.name.toLowerCase() === name)).find(Boolean);
  const field = known ?? named;
  return field ? byField(look, field.name, classes) : { field: null, single: classes[0] ?? null, classes: {} };
}

export function problemOf({ field, single, classes }: Mapping): string | null {
  if (field === null) return single === null ? "Choose a class." : null;
  return Object.values(classes).every((to) => to === SKIP) ? "Every value is left out." : null;
}

/** How many features become labels. */
export function totals(look: FileLook, { field, classes }: Mapping): number {
  const values = look.fields.find((f) => f.name === field)?.values ?? [];
  return look.count - values.reduce((sum, [value, n]) => sum + (classes[value] === SKIP ? n : 0), 0);
}

/** What the server is asked for. */
export function bodyOf({ field, single, classes }: Mapping): Record<string, unknown> {
  if (field === null) return { class: single };
  const to = (value: string, target: string) => (target === SKIP ? null : target === NEW ? value : target);
  return {
    class_field: field,
    classes: Object.fromEntries(Object.entries(classes).map(([value, target]) => [value, to(value, target)])),
  };
}

export interface Report {
  title: string;
  lines: string[];
  problems: string[];
}

/** A problem as a sentence, with the feature that it is about: "feature 12: …". */
function sentenceOf(problem: unknown): string {
  const { pointer, message } = (problem ?? {}) as { pointer?: unknown; message?: unknown };
  return [pointer, message].filter((part) => typeof part === "string" && part !== "").join(": ");
}

/** Read from a job's result. */
export function reportOf(result: unknown): Report {
  const given = (result ?? {}) as Record<string, unknown>;
  const number = (name: string) => (typeof given[name] === "number" ? (given[name] as number) : 0);
  const byClass = Object.entries((given.by_class ?? {}) as Record<string, number>);
  const told: [number, string][] = [
    [number("updated"), "updated"],
    [number("unchanged"), "unchanged"],
    [number("kept"), "changed or deleted here since, and left as they are"],
    [number("gone") - number("deleted"), "not in the file any more, and kept"],
    [number("deleted"), "not in the file any more, and deleted"],
    [number("repaired"), "repaired"],
    [number("skipped"), "left out because of their shape"],
    [number("outside"), "outside of every scene"],
  ];
  const dropped = Array.isArray(given.dropped_columns) ? given.dropped_columns.map(String) : [];
  return {
    title: `${plural(number("imported"), "label")} imported`,
    lines: [
      byClass.map(([name, n]) => `${n} ${name}`).join(", "),
      ...told.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}.`),
      ...(dropped.length > 0 ? [`No place in the project for the columns ${dropped.join(", ")}.`] : []),
    ].filter(Boolean),
    problems: Array.isArray(given.problems) ? given.problems.slice(0, 20).map(sentenceOf) : [],
  };
}
