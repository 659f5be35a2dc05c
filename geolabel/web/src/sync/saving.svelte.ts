/** What of this browser's work is saved, and what waits: one outbox for all tabs and projects. */
import * as api from "../api";
import type { Entry } from "./entry";
import { leadAmongTabs } from "./leader";
import { me } from "./me.svelte";
import { Outbox } from "./outbox";
import { type Send, Sender, type SenderState } from "./sender";

/** A label that waits for a decision. */
export interface Trouble {
  /** Of the entry; see Outbox. */
  seq: number;
  kind: Problemkind;
  /** "Move vertex": what was done. */
  name: string;
  key: number;
  /** How many labels were changed together. */
  together: number;
  entry: Entry;
  sentence: string;
  /** The places in the label that the server named. */
  pointers: string[];
}
type Problemkind = NonNullable<Entry["problem"]>["kind"];

/** What waits for a decision, label by label. */
export function troublesOf(entries: readonly Entry[], project: string): Trouble[] {
  return entries.flatMap((entry) => {
    const { problem, changes, seq, name } = entry;
    if (!problem || entry.project !== project) return [];
    const { kind, sentence, theirs, places } = problem;
    const named = kind === "conflict" ? theirs.map(({ key }) => key) : places.map(({ key }) => key);
    const keys = new Set(named.length > 0 ? named : changes.slice(0, 1).map(({ key }) => key));
    return [...keys].map((key) => ({
      seq,
      kind,
      name,
      key,
      together: changes.length,
      entry,
      sentence,
      pointers: places.filter((place) => place.key === key).map(({ pointer }) => pointer),
    }));
  });
}

class Saving {
  readonly outbox = new Outbox();
  /** All that waits or is in trouble, oldest first. */
  entries = $state.raw<readonly Entry[]>([]);
  /** Commits that closing the page would lose. */
  losable = $state(0);
  lasting = $state(true);
  sender = $state.raw<SenderState>({ stall: null, savedAt: null });
  readonly #channel = new BroadcastChannel("geolabel:sender");

  constructor() {
    this.outbox.listen({
      changed: () => {
        this.entries = this.outbox.entries;
        this.losable = this.outbox.losable;
        this.lasting = this.outbox.lasting;
      },
    });
    // Every tab says the same of the server; the one that sends knows.
    let sending: Sender | null = null;
    this.#channel.onmessage = ({ data }: MessageEvent<SenderState | "ask">) => {
      if (data !== "ask") this.sender = data;
      else if (sending) this.#channel.postMessage(sending.state);
    };
    this.#channel.postMessage("ask");
    leadAmongTabs("geolabel:sender", () => {
      const send: Send = (project, body, token) => api.saveBatch(project, body, token, me.name);
      const sender = new Sender(this.outbox, send, (state) => {
        this.sender = state;
        this.#channel.postMessage(state);
      });
      sending = sender;
      return () => sender.stop();
    });
  }

  /** What waits for the server; what waits for a decision is not counted. */
  get waiting(): number {
    return this.entries.filter((entry) => !entry.problem).length;
  }
}

export const saving = new Saving();
