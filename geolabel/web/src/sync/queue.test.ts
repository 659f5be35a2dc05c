import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type LabelBody, Refused, Unreachable } from "../api";
import type { LabelFeature } from "../types";
import type { Content } from "./content";
import { Labels } from "./labels";
import { SaveQueue } from "./queue";

/** A server in memory with the versions and the refusals of the real one. */
class Server {
  readonly rows = new Map<number, { version: number; content: Content | null }>();
  readonly calls: string[] = [];
  failures: Error[] = [];
  #last = 0;

  #enter(call: string): void {
    this.calls.push(call);
    const failure = this.failures.shift();
    if (failure) throw failure;
  }

  feature(id: number): LabelFeature {
    const { version, content } = this.#row(id);
    if (!content) throw new Refused(404, "gone");
    const properties = { class: content.class, note: content.note, version } as LabelFeature["properties"];
    return { type: "Feature", id, geometry: content.geometry, properties };
  }

  #row(id: number) {
    const row = this.rows.get(id);
    if (!row) throw new Refused(404, "There is no such label.");
    return row;
  }

  #check(id: number, version: number): void {
    const row = this.#row(id);
    if (version > 0 && version !== row.version) {
      throw new Refused(412, "Somebody else changed it first.", [], row.content ? this.feature(id) : null);
    }
  }

  /** A change by someone else. */
  change(id: number, content: Content | null): void {
    const row = this.rows.get(id);
    this.rows.set(id, { version: (row?.version ?? 0) + 1, content });
    this.#last = Math.max(this.#last, id);
  }

  async create(body: LabelBody) {
    this.#enter("POST");
    this.#last += 1;
    this.rows.set(this.#last, { version: 1, content: merge(null, body) });
    return { feature: this.feature(this.#last), version: 1 };
  }

  async update(id: number, body: LabelBody, version: number) {
    this.#enter(
      `PATCH ${id} ${Object.keys({ ...body, ...body.properties }).filter((k) => k !== "properties")} v${version}`,
    );
    const row = this.#row(id);
    if (!row.content) throw new Refused(404, `Label ${id} is deleted.`);
    this.#check(id, version);
    this.change(id, merge(row.content, body));
    return { feature: this.feature(id), version: row.version + 1 };
  }

  async replace(id: number, body: LabelBody, version: number) {
    this.#enter(`PUT ${id} v${version}`);
    this.#check(id, version);
    this.change(id, merge(null, body));
    return { feature: this.feature(id), version: this.#row(id).version };
  }

  async remove(id: number, version: number) {
    this.#enter(`DELETE ${id} v${version}`);
    const row = this.#row(id);
    if (!row.content) throw new Refused(404, `Label ${id} is deleted.`);
    this.#check(id, version);
    this.change(id, null);
    return row.version + 1;
  }
}

function merge(old: Content | null, { geometry, properties }: LabelBody): Content {
  return {
    geometry: geometry ?? old?.geometry ?? POINT,
    class: properties?.class ?? old?.class ?? "",
    note: properties?.note === undefined ? (old?.note ?? null) : properties.note,
    attributes: {},
  };
}

const POINT: Content["geometry"] = { type: "Point", coordinates: [1, 2] };
const WATER: Content = { geometry: POINT, class: "water", note: null, attributes: {} };
const FOREST: Content = { ...WATER, class: "forest" };
const MOVED: Content = { ...WATER, geometry: { type: "Point", coordinates: [3, 4] } };

let server: Server;
let labels: Labels;
let queue: SaveQueue;
let edits = 0;

function put(key: number, content: Content | null): void {
  labels.show(key, content);
  edits += 1;
  queue.push({ key, content, edit: edits });
}

/** Labels that the server has, loaded. */
function loaded(...contents: Content[]): void {
  contents.forEach((content, i) => {
    server.change(i + 1, content);
  });
  labels.load(
    [...server.rows.keys()].map((id) => server.feature(id)),
    [-180, -90, 180, 90],
    true,
    () => false,
  );
}

const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  labels = new Labels();
  queue = new SaveQueue(server, labels);
});
afterEach(() => {
  queue.stop();
  vi.useRealTimers();
});

describe("saving", () => {
  test("a new label gets its id, and its later edits use it", async () => {
    const key = labels.newKey();
    put(key, WATER);
    put(key, FOREST);
    await settle();
    expect(server.calls).toEqual(["POST", "PATCH 1 class v1"]);
    expect(labels.get(key)).toMatchObject({ id: 1, version: 2, content: FOREST, saved: FOREST });
    expect(queue.state).toMatchObject({ waiting: 0, stalled: null, troubles: [] });
    expect(queue.state.savedAt).not.toBeNull();
  });

  test("changes go one at a time, in order, each on the version before it", async () => {
    loaded(WATER, WATER);
    put(1, MOVED);
    put(2, FOREST);
    put(1, { ...MOVED, note: "shore" });
    await settle();
    expect(server.calls).toEqual(["PATCH 1 geometry v1", "PATCH 2 class v1", "PATCH 1 note v2"]);
  });

  test("what is already so is not sent", async () => {
    loaded(WATER);
    put(1, { ...WATER });
    await settle();
    expect(server.calls).toEqual([]);
  });

  test("undo of a delete brings the same label back", async () => {
    loaded(WATER);
    put(1, null);
    await settle();
    expect(labels.all()).toEqual([]);
    put(1, WATER);
    await settle();
    expect(server.calls).toEqual(["DELETE 1 v1", "PUT 1 v2"]);
    expect(labels.get(1)).toMatchObject({ id: 1, version: 3, content: WATER });
  });

  test("undo of a draw before it is saved deletes what came of it", async () => {
    const key = labels.newKey();
    put(key, WATER);
    put(key, null);
    await settle();
    expect(server.calls).toEqual(["POST", "DELETE 1 v1"]);
  });

  test("the server's doubles are taken over, unless a newer change waits", async () => {
    loaded(WATER);
    const rounded: Content = { ...WATER, geometry: { type: "Point", coordinates: [3.0000000000000004, 4] } };
    vi.spyOn(server, "update").mockImplementationOnce(async (id) => {
      server.change(id, rounded);
      return { feature: server.feature(id), version: 2 };
    });
    put(1, MOVED);
    await settle();
    expect(labels.get(1)?.content).toEqual(rounded);
  });
});

describe("no answer", () => {
  test("the change stays and is tried again, later each time", async () => {
    loaded(WATER);
    server.failures = [new Unreachable(), new Refused(503, "The database is locked.")];
    put(1, FOREST);
    await settle();
    expect(queue.state).toMatchObject({ waiting: 1, stalled: "The server cannot be reached." });
    await vi.advanceTimersByTimeAsync(1000);
    expect(queue.state.stalled).toBe("The database is locked.");
    await vi.advanceTimersByTimeAsync(1999);
    expect(server.calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.calls).toHaveLength(3);
    expect(queue.state).toMatchObject({ waiting: 0, stalled: null });
  });

  test("drawing goes on meanwhile, and Try now does not wait", async () => {
    loaded(WATER);
    server.failures = [new Unreachable()];
    put(1, FOREST);
    await settle();
    put(labels.newKey(), WATER);
    await settle();
    expect(server.calls).toEqual(["PATCH 1 class v1", "PATCH 1 class v1", "POST"]);
    expect(queue.state.waiting).toBe(0);
    queue.tryNow();
    await settle();
    expect(server.calls).toHaveLength(3);
  });
});

describe("refused", () => {
  const crossed = new Refused(422, "Its outline crosses itself.", [
    { pointer: "/geometry/coordinates/0/2", message: "" },
  ]);

  test("the user's shape stays, the others go on, Retry sends it again", async () => {
    loaded(WATER, WATER);
    server.failures = [crossed];
    put(1, MOVED);
    put(2, FOREST);
    await settle();
    expect(labels.get(1)?.content).toBe(MOVED);
    expect(labels.get(2)?.saved).toEqual(FOREST);
    expect(queue.state.troubles).toMatchObject([
      { kind: "refused", key: 1, sentence: "Its outline crosses itself.", pointers: ["/geometry/coordinates/0/2"] },
    ]);
    expect(queue.busy(1)).toBe(true);
    queue.retry(1);
    await settle();
    expect(queue.state.troubles).toEqual([]);
    expect(labels.get(1)?.saved).toEqual(MOVED);
  });

  test("Discard puts back what the server has; a label that never was is gone", async () => {
    loaded(WATER);
    const key = labels.newKey();
    server.failures = [crossed, crossed];
    put(1, MOVED);
    put(key, FOREST);
    await settle();
    queue.discard(1);
    queue.discard(key);
    expect(labels.all()).toMatchObject([{ key: 1, content: WATER }]);
    expect(queue.state.troubles).toEqual([]);
  });

  test("the next edit of the label takes the place of what was refused", async () => {
    loaded(WATER);
    server.failures = [crossed];
    put(1, MOVED);
    await settle();
    put(1, { ...MOVED, class: "forest" });
    await settle();
    expect(server.calls.at(-1)).toBe("PATCH 1 geometry,class v1");
    expect(queue.state.troubles).toEqual([]);
  });
});

describe("changed by someone else", () => {
  beforeEach(async () => {
    loaded(WATER);
    server.change(1, FOREST);
  });

  test("it is said, with what the server has", async () => {
    put(1, MOVED);
    put(1, { ...MOVED, note: "later" });
    await settle();
    expect(queue.state).toMatchObject({
      waiting: 0,
      troubles: [
        { kind: "conflict", content: { ...MOVED, note: "later" }, current: { properties: { class: "forest" } } },
      ],
    });
  });

  test("Keep mine writes what the user changed over it; the rest stays theirs", async () => {
    put(1, MOVED);
    await settle();
    queue.keepMine(1);
    await settle();
    expect(server.calls.at(-1)).toBe("PATCH 1 geometry v2");
    expect(server.rows.get(1)?.content).toEqual({ ...MOVED, class: "forest" });
    expect(labels.get(1)?.content).toEqual({ ...MOVED, class: "forest" });
  });

  test("Take theirs shows it, and the next edit builds on it", async () => {
    put(1, MOVED);
    await settle();
    queue.discard(1);
    expect(labels.get(1)).toMatchObject({ content: FOREST, version: 2 });
    put(1, { ...FOREST, note: "seen" });
    await settle();
    expect(server.calls.at(-1)).toBe("PATCH 1 note v2");
  });

  test("deleted by someone else: Keep mine brings it back", async () => {
    server.change(1, null);
    put(1, MOVED);
    await settle();
    expect(queue.state.troubles).toMatchObject([{ kind: "conflict", current: null }]);
    queue.keepMine(1);
    await settle();
    expect(server.calls.at(-1)).toBe("PUT 1 v0");
    expect(server.rows.get(1)?.content).toEqual(MOVED);
  });

  test("deleted by both is no conflict", async () => {
    server.change(1, null);
    put(1, null);
    await settle();
    expect(queue.state).toMatchObject({ waiting: 0, troubles: [] });
  });
});

test("a load does not touch a label that has changes under way", async () => {
  loaded(WATER);
  server.failures = [new Unreachable()];
  put(1, MOVED);
  await settle();
  server.change(1, FOREST);
  labels.load([server.feature(1)], [-180, -90, 180, 90], true, (key) => queue.busy(key));
  expect(labels.get(1)?.content).toBe(MOVED);
});
