/** All that waits to be saved in this browser, and each step that it takes: pure, so that it can be kept anywhere. */
import { boundsOf } from "../editor/geometry";
import { type Content, contentOf, sameContent } from "./content";
import { type Change, type Entry, gathered, informed, joined, type Problem, type Result, touches } from "./entry";

/** What the server said last of a label: other tabs may not have heard it yet. */
export interface Known {
  project: string;
  key: number;
  id: number;
  version: number;
  /** Number of the entry that was answered. */
  seq: number;
}

export interface Backlog {
  /** The last number that was given out. */
  last: number;
  /** In order of their numbers. */
  entries: Entry[];
  known: Known[];
}

export const EMPTY: Backlog = { last: 0, entries: [], known: [] };

const KNOWN_AT_MOST = 500;

export type NewEntry = Pick<Entry, "project" | "name" | "at" | "changes">;

const fresh = { body: null, sentAt: null, problem: null } as const;

const find = (backlog: Backlog, seq: number) => backlog.entries.find((entry) => entry.seq === seq);
const put = (backlog: Backlog, entry: Entry): Backlog => ({
  ...backlog,
  entries: backlog.entries.map((other) => (other.seq === entry.seq ? entry : other)),
});
const without = (backlog: Backlog, seq: number): Backlog => ({
  ...backlog,
  entries: backlog.entries.filter((entry) => entry.seq !== seq),
});
const append = (backlog: Backlog, entry: Entry): Backlog => {
  const last = backlog.last + 1;
  return { ...backlog, last, entries: [...backlog.entries, { ...entry, seq: last }] };
};

/** Keep a new commit. Where it changes labels of one in trouble, it goes into that; what was refused is then tried again. */
export function added(backlog: Backlog, entry: NewEntry, token: string): Backlog {
  const changes = entry.changes.map((change) => upToDate(backlog, entry.project, change));
  const made: Entry = { ...entry, ...fresh, changes, token, seq: backlog.last + 1 };
  const troubled = backlog.entries.find(
    (other) => other.problem && other.project === entry.project && touches(other, made),
  );
  if (!troubled) return append(backlog, made);
  // It may touch several in trouble: all become one.
  const others = backlog.entries.filter((other) => other !== troubled);
  const { entry: whole, left } = gathered(joined(troubled, made), others);
  const next = sorted({ ...backlog, entries: [...left, whole] });
  return whole.problem?.kind === "refused" ? again(next, whole.seq, token) : next;
}

const sorted = (backlog: Backlog): Backlog => ({
  ...backlog,
  entries: backlog.entries.toSorted((one, other) => one.seq - other.seq),
});

/** With what the outbox knows of the label better than the page that changed it. */
function upToDate({ entries, known }: Backlog, project: string, change: Change): Change {
  const before = entries.findLast((e) => e.project === project && e.changes.some(({ key }) => key === change.key));
  const waiting = before?.changes.find(({ key }) => key === change.key);
  if (waiting) return { ...change, id: waiting.id, version: waiting.version };
  const said = known.find((k) => k.project === project && k.key === change.key);
  return said && said.version > change.version ? { ...change, id: said.id, version: said.version } : change;
}

/** The server has saved an entry. */
export function answered(backlog: Backlog, seq: number, results: Result[]): Backlog {
  const entry = find(backlog, seq);
  if (!entry) return backlog;
  const { project } = entry;
  const told = without(backlog, seq).entries.map((e) => (e.project === project ? informed(e, results) : e));
  const heard = new Set(results.map(({ key }) => key));
  const known = [
    ...backlog.known.filter((k) => k.project !== project || !heard.has(k.key)),
    ...results.map(({ key, id, version }) => ({ project, key, id, version, seq })),
  ];
  const newest = known.toSorted((one, other) => one.seq - other.seq).slice(-KNOWN_AT_MOST);
  return { ...backlog, entries: told, known: newest };
}

/** The server has refused an entry, or somebody else has changed its labels. */
export function setAside(backlog: Backlog, seq: number, problem: Problem, token: string): Backlog {
  const entry = find(backlog, seq);
  if (!entry) return backlog;
  const waiting = backlog.entries.filter((other) => other !== entry);
  const { entry: whole, left } = gathered(entry, waiting);
  const settled = new Set(
    problem.theirs.filter(({ key, feature }) => agreed(whole, key, feature)).map(({ key }) => key),
  );
  const theirs = problem.theirs.filter(({ key }) => !settled.has(key));
  const changes = whole.changes.filter(({ key }) => !settled.has(key));
  const next = sorted({ ...backlog, entries: [...left, { ...whole, changes, problem: { ...problem, theirs } }] });
  // What was refused may have been put right meanwhile.
  const changed = problem.kind === "conflict" ? theirs.length === 0 : left.length < waiting.length;
  return changed ? again(next, seq, token) : next;
}

/** Do both want the same? */
function agreed(entry: Entry, key: number, feature: Problem["theirs"][number]["feature"]): boolean {
  const mine = entry.changes.find((change) => change.key === key)?.after ?? null;
  if (!mine || !feature) return !mine && !feature;
  return sameContent(mine, contentOf(feature, middle(mine)));
}

function middle({ geometry }: Content): number {
  const [west, , east] = boundsOf(geometry);
  return (west + east) / 2;
}

/** Send an entry once more: as a new request, behind all that waits. */
export function again(backlog: Backlog, seq: number, token: string): Backlog {
  const entry = find(backlog, seq);
  if (!entry) return backlog;
  const rest = without(backlog, seq);
  const changes = entry.changes.filter(
    ({ id, before, after }) => !sameContent(before, after) && (id !== null || after),
  );
  return changes.length > 0 ? append(rest, { ...entry, ...fresh, changes, token }) : rest;
}

/**
 * Decide a conflict.
 *
 * @param wanted what the label is to be, over what the other made of it; "theirs" leaves it as the other made it.
 */
export function decided(
  backlog: Backlog,
  seq: number,
  key: number,
  wanted: Content | null | "theirs",
  token: string,
): Backlog {
  const entry = find(backlog, seq);
  const conflict = entry?.problem?.theirs.find((theirs) => theirs.key === key);
  if (!entry?.problem || !conflict) return backlog;
  const theirs = entry.problem.theirs.filter((other) => other.key !== key);
  const changes = entry.changes.flatMap((change) => {
    if (change.key !== key) return [change];
    if (wanted === "theirs") return [];
    const before = conflict.feature ? contentOf(conflict.feature, middle(wanted ?? change.before ?? nowhere)) : null;
    return [{ ...change, before, after: wanted, version: conflict.version }];
  });
  const next = put(backlog, { ...entry, changes, problem: { ...entry.problem, theirs } });
  return theirs.length > 0 ? next : again(next, seq, token);
}

const nowhere: Content = { geometry: { type: "Point", coordinates: [0, 0] }, class: "", note: null, attributes: {} };

/** Take an entry back before it was saved. */
export const dropped = without;

/** The request of an entry, fixed when it is first sent. */
export function sealed(backlog: Backlog, seq: number, body: string, at: number): Backlog {
  const entry = find(backlog, seq);
  return entry && entry.body === null ? put(backlog, { ...entry, body, sentAt: at }) : backlog;
}
