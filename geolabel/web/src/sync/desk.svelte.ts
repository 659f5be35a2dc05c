/** The work on one project: its labels, what was done to them and can be undone, and the wires to the outbox. */
import { inSentence } from "../format";
import type { Content } from "./content";
import { type Change, type Entry, pendingOf } from "./entry";
import { type Done, History, retraced } from "./history";
import { type Edit, Labels, type Step } from "./labels";
import { saving, type Trouble, troublesOf } from "./saving.svelte";

/** A step back or forth: what it changed, and what it left because somebody else had changed it since. */
export interface Retraced {
  name: string;
  edits: Edit[];
  kept: number[];
}

/** Count a label that became another, came (from null) or went (to null). */
export function tally(counts: Record<string, number>, before: Content | null, after: Content | null): void {
  if (before) counts[before.class] = (counts[before.class] ?? 0) - 1;
  if (after) counts[after.class] = (counts[after.class] ?? 0) + 1;
}

export class Desk {
  readonly labels: Labels;
  readonly #history = new History();
  readonly #unlisten: () => void;
  /** Labels that were changed in this page. */
  readonly #own = new Set<number>();
  #uncertain = false;
  undoTitle = $state<string | null>(null);
  redoTitle = $state<string | null>(null);
  troubles = $derived.by(() => troublesOf(saving.entries, this.project));
  /** How many more labels of a class there are with what waits than the server has. */
  more = $derived.by(() => {
    const more: Record<string, number> = {};
    for (const { before, after } of pendingOf(saving.entries, this.project).values()) tally(more, before, after);
    return more;
  });

  /**
   * @param home longitude that the labels lie about.
   * @param onChange hears of each change that is made here.
   * @param onSaved hears what the server had of a label before it saved a change, and what it has now.
   * @param recount is to count anew: the server may have saved a change before this page knew of it.
   */
  constructor(
    private readonly project: string,
    home: number,
    private readonly onChange: () => void,
    onSaved: (before: Content | null, after: Content | null) => void,
    private readonly recount: () => void,
  ) {
    this.labels = new Labels(home);
    this.labels.onCommit = (name, steps) => {
      this.#history.record(name, steps);
      this.#keep(name, steps);
    };
    this.#unlisten = saving.outbox.listen({
      changed: () => this.#pend(),
      answered: (answered, results) => {
        if (answered !== project) return;
        for (const { key, id, sent, feature } of results) {
          const after = feature && this.labels.contentOf(feature);
          if (sent && after) this.#history.saved(key, sent, after);
          // It may have been heard of before the answer came, as somebody else's.
          const heard = this.labels.get(this.labels.keyOf(id) ?? id);
          onSaved(this.labels.get(key)?.saved ?? heard?.saved ?? null, after);
        }
        this.labels.adopt(results);
      },
    });
    this.#pend();
  }

  #pend(): void {
    // What was sent by a page that is gone, or whose answer did not come, may have been counted already.
    const sentBefore = this.#waiting.some(({ changes }) => changes.every(({ key }) => !this.#own.has(key)));
    this.#uncertain ||= sentBefore || (this.#waiting.length > 0 && saving.sender.stall !== null);
    this.labels.setPending(pendingOf(saving.outbox.entries, this.project));
    this.#recount();
  }

  get #waiting(): Entry[] {
    return saving.outbox.entries.filter((entry) => entry.project === this.project);
  }

  #recount(): void {
    if (!this.#uncertain || this.#waiting.length > 0) return;
    this.#uncertain = false;
    this.recount();
  }

  #keep(name: string, steps: Step[]): void {
    for (const { key } of steps) this.#own.add(key);
    const changes = steps.map(({ key, before, after }): Change => {
      const label = this.labels.get(key);
      return { key, id: label?.id ?? null, version: label?.version ?? 0, before, after };
    });
    this.onChange();
    void saving.outbox.add({ project: this.project, name, at: Date.now(), changes });
    this.#titles();
  }

  #titles(): void {
    this.undoTitle = this.#history.undoable?.name ?? null;
    this.redoTitle = this.#history.redoable?.name ?? null;
  }

  /** Is a request under way that the server may have done already? */
  get sending(): boolean {
    return saving.outbox.entries.some(
      (entry) => entry.project === this.project && entry.sentAt !== null && !entry.problem,
    );
  }

  undo(): Retraced | null {
    return this.#retrace("undo", this.#history.undo());
  }

  redo(): Retraced | null {
    return this.#retrace("redo", this.#history.redo());
  }

  #retrace(direction: "undo" | "redo", done: Done | undefined): Retraced | null {
    if (!done) return null;
    const now = (key: number): Content | null => this.labels.get(key)?.content ?? null;
    const { edits, kept } = retraced(done.steps, direction, now);
    const steps = edits.map(({ key, after }) => ({ key, before: now(key), after }));
    const name = direction === "undo" ? `Undo ${inSentence(done.name)}` : done.name;
    if (steps.length > 0) this.#keep(name, steps);
    this.#titles();
    return { name: done.name, edits, kept };
  }

  // Trouble

  retry({ seq }: Trouble): void {
    void saving.outbox.retry(seq);
  }

  /** Take back what was refused: its labels are again what the server has. */
  discard({ seq }: Trouble): void {
    void saving.outbox.drop(seq);
  }

  /** Decide a conflict: what the label is to be, or as the other made it. */
  decide({ seq, key }: Trouble, wanted: Content | null | "theirs"): void {
    void saving.outbox.decide(seq, key, wanted);
  }

  close(): void {
    this.#unlisten();
  }
}
