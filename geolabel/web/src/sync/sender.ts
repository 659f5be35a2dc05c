/**
 * Sends what waits in the outbox, oldest first, one batch at a time; in one tab of the browser.
 *
 * No answer, or a server in trouble, or one that wants a sign-in: the entry stays, and is tried again after a while that
 * doubles. Refused, or changed by somebody else: it is set aside until the user decides, and the others go on.
 */
import { Refused, Unreachable } from "../api";
import type { LabelFeature } from "../types";
import { type BatchAnswer, type Entry, type Problem, pointedAt } from "./entry";
import type { Outbox } from "./outbox";

/** Why nothing is sent at the moment. */
export interface Stall {
  kind: "away" | "signed-out";
  sentence: string;
  /** When it is tried again, in milliseconds. */
  next: number;
}

export interface SenderState {
  stall: Stall | null;
  /** When the server last saved something, in milliseconds. */
  savedAt: number | null;
}

/** Saves a batch; the same token has its effect once. */
export type Send = (project: string, body: string, token: string) => Promise<BatchAnswer>;

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60_000;
/** The server forgets tokens after two days. */
const TOKEN_LIVES_MS = 47 * 3600_000;

export class Sender {
  state: SenderState = { stall: null, savedAt: null };
  #running = false;
  #asked = false;
  #stopped = false;
  #wait = FIRST_WAIT;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #unlisten: () => void;

  constructor(
    private readonly outbox: Outbox,
    private readonly send: Send,
    private readonly onState: (state: SenderState) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.#unlisten = outbox.listen({
      changed: () => void (this.state.stall ? null : this.#run()),
      hurried: () => this.tryNow(),
    });
    globalThis.addEventListener?.("online", this.#online);
    void this.#run();
  }

  readonly #online = () => this.tryNow();

  tryNow(): void {
    this.#wait = FIRST_WAIT;
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#unlisten();
    globalThis.removeEventListener?.("online", this.#online);
  }

  async #run(): Promise<void> {
    this.#asked = true;
    if (this.#running) return;
    this.#running = true;
    clearTimeout(this.#timer);
    while (this.#asked && !this.#stopped) {
      this.#asked = false;
      for (let head = this.#head(); head && !this.#stopped; head = this.#head()) {
        if (!(await this.#save(head))) {
          this.#asked = false;
          break;
        }
      }
    }
    this.#running = false;
  }

  #head(): Entry | undefined {
    return this.outbox.entries.find((entry) => !entry.problem && entry.seq < Number.MAX_SAFE_INTEGER);
  }

  /** Whether to go on with the next one. */
  async #save(head: Entry): Promise<boolean> {
    const sealed = await this.outbox.seal(head.seq);
    if (!sealed) return true;
    const { entry, body } = sealed;
    if (entry.sentAt !== null && this.now() - entry.sentAt > TOKEN_LIVES_MS) {
      await this.outbox.setAside(entry.seq, unsure);
      return true;
    }
    try {
      const answer = await this.send(entry.project, body, entry.token);
      this.#wait = FIRST_WAIT;
      this.#tell({ stall: null, savedAt: this.now() });
      await this.outbox.answer(entry, answer);
      return true;
    } catch (error) {
      const stall = stallOf(error);
      if (stall) {
        this.#stall(stall.kind, error as Error, stall.after);
        return false;
      }
      this.#tell({ ...this.state, stall: null });
      await this.outbox.setAside(entry.seq, problemOf(entry, error));
      return true;
    }
  }

  #stall(kind: Stall["kind"], { message }: Error, after: number): void {
    const wait = Math.max(this.#wait, after);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#timer = setTimeout(() => void this.#run(), wait);
    this.#tell({ ...this.state, stall: { kind, sentence: message, next: this.now() + wait } });
  }

  #tell(state: SenderState): void {
    this.state = state;
    if (!this.#stopped) this.onState(state);
  }
}

const unsure: Problem = {
  kind: "refused",
  sentence:
    "It was sent more than two days ago, and no answer came: the server may have saved it. Look at the map, then retry or discard it.",
  places: [],
  theirs: [],
};

/** Whether the same request may succeed later; `after` milliseconds at the earliest. */
function stallOf(error: unknown): { kind: Stall["kind"]; after: number } | null {
  if (error instanceof Unreachable) return { kind: "away", after: 0 };
  if (!(error instanceof Refused)) return null;
  if (error.status === 401 || error.status === 403) return { kind: "signed-out", after: 0 };
  return error.temporary ? { kind: "away", after: error.retryAfter } : null;
}

function problemOf(entry: Entry, error: unknown): Problem {
  const sentence = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Refused)) return { kind: "refused", sentence, places: [], theirs: [] };
  const places = error.errors.flatMap(({ pointer }) => {
    const place = pointedAt(entry, pointer);
    return place ? [{ key: place.change.key, pointer: place.pointer }] : [];
  });
  const current = (error.current ?? []) as { pointer: string; feature: LabelFeature | null; version: number }[];
  const theirs =
    error.status !== 412
      ? []
      : current.flatMap(({ pointer, feature, version }) => {
          const place = pointedAt(entry, pointer);
          return place ? [{ key: place.change.key, feature, version }] : [];
        });
  return { kind: theirs.length > 0 ? "conflict" : "refused", sentence, places, theirs };
}
