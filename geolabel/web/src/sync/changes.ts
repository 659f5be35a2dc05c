/** Which labels came to be something else, when, and where: for whatever shows labels from elsewhere. */
import type { Bounds } from "../types";

interface Change {
  /** The moment of the last one. */
  at: number;
  /** Where the label has been and is; null when somewhere else, too. */
  boxes: Bounds[] | null;
}

export class Changes {
  readonly #all = new Map<number, Change>();
  /** Grows with each change. */
  moment = 0;

  get keys(): number[] {
    return [...this.#all.keys()];
  }

  has(key: number): boolean {
    return this.#all.has(key);
  }

  /** @param boxes where it was and where it is, null where it is nothing; undefined where nobody knows. */
  note(key: number, ...boxes: (Bounds | null | undefined)[]): void {
    this.moment += 1;
    const before = this.#all.get(key);
    const known = before?.boxes !== null && !boxes.includes(undefined);
    const all = [...(before?.boxes ?? []), ...boxes.filter((box) => box !== null && box !== undefined)];
    this.#all.set(key, { at: this.moment, boxes: known ? distinct(all) : null });
  }

  /** Of the changes of some labels: null when one of them nobody knows where it was. */
  boxes(which: (key: number) => boolean): Bounds[] | null {
    const all = [...this.#all].filter(([key]) => which(key)).map(([, { boxes }]) => boxes);
    return all.includes(null) ? null : all.flatMap((boxes) => boxes ?? []);
  }

  /** Forget the changes of some labels up to a moment. */
  settle(moment: number, which: (key: number) => boolean): void {
    for (const [key, { at }] of this.#all) if (at <= moment && which(key)) this.#all.delete(key);
  }
}

const distinct = (boxes: Bounds[]): Bounds[] => [...new Map(boxes.map((box) => [box.join(), box])).values()];
