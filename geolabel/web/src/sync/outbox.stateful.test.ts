/** Any order of edits, lost answers, refusals, sign-outs, killed tabs and other people: nothing acknowledged is lost. */
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Refused, Unreachable } from "../api";
import type { Content } from "./content";
import { pendingOf } from "./entry";
import { FakeServer } from "./fakeServer";
import { Labels } from "./labels";
import { type Channel, Outbox } from "./outbox";
import { Sender } from "./sender";
import { MemoryShelf } from "./shelf";

type Command =
  | { kind: "edit"; label: number; x: number }
  | { kind: "name"; label: number; name: string }
  | { kind: "delete"; label: number }
  | { kind: "draw"; x: number }
  | { kind: "both"; one: number; other: number; x: number }
  | { kind: "theirs"; label: number; x: number }
  | { kind: "theyDelete"; label: number }
  | { kind: "fail"; how: "before" | "after" | "401" | "500" }
  | { kind: "wait"; ms: number }
  | { kind: "kill" }
  | { kind: "decide"; mine: boolean };

const label = fc.nat(3);
const x = fc.integer({ min: 0, max: 12 });
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant("edit" as const), label, x }),
  fc.record({ kind: fc.constant("name" as const), label, name: fc.constantFrom("water", "forest") }),
  fc.record({ kind: fc.constant("delete" as const), label }),
  fc.record({ kind: fc.constant("draw" as const), x }),
  fc.record({ kind: fc.constant("both" as const), one: label, other: label, x }),
  fc.record({ kind: fc.constant("theirs" as const), label, x }),
  fc.record({ kind: fc.constant("theyDelete" as const), label }),
  fc.record({ kind: fc.constant("fail" as const), how: fc.constantFrom("before", "after", "401", "500") }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(0, 500, 3000, 70_000) }),
  fc.record({ kind: fc.constant("kill" as const) }),
  fc.record({ kind: fc.constant("decide" as const), mine: fc.boolean() }),
);

const point = (at: number, name = "water"): Content => ({
  geometry: { type: "Point", coordinates: [at, 0] },
  class: name,
  note: null,
  attributes: {},
});
const silent: Channel = { postMessage() {}, onmessage: null, close() {} };
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

class World {
  readonly server = new FakeServer();
  readonly shelf = new MemoryShelf();
  /** Each edit leaves a mark in the note of its label, which must come to the server's history. */
  readonly acknowledged = new Set<string>();
  /** Marks that the user gave up in a conflict, or put another state in the place of. */
  readonly settled = new Set<string>();
  #marks = 0;
  labels = new Labels();
  outbox = new Outbox(Promise.resolve(this.shelf), silent);
  sender: Sender | null = null;

  async open(): Promise<void> {
    this.labels = new Labels();
    const { labels } = this;
    this.outbox = new Outbox(Promise.resolve(this.shelf), silent);
    this.outbox.listen({
      changed: () => labels.setPending(pendingOf(this.outbox.entries, "p")),
      answered: (_, results) => labels.adopt(results),
    });
    labels.onCommit = (name, steps) => {
      const changes = steps.map(({ key, before, after }) => {
        const { id = null, version = 0 } = labels.get(key) ?? {};
        return { key, id, version, before, after };
      });
      void this.outbox.add({ project: "p", name, at: 0, changes });
    };
    await settle();
    this.load();
    this.sender = new Sender(this.outbox, this.server.batch, () => {});
  }

  load(): void {
    this.labels.take([...this.server.rows].flatMap(([id, { content }]) => (content ? [this.server.feature(id)] : [])));
  }

  kill(): void {
    this.sender?.stop();
    this.outbox.close();
  }

  async commit(edits: { key: number; after: Content | null }[]): Promise<void> {
    this.#marks += 1;
    const mark = String(this.#marks);
    for (const { key } of edits) this.settled.add(this.labels.get(key)?.content?.note ?? "");
    const marked = edits.map(({ key, after }) => ({ key, after: after && { ...after, note: mark } }));
    this.labels.commit(marked, "Change");
    await settle(); // on the shelf: acknowledged
    if (marked.some(({ after }) => after)) this.acknowledged.add(mark);
  }

  keyAt(n: number): number | undefined {
    const all = this.labels.all();
    return all[n % Math.max(1, all.length)]?.key;
  }

  async run(step: Command): Promise<void> {
    const { server, labels } = this;
    const shown = (key: number | undefined) => (key === undefined ? null : (labels.get(key)?.content ?? null));
    const ids = [...server.rows].filter(([, { content }]) => content).map(([id]) => id);
    if (step.kind === "draw") await this.commit([{ key: labels.newKey(), after: point(step.x) }]);
    else if (step.kind === "edit" || step.kind === "name" || step.kind === "delete") {
      const key = this.keyAt(step.label);
      const content = shown(key);
      if (key === undefined || !content) return;
      const after =
        step.kind === "edit"
          ? { ...content, geometry: point(step.x).geometry }
          : step.kind === "name"
            ? { ...content, class: step.name }
            : null;
      await this.commit([{ key, after }]);
    } else if (step.kind === "both") {
      const keys = new Set([this.keyAt(step.one), this.keyAt(step.other)]);
      const edits = [...keys].flatMap((key) => {
        const content = shown(key);
        return key !== undefined && content ? [{ key, after: { ...content, geometry: point(step.x).geometry } }] : [];
      });
      if (edits.length > 0) await this.commit(edits);
    } else if (step.kind === "theirs" || step.kind === "theyDelete") {
      const id = ids[step.label % Math.max(1, ids.length)];
      if (id === undefined) return;
      server.write(step.kind === "theirs" ? { ...point(step.x, "theirs"), note: "theirs" } : null, id);
    } else if (step.kind === "fail") {
      const errors = {
        before: new Unreachable(),
        after: new Unreachable(),
        401: new Refused(401, ""),
        500: new Refused(500, ""),
      };
      server.failures.push({ error: errors[step.how], done: step.how === "after" });
    } else if (step.kind === "wait") await settle(step.ms);
    else if (step.kind === "kill") {
      this.kill();
      await this.open();
    } else await this.decide(step.mine);
  }

  /** Decide the first conflict; what the user gives up is not owed any more. */
  async decide(mine: boolean): Promise<boolean> {
    const entry = this.outbox.entries.find(({ problem }) => problem?.kind === "conflict");
    const theirs = entry?.problem?.theirs[0];
    const change = entry?.changes.find(({ key }) => key === theirs?.key);
    if (!entry || !theirs || !change) return false;
    if (!mine && change.after?.note) this.settled.add(change.after.note);
    await this.outbox.decide(entry.seq, theirs.key, mine ? change.after : "theirs");
    await settle();
    return true;
  }

  /** The last marks that each label bears, in the history of the server. */
  saved(): Set<string> {
    return new Set([...this.server.past.values()].flat().flatMap(({ content }) => content?.note ?? []));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("whatever happens, what was acknowledged comes to the server, once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
      const world = new World();
      for (let n = 0; n < 3; n += 1) world.server.write(point(n));
      await world.open();
      for (const step of commands) await world.run(step);
      world.server.failures.length = 0;
      for (let turn = 0; turn < 30; turn += 1) {
        await settle(120_000);
        if (!(await world.decide(true))) break;
      }
      await settle(120_000);
      world.kill();
      expect(world.outbox.entries).toEqual([]);
      // Each label is at last what this page shows of it, unless somebody wrote later; no version was skipped.
      for (const states of world.server.past.values())
        expect(states.map(({ version }) => version)).toEqual(states.map((_, i) => i + 1));
      const drawn = commands.filter(({ kind }) => kind === "draw").length;
      expect(world.server.rows.size).toBe(3 + drawn);
      const saved = world.saved();
      const owed = [...world.acknowledged].filter((mark) => !world.settled.has(mark));
      expect(owed.filter((mark) => !saved.has(mark))).toEqual([]);
      for (const { id, content, version } of world.labels.all()) {
        const row = id === null ? undefined : world.server.rows.get(id);
        if (row && row.version === version) expect(row.content?.note ?? null).toBe(content.note);
      }
    }),
    { numRuns: 150, seed: 41 },
  );
}, 60_000);
