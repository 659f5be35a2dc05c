/** What labels carry beside their class: the project's attributes. */
import type { Attribute, Attributes } from "./types";

/** Do labels of that class carry it? */
export const isFor = (attribute: Attribute, className: string): boolean =>
  attribute.classes.length === 0 || attribute.classes.includes(className);

/** The values that a label of that class may carry. */
export function fitting(schema: Attribute[], className: string, values: Attributes): Attributes {
  const others = new Set(schema.filter((a) => !isFor(a, className)).map((a) => a.name));
  return Object.fromEntries(Object.entries(values).filter(([name]) => !others.has(name)));
}

/** The required attributes that a label of that class has no value for. */
export const missing = (schema: Attribute[], className: string, values: Attributes): Attribute[] =>
  schema.filter((a) => a.required && isFor(a, className) && (values[a.name] ?? null) === null);

export const titleOf = (attribute: Attribute): string => attribute.title || attribute.name;

/** What stands beside its field: its title, or its name as people write it, "roof_kind" as "Roof kind". */
export function headingOf({ title, name }: Attribute): string {
  const words = name.replaceAll("_", " ").trim();
  return title || `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

/** Read what was typed for a number: the number, null for nothing, or a sentence of what is wrong with it. */
export function readNumber(attribute: Attribute, text: string): number | null | { problem: string } {
  if (text.trim() === "") return null;
  const value = Number(text.trim().replace(",", "."));
  const { minimum, maximum } = attribute;
  const fine =
    Number.isFinite(value) && (minimum === null || value >= minimum) && (maximum === null || value <= maximum);
  return fine ? value : { problem: `${titleOf(attribute)}: expected ${rangeOf(attribute)}, got ${text.trim()}.` };
}

function rangeOf({ minimum, maximum }: Attribute): string {
  if (minimum !== null && maximum !== null) return `a number from ${minimum} to ${maximum}`;
  if (minimum !== null) return `a number of at least ${minimum}`;
  return maximum !== null ? `a number of at most ${maximum}` : "a number";
}
