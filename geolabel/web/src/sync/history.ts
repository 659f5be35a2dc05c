/** Undo and redo: what each edit changed, by label. Undoing makes new versions; nothing is taken back on the server. */
import type { Step } from "./labels";

export interface Done {
  number: number;
  /** "Move vertex", as a button's tooltip says it. */
  title: string;
  steps: Step[];
}

export class History {
  #done: Done[] = [];
  #undone: Done[] = [];
  #last = 0;

  get undoable(): Done | undefined {
    return this.#done.at(-1);
  }

  get redoable(): Done | undefined {
    return this.#undone.at(-1);
  }

  /** Keep a new edit. What was undone before it cannot be redone any more. */
  record(title: string, steps: Step[]): Done {
    this.#last += 1;
    const edit = { number: this.#last, title, steps };
    this.#done.push(edit);
    this.#undone = [];
    return edit;
  }

  /** The edit to undo, now to be redone. */
  undo(): Done | undefined {
    const edit = this.#done.pop();
    if (edit) this.#undone.push(edit);
    return edit;
  }

  redo(): Done | undefined {
    const edit = this.#undone.pop();
    if (edit) this.#done.push(edit);
    return edit;
  }

  /** Forget what was done to a label from an edit on: it was discarded. */
  drop(key: number, from: number): void {
    const keep = (edits: Done[]) =>
      edits
        .map((edit) => (edit.number < from ? edit : { ...edit, steps: edit.steps.filter((step) => step.key !== key) }))
        .filter((edit) => edit.steps.length > 0);
    this.#done = keep(this.#done);
    this.#undone = keep(this.#undone);
  }
}
