/** Where the backlog is kept: in IndexedDB, which outlives the page and is shared by the tabs. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { type Backlog, EMPTY, type Known } from "./backlog";
import type { Entry } from "./entry";

/** Keeps a backlog through one step at a time, whoever takes it. */
export interface Shelf {
  /** False when it ends with the page. */
  readonly lasting: boolean;
  /** @returns the backlog after the step; rejects when it could not be kept. */
  change(step: (backlog: Backlog) => Backlog): Promise<Backlog>;
}

interface Schema extends DBSchema {
  entries: { key: number; value: Entry };
  known: { key: [string, number]; value: Known };
  last: { key: string; value: number };
}

export class DatabaseShelf implements Shelf {
  readonly lasting = true;

  private constructor(private readonly database: IDBPDatabase<Schema>) {}

  static async open(name = "geolabel"): Promise<DatabaseShelf> {
    const database = await openDB<Schema>(name, 1, {
      upgrade(made) {
        made.createObjectStore("entries", { keyPath: "seq" });
        made.createObjectStore("known", { keyPath: ["project", "key"] });
        made.createObjectStore("last");
      },
    });
    return new DatabaseShelf(database);
  }

  async change(step: (backlog: Backlog) => Backlog): Promise<Backlog> {
    // Strict: on the disk when it says so, not in the buffers of the system.
    const transaction = this.database.transaction(["entries", "known", "last"], "readwrite", { durability: "strict" });
    const entries = transaction.objectStore("entries");
    const known = transaction.objectStore("known");
    const last = transaction.objectStore("last");
    const [all, said, count] = await Promise.all([entries.getAll(), known.getAll(), last.get("last")]);
    const before: Backlog = { last: count ?? 0, entries: all, known: said };
    const after = step(before);
    const kept = new Set(after.entries);
    const stays = new Set(after.entries.map(({ seq }) => seq));
    const writes: Promise<unknown>[] = [];
    for (const entry of all) if (!stays.has(entry.seq)) writes.push(entries.delete(entry.seq));
    for (const entry of kept) if (!all.includes(entry)) writes.push(entries.put(entry));
    for (const one of said) if (!after.known.includes(one)) writes.push(known.delete([one.project, one.key]));
    for (const one of after.known) if (!said.includes(one)) writes.push(known.put(one));
    if (after.last !== before.last) writes.push(last.put(after.last, "last"));
    await Promise.all([...writes, transaction.done]);
    return after;
  }

  close(): void {
    this.database.close();
  }
}

/** For a browser that keeps nothing for us: what waits is lost with the page. */
export class MemoryShelf implements Shelf {
  readonly lasting = false;
  #backlog: Backlog;

  constructor(backlog: Backlog = EMPTY) {
    this.#backlog = backlog;
  }

  async change(step: (backlog: Backlog) => Backlog): Promise<Backlog> {
    this.#backlog = step(this.#backlog);
    return this.#backlog;
  }
}
