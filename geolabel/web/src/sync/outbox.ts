/**
 * The outbox: every commit is kept here before it is sent, so that closing the page, a crash or a server that is away
 * loses nothing. All tabs of the browser share it.
 */
import * as steps from "./backlog";
import type { Content } from "./content";
import type { BatchAnswer, Entry, Problem, Result } from "./entry";
import { bodyOf, resultsOf } from "./entry";
import { DatabaseShelf, MemoryShelf, type Shelf } from "./shelf";

/** What tabs say to each other. */
export type Message = { kind: "changed" } | { kind: "answered"; project: string; results: Result[] } | { kind: "try" };

/** The part of BroadcastChannel that is used; it does not hear itself. */
export interface Channel {
  postMessage(message: Message): void;
  onmessage: ((event: MessageEvent<Message>) => void) | null;
  close(): void;
}

const newToken = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
};

export interface Listener {
  /** What waits is another. */
  changed?(): void;
  /** The server has saved something, for this tab or another one. */
  answered?(project: string, results: Result[]): void;
  /** The user wants what waits to be sent now. */
  hurried?(): void;
}

export class Outbox {
  #shelf: Promise<Shelf>;
  #lasting = true;
  #backlog = steps.EMPTY;
  /** Committed, and not yet on the shelf. */
  #arriving: Entry[] = [];
  readonly #listeners = new Set<Listener>();

  /** @param shelf where it is kept; when that cannot be opened, in this page alone. */
  constructor(
    shelf: Promise<Shelf> = DatabaseShelf.open(),
    private readonly channel: Channel = new BroadcastChannel("geolabel:outbox"),
    private readonly now: () => number = Date.now,
  ) {
    this.#shelf = shelf.catch(() => new MemoryShelf());
    void this.#shelf.then((opened) => {
      this.#lasting = opened.lasting;
      return this.#take((backlog) => backlog);
    });
    this.channel.onmessage = ({ data }) => this.#hear(data);
  }

  /** Everything that waits or is in trouble, oldest first. */
  get entries(): readonly Entry[] {
    return [...this.#backlog.entries, ...this.#arriving];
  }

  /** Commits that would be lost if the page were closed at this moment. */
  get losable(): number {
    return this.#lasting ? this.#arriving.length : this.entries.length;
  }

  /** Does what waits outlive the page? */
  get lasting(): boolean {
    return this.#lasting;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keep a commit; resolves when it is safe. */
  async add(entry: steps.NewEntry): Promise<void> {
    const token = newToken();
    const arriving: Entry = { ...entry, seq: Number.MAX_SAFE_INTEGER, token, body: null, sentAt: null, problem: null };
    this.#arriving.push(arriving);
    this.#changed();
    await this.#take((backlog) => steps.added(backlog, entry, token), { arrived: arriving });
  }

  /** The request of an entry, the same each time; null when it is not there any more, or nothing is left of it. */
  async seal(seq: number): Promise<{ entry: Entry; body: string } | null> {
    const backlog = await this.#take((before) => {
      const entry = before.entries.find((e) => e.seq === seq);
      const body = entry && bodyOf(entry);
      if (!entry) return before;
      return body ? steps.sealed(before, seq, body, this.now()) : steps.dropped(before, seq);
    });
    const entry = backlog.entries.find((e) => e.seq === seq);
    return entry?.body ? { entry, body: entry.body } : null;
  }

  async answer(entry: Entry, answer: BatchAnswer): Promise<void> {
    const results = resultsOf(entry, answer);
    const told = { project: entry.project, results };
    await this.#take((backlog) => steps.answered(backlog, entry.seq, results), { told });
  }

  setAside(seq: number, problem: Problem): Promise<unknown> {
    return this.#take((backlog) => steps.setAside(backlog, seq, problem, newToken()));
  }

  /** Send once more what was refused. */
  retry(seq: number): Promise<unknown> {
    return this.#take((backlog) => steps.again(backlog, seq, newToken()));
  }

  /** Take back what was refused. */
  drop(seq: number): Promise<unknown> {
    return this.#take((backlog) => steps.dropped(backlog, seq));
  }

  /** Decide what becomes of a label that was changed twice. */
  async decide(seq: number, key: number, wanted: Content | null | "theirs"): Promise<void> {
    const entry = this.#backlog.entries.find((e) => e.seq === seq);
    const theirs = entry?.problem?.theirs.find((t) => t.key === key);
    const id = entry?.changes.find((change) => change.key === key)?.id;
    const told = entry && theirs && id ? { project: entry.project, results: [{ ...theirs, id, sent: null }] } : null;
    await this.#take((backlog) => steps.decided(backlog, seq, key, wanted, newToken()), { told });
  }

  /** Have what waits sent now, by whichever tab sends. */
  hurry(): void {
    for (const listener of this.#listeners) listener.hurried?.();
    this.channel.postMessage({ kind: "try" });
  }

  close(): void {
    this.channel.close();
    this.#listeners.clear();
  }

  /**
   * One step, in the order in which they were asked for.
   *
   * @param arrived the commit that is safe after it.
   * @param told what the listeners hear of labels with it, before they see it.
   */
  async #take(
    step: (backlog: steps.Backlog) => steps.Backlog,
    { arrived, told }: { arrived?: Entry; told?: Omit<Extract<Message, { kind: "answered" }>, "kind"> | null } = {},
  ): Promise<steps.Backlog> {
    let same = false;
    const backlog = await this.#change((before) => {
      const after = step(before);
      same = after === before;
      return after;
    });
    this.#arriving = this.#arriving.filter((entry) => entry !== arrived);
    this.#backlog = backlog;
    if (told) {
      this.#answered(told.project, told.results);
      this.channel.postMessage({ kind: "answered", ...told });
    }
    this.#changed();
    if (!same) this.channel.postMessage({ kind: "changed" });
    return backlog;
  }

  async #change(step: (backlog: steps.Backlog) => steps.Backlog): Promise<steps.Backlog> {
    try {
      return await (await this.#shelf).change(step);
    } catch (error) {
      // The disk is full, or the database was taken away: from now on this page alone keeps what waits.
      console.warn("What waits cannot be kept in this browser any more:", error);
      const memory = new MemoryShelf(this.#backlog);
      this.#shelf = Promise.resolve(memory);
      this.#lasting = false;
      return memory.change(step);
    }
  }

  #hear(message: Message): void {
    if (message.kind === "changed") void this.#take((backlog) => backlog);
    else if (message.kind === "answered") this.#answered(message.project, message.results);
    else for (const listener of this.#listeners) listener.hurried?.();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener.changed?.();
  }

  #answered(project: string, results: Result[]): void {
    for (const listener of this.#listeners) listener.answered?.(project, results);
  }
}
