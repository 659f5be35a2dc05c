/**
 * What waits to be saved, and what becomes of it: pure steps over the entries of the outbox.
 *
 * An entry is one commit: one batch for the server, all of it or nothing. A later entry that changes a label again learns
 * the id and the version that the earlier one gave it when that is answered.
 */
import type { LabelFeature } from "../types";
import { type Content, differing, fieldOf, sameContent } from "./content";

/** A change of one label. */
export interface Change {
  /** In the page that made it; labels that are not new have their id. */
  key: number;
  /** Null until the server has given one. */
  id: number | null;
  /** Of the state that it changes; 0 for a new label. */
  version: number;
  /** What it found; null when there was nothing, or it was deleted. */
  before: Content | null;
  /** What it left; null when it deleted. */
  after: Content | null;
}

/** Why an entry does not go on by itself. */
export interface Problem {
  kind: "refused" | "conflict";
  sentence: string;
  /** What the server pointed at, by place in the label. */
  places: { key: number; pointer: string }[];
  /** With a conflict: what the server has of each label that somebody else changed, and its version. */
  theirs: { key: number; feature: LabelFeature | null; version: number }[];
}

export interface Entry {
  /** Order in the outbox. */
  seq: number;
  project: string;
  /** "Move vertex", as the undo button has it. */
  name: string;
  /** When it was made, in milliseconds. */
  at: number;
  /** The same request has the same token, however often it is sent. */
  token: string;
  changes: Change[];
  /** The request as it was first sent: a repeated one must be the same to the last byte. */
  body: string | null;
  /** When it was first sent, in milliseconds. */
  sentAt: number | null;
  problem: Problem | null;
}

/** What the server made of a change. */
export interface Result {
  key: number;
  id: number;
  version: number;
  /** Null for a delete. */
  feature: LabelFeature | null;
  /** What it was to be. */
  sent: Content | null;
}

export interface BatchAnswer {
  created: LabelFeature[];
  updated: LabelFeature[];
  deleted: { id: number; version: number }[];
}

export type Part = "create" | "update" | "delete";

/** The changes of an entry as a batch has them: what changes nothing is left out. */
export function partsOf({ changes }: Pick<Entry, "changes">): Record<Part, Change[]> {
  const parts: Record<Part, Change[]> = { create: [], update: [], delete: [] };
  for (const change of changes) {
    const { id, before, after } = change;
    if (sameContent(before, after)) continue;
    if (after === null) {
      if (id !== null) parts.delete.push(change);
    } else if (id === null) parts.create.push(change);
    else parts.update.push(change);
  }
  return parts;
}

function propertiesOf({ class: name, note, attributes }: Content): Record<string, unknown> {
  const given = Object.entries(attributes).filter(([, value]) => value !== null && value !== undefined);
  return { ...Object.fromEntries(given), class: name, ...(note === null ? {} : { note }) };
}

/** Only what was changed is sent: the rest stays as the server has it. */
function updateOf({ id, version, before, after }: Change): Record<string, unknown> {
  const named = { id, version };
  if (after === null) return named;
  if (before === null) {
    // It comes back: also what has no value says so, for the server puts this over what it was.
    const { geometry, class: name, note, attributes } = after;
    return { ...named, geometry, properties: { ...attributes, class: name, note } };
  }
  const fields = differing(before, after);
  const properties = fields.filter((field) => field !== "geometry").map((field) => [field, fieldOf(after, field)]);
  return {
    ...named,
    ...(fields.includes("geometry") ? { geometry: after.geometry } : {}),
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
  };
}

/** What is put on the vertices of neighbours rests on their very doubles; the server does this for so many labels at once. */
const MOST_BORDERED = 200;

/** The body of the batch that saves an entry; null when there is nothing to send. */
export function bodyOf(entry: Entry): string | null {
  const parts = partsOf(entry);
  const count = parts.create.length + parts.update.length + parts.delete.length;
  if (count === 0) return null;
  const shaped = [...parts.create, ...parts.update].some(
    (change) => change.before?.geometry !== change.after?.geometry,
  );
  return JSON.stringify({
    comment: entry.name,
    ...(shaped && count <= MOST_BORDERED ? { borders: true } : {}),
    create: parts.create.map(({ after }) => ({
      type: "Feature",
      geometry: after?.geometry,
      properties: after ? propertiesOf(after) : {},
    })),
    update: parts.update.map(updateOf),
    delete: parts.delete.map(({ id, version }) => ({ id, version })),
  });
}

/** What an answer says of each label. */
export function resultsOf(entry: Entry, answer: BatchAnswer): Result[] {
  const parts = partsOf(entry);
  const kept = (changes: Change[], features: LabelFeature[]) =>
    changes.flatMap(({ key, after: sent }, i) => {
      const feature = features[i];
      return feature ? [{ key, id: feature.id, version: feature.properties.version, feature, sent }] : [];
    });
  return [
    ...kept(parts.create, answer.created),
    ...kept(parts.update, answer.updated),
    ...parts.delete.flatMap(({ key }, i) => {
      const gone = answer.deleted[i];
      return gone ? [{ key, id: gone.id, version: gone.version, feature: null, sent: null }] : [];
    }),
  ];
}

/** The change that a JSON pointer of the server leads to, and the place in its label. */
export function pointedAt(entry: Entry, pointer: string): { change: Change; pointer: string } | null {
  const [, part = "", index = "", ...rest] = pointer.split("/");
  const change = (partsOf(entry) as Record<string, Change[]>)[part]?.[Number(index)];
  return change ? { change, pointer: rest.length > 0 ? `/${rest.join("/")}` : "" } : null;
}

/** Tell an entry what became of labels that it changes, too. */
export function informed(entry: Entry, results: Result[]): Entry {
  const known = new Map(results.map((result) => [result.key, result]));
  if (!entry.changes.some(({ key }) => known.has(key))) return entry;
  const changes = entry.changes.map((change) => {
    const result = known.get(change.key);
    return result ? { ...change, id: result.id, version: result.version } : change;
  });
  return { ...entry, changes };
}

export function touches(entry: Pick<Entry, "changes">, other: Pick<Entry, "changes">): boolean {
  const keys = new Set(entry.changes.map(({ key }) => key));
  return other.changes.some(({ key }) => keys.has(key));
}

/** The one entry that does what two did, one after the other. */
export function joined(first: Entry, second: Pick<Entry, "changes" | "at">): Entry {
  const later = new Map(second.changes.map((change) => [change.key, change]));
  const changes = first.changes.map((change) => {
    const again = later.get(change.key);
    later.delete(change.key);
    return again ? { ...change, after: again.after } : change;
  });
  return { ...first, at: second.at, changes: [...changes, ...later.values()] };
}

/**
 * Put what waits behind an entry in trouble into it, as far as it hangs together with it: a label's changes are saved in
 * order, and what was done together is saved together.
 *
 * @returns the entry, and those that are left of the others.
 */
export function gathered(troubled: Entry, others: Entry[]): { entry: Entry; left: Entry[] } {
  let entry = troubled;
  const left: Entry[] = [];
  for (const other of others) {
    const follows = other.seq > entry.seq && other.project === entry.project && touches(entry, other);
    if (follows) entry = joined(entry, other);
    else left.push(other);
  }
  return { entry, left };
}

/** What the labels of a project are to be, by key, when all entries are saved. */
export function pendingOf(entries: Iterable<Entry>, project: string): Map<number, Change> {
  const pending = new Map<number, Change>();
  for (const entry of entries) {
    if (entry.project !== project) continue;
    for (const change of entry.changes) {
      const first = pending.get(change.key);
      pending.set(change.key, { ...change, before: first ? first.before : change.before });
    }
  }
  return pending;
}
