import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Refused, Unreachable } from "../api";
import type { Content } from "./content";
import { pendingOf } from "./entry";
import { FakeServer } from "./fakeServer";
import { Labels } from "./labels";
import { type Channel, Outbox } from "./outbox";
import { Sender } from "./sender";
import { MemoryShelf } from "./shelf";

const at = (x: number): Content["geometry"] => ({ type: "Point", coordinates: [x, 0] });
const WATER: Content = { geometry: at(1), class: "water", note: null, attributes: {} };
const FOREST: Content = { ...WATER, class: "forest" };
const MOVED: Content = { ...WATER, geometry: at(3) };
const REFUSED: Content = { ...WATER, geometry: at(13) };
const silent: Channel = { postMessage() {}, onmessage: null, close() {} };
const lost = (done: boolean) => ({ error: new Unreachable(), done });

let server: FakeServer;
let shelf: MemoryShelf;
let labels: Labels;
let outbox: Outbox;
let sender: Sender;

/** A page on what the shelf keeps. */
async function open(): Promise<void> {
  labels = new Labels();
  outbox = new Outbox(Promise.resolve(shelf), silent);
  outbox.listen({
    changed: () => labels.setPending(pendingOf(outbox.entries, "p")),
    answered: (_, results) => labels.adopt(results),
  });
  labels.onCommit = (name, steps) => {
    const changes = steps.map(({ key, before, after }) => {
      const { id = null, version = 0 } = labels.get(key) ?? {};
      return { key, id, version, before, after };
    });
    void outbox.add({ project: "p", name, at: 0, changes });
  };
  await settle();
  labels.take([...server.rows].flatMap(([id, { content }]) => (content ? [server.feature(id)] : [])));
  sender = new Sender(outbox, server.batch, () => {});
  await settle();
}

/** The tab is killed. */
function kill(): void {
  sender.stop();
  outbox.close();
}

const put = (key: number, after: Content | null) => labels.commit([{ key, after }], "Change");
const settle = () => vi.advanceTimersByTimeAsync(0);
const shown = (key: number) => labels.get(key)?.content ?? null;
const sent = () => server.requests.map((body) => JSON.parse(body));
const problems = () => outbox.entries.flatMap(({ problem }) => problem?.kind ?? []);

beforeEach(async () => {
  vi.useFakeTimers();
  server = new FakeServer();
  shelf = new MemoryShelf();
});
afterEach(() => {
  kill();
  vi.useRealTimers();
});

describe("saving", () => {
  test("a new label gets its id, and its later changes use it", async () => {
    await open();
    const key = labels.newKey();
    put(key, WATER);
    put(key, FOREST);
    await settle();
    expect(sent()[1].update).toEqual([{ id: 1, version: 1, properties: { class: "forest" } }]);
    expect(labels.get(key)).toMatchObject({ id: 1, version: 2, content: FOREST, saved: FOREST });
    expect(outbox.entries).toEqual([]);
  });

  test("what was done together is one batch", async () => {
    server.write(WATER);
    server.write(WATER);
    await open();
    const key = labels.newKey();
    labels.commit(
      [
        { key: 1, after: MOVED },
        { key: 2, after: null },
        { key, after: FOREST },
      ],
      "Merge",
    );
    await settle();
    expect(sent()).toMatchObject([
      {
        comment: "Merge",
        create: [{ properties: { class: "forest" } }],
        update: [{ id: 1, version: 1, geometry: at(3) }],
        delete: [{ id: 2, version: 1 }],
      },
    ]);
    expect(Object.keys(sent()[0].update[0])).not.toContain("properties");
  });

  test("undo of a delete brings the same label back", async () => {
    server.write(WATER);
    await open();
    put(1, null);
    await settle();
    expect(labels.all()).toEqual([]);
    put(1, WATER);
    await settle();
    expect(server.rows.get(1)).toEqual({ version: 3, content: WATER });
    expect(shown(1)).toEqual(WATER);
  });

  test("drawn and undone before it was saved", async () => {
    server.failures.push(lost(false));
    await open();
    const key = labels.newKey();
    put(key, WATER);
    await settle();
    put(key, null);
    expect(labels.all()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.rows.get(1)?.content).toBeNull();
    expect(outbox.entries).toEqual([]);
  });
});

describe("no answer", () => {
  test("the change stays and is tried again, later each time; the same request has its effect once", async () => {
    server.failures.push(lost(true), { error: new Refused(503, "Locked."), done: false });
    await open();
    put(labels.newKey(), WATER);
    await settle();
    expect(sender.state.stall).toMatchObject({ kind: "away", sentence: "The server cannot be reached." });
    await vi.advanceTimersByTimeAsync(1000);
    expect(sender.state.stall?.sentence).toBe("Locked.");
    await vi.advanceTimersByTimeAsync(1999);
    expect(server.requests).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(sender.state.stall).toBeNull();
    expect(server.rows.size).toBe(1);
    expect(new Set(server.requests).size).toBe(1);
  });

  test("it waits a minute at most, and Try now does not wait", async () => {
    for (let i = 0; i < 12; i += 1) server.failures.push(lost(false));
    await open();
    put(labels.newKey(), WATER);
    await vi.advanceTimersByTimeAsync(1000 + 2000 + 4000 + 8000 + 16_000 + 32_000);
    expect(server.requests).toHaveLength(7);
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.requests).toHaveLength(9);
    outbox.hurry();
    await settle();
    expect(server.requests).toHaveLength(10);
  });

  test("signed out: everything is kept, and goes out when the server takes it again", async () => {
    server.failures.push({ error: new Refused(401, "Sign in first."), done: false });
    await open();
    put(labels.newKey(), WATER);
    await settle();
    expect(sender.state.stall).toMatchObject({ kind: "signed-out", sentence: "Sign in first." });
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.rows.size).toBe(1);
  });

  test("a tab that is killed leaves its work to the next one, which shows it at once", async () => {
    server.write(WATER);
    server.failures.push(lost(true), lost(false));
    await open();
    put(1, FOREST);
    put(1, { ...FOREST, note: "shore" });
    put(-7, MOVED);
    await settle();
    kill();
    await open();
    expect(shown(1)).toEqual({ ...FOREST, note: "shore" });
    expect(shown(-7)).toEqual(MOVED);
    await vi.advanceTimersByTimeAsync(1000);
    expect(outbox.entries).toEqual([]);
    expect(server.rows.get(1)).toEqual({ version: 3, content: { ...FOREST, note: "shore" } });
    expect(server.rows.size).toBe(2);
  });
});

describe("refused", () => {
  test("the user's shape stays, the others go on; what the user does next is tried with it", async () => {
    server.write(WATER);
    server.write(WATER);
    await open();
    put(1, REFUSED);
    put(2, FOREST);
    await settle();
    expect(shown(1)).toEqual(REFUSED);
    expect(labels.get(2)?.saved).toEqual(FOREST);
    expect(outbox.entries[0]?.problem).toMatchObject({
      kind: "refused",
      sentence: "Its outline crosses itself.",
      places: [{ key: 1, pointer: "/geometry/coordinates" }],
    });
    put(1, { ...REFUSED, note: "still" });
    await settle();
    expect(problems()).toEqual(["refused"]);
    put(1, { ...MOVED, note: "put right" });
    await settle();
    expect(outbox.entries).toEqual([]);
    expect(server.rows.get(1)).toEqual({ version: 2, content: { ...MOVED, note: "put right" } });
  });

  test("taken back: a label is what the server has, one that never was is gone", async () => {
    server.write(WATER);
    await open();
    put(1, REFUSED);
    put(-7, REFUSED);
    await settle();
    for (const { seq } of outbox.entries) await outbox.drop(seq);
    expect(labels.all()).toMatchObject([{ key: 1, content: WATER }]);
  });
});

describe("changed by somebody else", () => {
  beforeEach(async () => {
    server.write(WATER);
    server.write(WATER);
    await open();
    server.write(FOREST, 1);
  });
  const decide = (wanted: Content | null | "theirs") => outbox.decide(outbox.entries[0]?.seq ?? 0, 1, wanted);

  test("it is said, with what the server has; later changes of the label stay with it", async () => {
    put(1, MOVED);
    put(1, { ...MOVED, note: "later" });
    put(2, FOREST);
    await settle();
    const [entry, more] = outbox.entries;
    expect(more).toBeUndefined();
    expect(entry?.problem).toMatchObject({ kind: "conflict", theirs: [{ key: 1, version: 2 }] });
    expect(entry?.problem?.theirs[0]?.feature?.properties.class).toBe("forest");
    expect(shown(1)).toEqual({ ...MOVED, note: "later" });
    expect(server.rows.get(2)?.content).toEqual(FOREST);
  });

  test("mine, or a mixture, becomes the next version; theirs stays in the history", async () => {
    put(1, MOVED);
    await settle();
    await decide({ ...MOVED, class: "forest" });
    await settle();
    expect(sent().at(-1).update).toEqual([{ id: 1, version: 2, geometry: at(3) }]);
    expect(shown(1)).toEqual({ ...MOVED, class: "forest" });
    expect(server.past.get(1)?.map(({ content }) => content)).toContainEqual(FOREST);
  });

  test("theirs is shown, and the next change builds on it", async () => {
    put(1, MOVED);
    await settle();
    await decide("theirs");
    expect(labels.get(1)).toMatchObject({ content: FOREST, version: 2 });
    put(1, { ...FOREST, note: "seen" });
    await settle();
    expect(sent().at(-1).update).toEqual([{ id: 1, version: 2, properties: { note: "seen" } }]);
  });

  test("deleted by them: mine brings it back", async () => {
    server.write(null, 1);
    put(1, MOVED);
    await settle();
    expect(outbox.entries[0]?.problem?.theirs).toEqual([{ key: 1, feature: null, version: 3 }]);
    await decide(MOVED);
    await settle();
    expect(server.rows.get(1)).toEqual({ version: 4, content: MOVED });
  });

  test("both wanted the same: no conflict", async () => {
    put(1, FOREST);
    await settle();
    expect(outbox.entries).toEqual([]);
    server.write(null, 1);
    put(1, null);
    await settle();
    expect(outbox.entries).toEqual([]);
  });

  test("what was done together waits together", async () => {
    labels.commit(
      [
        { key: 1, after: MOVED },
        { key: 2, after: null },
      ],
      "Merge",
    );
    await settle();
    expect(server.rows.get(2)?.content).toEqual(WATER);
    await decide("theirs");
    await settle();
    expect(server.rows.get(2)?.content).toBeNull();
  });
});
