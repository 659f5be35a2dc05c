/** Undo and redo: what each commit changed, by label. Undoing makes new versions; nothing is taken back on the server. */
import { type Content, differing, fieldOf, sameContent, withFields } from "./content";
import type { Edit, Step } from "./labels";

export interface Done {
  /** "Move vertex", as a button's tooltip says it. */
  name: string;
  steps: Step[];
}

const MOST = 1000;

export class History {
  #done: Done[] = [];
  #undone: Done[] = [];

  get undoable(): Done | undefined {
    return this.#done.at(-1);
  }

  get redoable(): Done | undefined {
    return this.#undone.at(-1);
  }

  /** Keep a new commit. What was undone before it cannot be redone any more. */
  record(name: string, steps: Step[]): void {
    this.#done.push({ name, steps });
    if (this.#done.length > MOST) this.#done.shift();
    this.#undone = [];
  }

  /** The commit to undo, now to be redone. */
  undo(): Done | undefined {
    const done = this.#done.pop();
    if (done) this.#undone.push(done);
    return done;
  }

  redo(): Done | undefined {
    const done = this.#undone.pop();
    if (done) this.#done.push(done);
    return done;
  }

  /** The server has kept a state, perhaps with other digits: from now on that is what was done. */
  saved(key: number, sent: Content, got: Content): void {
    const kept = (content: Content | null): Content | null => {
      if (content === null || sameContent(content, sent)) return content && got;
      const moved = JSON.stringify(content.geometry) === JSON.stringify(sent.geometry);
      return moved ? { ...content, geometry: got.geometry } : content;
    };
    for (const done of [...this.#done, ...this.#undone]) {
      done.steps = done.steps.map((step) =>
        step.key === key ? { key, before: kept(step.before), after: kept(step.after) } : step,
      );
    }
  }
}

/**
 * The edits that lead back over steps, or forth again, from what the labels are now.
 *
 * Only what still is as the steps left it is changed: what somebody else has changed since stays theirs.
 */
export function retraced(
  steps: Step[],
  direction: "undo" | "redo",
  now: (key: number) => Content | null,
): { edits: Edit[]; kept: number[] } {
  const edits: Edit[] = [];
  const kept: number[] = [];
  for (const { key, before, after } of steps) {
    const [from, to] = direction === "undo" ? [after, before] : [before, after];
    const current = now(key);
    if (from === null || to === null) {
      if (sameContent(current, from)) edits.push({ key, after: to });
      else kept.push(key);
      continue;
    }
    const fields = differing(from, to);
    const ours = current ? fields.filter((field) => !differing(from, current).includes(field)) : [];
    if (current && ours.length > 0) {
      edits.push({ key, after: withFields(current, new Map(ours.map((field) => [field, fieldOf(to, field)]))) });
    }
    if (ours.length < fields.length) kept.push(key);
  }
  return { edits, kept };
}
