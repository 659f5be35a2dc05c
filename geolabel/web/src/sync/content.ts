/** What of a label a person changes, and what differs between two states of it. */
import { nearby } from "../editor/geometry";
import type { Geometry, LabelFeature } from "../types";

/** Never altered in place: an edit makes a new one. */
export interface Content {
  readonly geometry: Geometry;
  readonly class: string;
  readonly note: string | null;
  /**
   * All else that a client may set, by name: `status`, `confidence`, `scene`, `track`, `valid_from`, `valid_to`, and the
   * project's own attributes. A new label may leave out what it has no value for.
   */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** What the server says of a label and no client sets. */
const SERVER_OWNED = new Set("source author created_at updated_at version external_id external area_m2".split(" "));

/** @param home longitude of the scenes: shapes are put about it, so that none is torn at the antimeridian. */
export function contentOf(feature: LabelFeature, home = 0): Content {
  const { class: name, note, ...others } = feature.properties;
  return {
    geometry: nearby(feature.geometry, home),
    class: name,
    note: note ?? null,
    attributes: Object.fromEntries(Object.entries(others).filter(([field]) => !SERVER_OWNED.has(field))),
  };
}

/** `geometry`, `class`, `note`, or the name of an attribute. */
export type Field = string;

const FIXED: readonly string[] = ["geometry", "class", "note"];

export function fieldOf(content: Content, field: Field): unknown {
  if (field === "geometry") return content.geometry;
  if (field === "class") return content.class;
  return field === "note" ? content.note : (content.attributes[field] ?? null);
}

/** The same with another value of some fields. */
export function withFields(content: Content, values: ReadonlyMap<Field, unknown>): Content {
  const attributes = [...values].filter(([field]) => !FIXED.includes(field));
  return {
    geometry: values.has("geometry") ? (values.get("geometry") as Geometry) : content.geometry,
    class: values.has("class") ? (values.get("class") as string) : content.class,
    note: values.has("note") ? (values.get("note") as string | null) : content.note,
    attributes:
      attributes.length > 0 ? { ...content.attributes, ...Object.fromEntries(attributes) } : content.attributes,
  };
}

const sameValue = (one: unknown, other: unknown) => one === other || JSON.stringify(one) === JSON.stringify(other);

/** The fields in which two states differ; an attribute without a value is the same as none. */
export function differing(one: Content, other: Content): Field[] {
  if (one === other) return [];
  const named = new Set([...Object.keys(one.attributes), ...Object.keys(other.attributes)]);
  return [...FIXED, ...named].filter((field) => !sameValue(fieldOf(one, field), fieldOf(other, field)));
}

export function sameContent(one: Content | null, other: Content | null): boolean {
  return one === other || (one !== null && other !== null && differing(one, other).length === 0);
}

/** Theirs, with what was changed from `before` to `mine`. */
export function merge(before: Content, mine: Content, theirs: Content): Content {
  return withFields(theirs, new Map(differing(before, mine).map((field) => [field, fieldOf(mine, field)])));
}
