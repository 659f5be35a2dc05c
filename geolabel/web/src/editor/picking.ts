/** Ways to select many labels at once, or the next one; also labels that the page has not read yet. */

import { Unreachable } from "../api";
import { plural } from "../format";
import type { Session } from "../session.svelte";
import type { LiveLabel } from "../sync/labels";
import type { Bounds, LabelFeature, Position } from "../types";
import { boundsOf, vertices, within } from "./geometry";
import { insideRing } from "./parts";
import { nextOf } from "./stepping";

const union = (session: Session, keys: number[], add: boolean): number[] =>
  add ? [...new Set([...session.selection, ...keys])] : keys;

/** All labels that lie wholly in a box. */
export function pickInside(session: Session, box: Bounds, add: boolean): void {
  const inside = session
    .open()
    .filter((label) => within(boundsOf(label.content.geometry), box))
    .map((label) => label.key);
  session.select(union(session, inside, add));
}

/** All labels that lie wholly in a ring. */
export function pickInRing(session: Session, ring: Position[], add: boolean): void {
  const inside = session
    .open()
    .filter(({ content }) => vertices(content.geometry).every(({ position }) => insideRing(ring, position)))
    .map((label) => label.key);
  session.select(union(session, inside, add));
  if (inside.length === 0) session.say("No label lies wholly inside the lasso.");
}

/** All labels of a class that are here. */
export function pickClassmates(session: Session, name: string): void {
  const all = session.open().filter(({ content }) => content.class === name);
  session.select(all.map((label) => label.key));
  session.say(
    all.length > 0 ? `${plural(all.length, "label", "labels")} of ${name} selected.` : `There is no ${name} here.`,
  );
}

/** Select labels by their numbers, also those that are not loaded; gives the box of those that are there. */
export async function pickIds(session: Session, ids: number[]): Promise<Bounds | null> {
  const { labels } = session;
  const missing = ids.filter((id) => labels.keyOf(id) === undefined);
  const features = await Promise.all(missing.map((id) => session.items.one(id)));
  labels.load(features, [0, 0, 0, 0], false);
  if (session.tool !== "select") session.pickTool("select");
  const keys = ids.map((id) => labels.keyOf(id)).filter((key) => key !== undefined);
  session.select(keys.filter((key) => labels.get(key)?.content));
  for (const { content } of session.selected()) session.palette.reveal(content.class);
  return session.bounds();
}

/** The next label, in order of id, that waits for a review, wherever it lies; null when none does. */
export async function pickToReview(session: Session): Promise<LiveLabel | null> {
  const { items } = session;
  const after = session.selected()[0]?.id ?? 0;
  return await asked(session, false, "No label waits for a review.", async () => {
    return (await items.first("suggested", after)) ?? (await items.first("suggested", 0));
  });
}

/** The next or previous label of those that are here, from the one that was selected last; `add` keeps those that are. */
export function step(session: Session, by: 1 | -1, add = false): LiveLabel | undefined {
  const all = session.open();
  const last = session.selection.at(-1);
  const open = add ? all.filter(({ key }) => key === last || !session.selection.includes(key)) : all;
  const at = open.findIndex((label) => label.key === last);
  const next = open[at === -1 ? (by === 1 ? 0 : open.length - 1) : (at + by + open.length) % open.length];
  if (next && next.key !== last) session.select(add ? [...session.selection, next.key] : [next.key]);
  return next;
}

/**
 * The same where the page knows few of very many labels: in order of id, wherever the label lies.
 *
 * @param whole whether the page knows all labels in view: it steps through these while the server is away.
 */
export async function stepFar(session: Session, by: 1 | -1, add = false, whole = false): Promise<LiveLabel | null> {
  const last = session.labels.get(session.selection.at(-1) ?? 0)?.id ?? null;
  const none = by === 1 ? "No label comes after this one." : "No label comes before this one.";
  const taken = new Set(add ? session.selection.map((key) => session.labels.get(key)?.id) : []);
  const open = ({ id, properties }: LabelFeature) =>
    !session.palette.hidden.has(properties.class) && !session.palette.locked.has(properties.class) && !taken.has(id);
  const here = () => {
    session.say("The server cannot be reached: these are the labels in view alone.");
    return step(session, by, add) ?? null;
  };
  return await asked(session, add, none, () => nextOf(session.items, last, by, open), whole ? here : undefined);
}

/** Select a label that the server finds; says why when there is none. */
async function asked(
  session: Session,
  add: boolean,
  none: string,
  find: () => Promise<LabelFeature | null>,
  away?: () => LiveLabel | null,
): Promise<LiveLabel | null> {
  const { labels } = session;
  try {
    const found = await find();
    if (!found) session.say(none);
    if (!found) return null;
    labels.take([found]);
    const label = labels.get(labels.keyOf(found.id) ?? found.id);
    if (!label?.content) return null;
    session.select(add ? [...session.selection, label.key] : [label.key]);
    return label as LiveLabel;
  } catch (error) {
    if (away && error instanceof Unreachable) return away();
    session.say(error instanceof Error ? error.message : String(error));
    return null;
  }
}
