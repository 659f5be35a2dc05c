/** The work on one project: its labels, what was done to them and can be undone, and the wires to the outbox. */
import { inSentence } from "../format";
import type { Content } from "./content";
import { type Change, pendingOf } from "./entry";
import { type Done, History, retraced } from "./history";
import { type Edit, Labels, type Step } from "./labels";
import { saving, type Trouble, troublesOf } from "./saving.svelte";

/** A step back or forth: what it changed, and what it left because somebody else had changed it since. */
export interface Retraced {
  name: string;
  edits: Edit[];
  kept: number[];
}

export class Desk {
  readonly labels: Labels;
  readonly #history = new History();
  readonly #unlisten: () => void;
  undoTitle = $state<string | null>(null);
  redoTitle = $state<string | null>(null);
  troubles = $derived.by(() => troublesOf(saving.entries, this.project));

  /**
   * @param home longitude that the labels lie about.
   * @param onSteps hears of each change that is made here, before it is seen.
   */
  constructor(
    private readonly project: string,
    home: number,
    private readonly onSteps: (steps: Step[]) => void,
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
        for (const { key, sent, feature } of results) {
          if (sent && feature) this.#history.saved(key, sent, this.labels.contentOf(feature));
        }
        this.labels.adopt(results);
      },
    });
    this.#pend();
  }

  #pend(): void {
    this.labels.setPending(pendingOf(saving.outbox.entries, this.project));
  }

  #keep(name: string, steps: Step[]): void {
    const changes = steps.map(({ key, before, after }): Change => {
      const label = this.labels.get(key);
      return { key, id: label?.id ?? null, version: label?.version ?? 0, before, after };
    });
    this.onSteps(steps);
    void saving.outbox.add({ project: this.project, name, at: Date.now(), changes });
    this.#titles();
  }

  #titles(): void {
    this.undoTitle = this.#history.undoable?.name ?? null;
    this.redoTitle = this.#history.redoable?.name ?? null;
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
  discard({ seq, entry }: Trouble): void {
    this.onSteps(entry.changes.map(({ key, before, after }) => ({ key, before: after, after: before })));
    void saving.outbox.drop(seq);
  }

  /** Decide a conflict: what the label is to be, or as the other made it. */
  decide({ seq, key, entry }: Trouble, wanted: Content | null | "theirs"): void {
    const theirs = entry.problem?.theirs.find((other) => other.key === key)?.feature;
    const after = wanted === "theirs" ? (theirs ? this.labels.contentOf(theirs) : null) : wanted;
    this.onSteps([{ key, before: this.labels.get(key)?.content ?? null, after }]);
    void saving.outbox.decide(seq, key, wanted);
  }

  close(): void {
    this.#unlisten();
  }
}
