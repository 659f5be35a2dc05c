/** A label that was changed twice: the two versions, what differs, and what can be made of both. */
import type { LabelFeature } from "../types";
import { type Content, differing, type Field, fieldOf, withFields } from "./content";
import type { Labels } from "./labels";
import type { Trouble } from "./saving.svelte";

export type Side = "mine" | "theirs";

export interface Conflict {
  /** What both started from; null when it is not known. */
  before: Content | null;
  /** Null: deleted. */
  mine: Content | null;
  theirs: Content | null;
  /** When mine was made, in milliseconds. */
  at: number;
  feature: LabelFeature | null;
  version: number;
}

export function conflictOf({ entry, key }: Trouble, labels: Labels): Conflict | null {
  const other = entry.problem?.theirs.find((theirs) => theirs.key === key);
  const change = entry.changes.find((one) => one.key === key);
  if (!other || !change) return null;
  return {
    before: change.before,
    mine: change.after,
    theirs: other.feature && labels.contentOf(other.feature),
    at: entry.at,
    feature: other.feature,
    version: other.version,
  };
}

/** The fields that differ between the two. */
export function disputed({ mine, theirs }: Conflict): Field[] {
  return mine && theirs ? differing(mine, theirs) : [];
}

/** Whose value of each field to begin with: mine where I changed it, else theirs. */
export function firstChoice(conflict: Conflict): Map<Field, Side> {
  const { before, mine } = conflict;
  const changed = new Set(before && mine ? differing(before, mine) : disputed(conflict));
  return new Map(disputed(conflict).map((field) => [field, changed.has(field) ? "mine" : "theirs"]));
}

/** Theirs, with what is chosen of mine. */
export function mixed({ mine, theirs }: Conflict, choice: ReadonlyMap<Field, Side>): Content | null {
  if (!mine || !theirs) return mine;
  const ours = [...choice].filter(([, side]) => side === "mine").map(([field]) => field);
  return withFields(theirs, new Map(ours.map((field) => [field, fieldOf(mine, field)])));
}

/** A value of a field in words. */
export function worded(content: Content, field: Field): string {
  const value = fieldOf(content, field);
  if (value === null || value === undefined || value === "") return "not set";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
