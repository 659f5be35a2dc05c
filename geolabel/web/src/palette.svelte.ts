/** The classes of the project on the screen: their colours, how many labels each has, what is hidden and what is locked. */
import * as api from "./api";
import { hatchedOf } from "./hatch";
import type { Content } from "./sync/content";
import { tally } from "./sync/desk.svelte";
import type { LabelClass, Project } from "./types";

/** Labels are counted anew when nobody else has changed any for so long. */
const CALM_MS = 1000;

/** What the palette is part of. */
export interface PaletteHost {
  readonly project: Project;
  /** Labels by class that wait to be saved: how many more than the server has. */
  readonly waiting: Readonly<Record<string, number>>;
  /** Let go of the selected labels of a class. */
  release(name: string): void;
  say(text: string): void;
}

export class Palette {
  hidden = $state.raw<ReadonlySet<string>>(new Set());
  /** Classes whose labels cannot be picked or changed. */
  locked = $state.raw<ReadonlySet<string>>(new Set());
  readonly #hatched = $derived.by(() => hatchedOf(this.host.project.classes));
  /** What the server has. */
  #counts = $state.raw<Record<string, number>>({});
  #added = 0;
  #calm: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly host: PaletteHost) {
    this.#counts = { ...host.project.counts };
  }

  named(name: string): LabelClass | undefined {
    return this.host.project.classes.find((c) => c.name === name);
  }

  colorOf(name: string): string {
    return this.named(name)?.color ?? "#9098a3";
  }

  /** Is another class drawn in its colour, so that it has a hatch? */
  isHatched(name: string): boolean {
    return this.#hatched.has(name);
  }

  // Counts

  /** Labels by class, with what waits to be saved. */
  get counts(): Record<string, number> {
    const counts = { ...this.#counts };
    for (const [name, by] of Object.entries(this.host.waiting)) counts[name] = Math.max(0, (counts[name] ?? 0) + by);
    return counts;
  }

  get total(): number {
    return Object.values(this.#counts).reduce((sum, n) => sum + n, 0);
  }

  /** What the server has of a label became another. */
  count(before: Content | null, after: Content | null): void {
    const more: Record<string, number> = {};
    tally(more, before, after);
    for (const [name, by] of Object.entries(more)) this.add(name, by);
  }

  /** The server has so many labels more of a class. */
  add(name: string, by: number): void {
    this.#added += 1;
    this.#counts = { ...this.#counts, [name]: (this.#counts[name] ?? 0) + by };
  }

  /** The same, as others did it. What the server said last may have had it already: when no more comes, it is asked again. */
  heard(name: string, by: number): void {
    this.add(name, by);
    this.#recountSoon();
  }

  /** Count anew; the project as it is now, when it is known. */
  async recount(project?: Project): Promise<void> {
    const added = this.#added;
    try {
      const { counts } = project ?? (await api.project(this.host.project.id));
      if (added === this.#added) this.#counts = { ...counts };
      else this.#recountSoon(); // who knows whether they are with or without what came meanwhile
    } catch {
      // the numbers come right with the next change
    }
  }

  #recountSoon(): void {
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => void this.recount(), CALM_MS);
  }

  /** Ask for nothing any more. */
  close(): void {
    clearTimeout(this.#calm);
  }

  // Seen, and open

  /** What is drawn or made of a hidden class would vanish under the hand: show it. */
  reveal(name: string): void {
    if (this.hidden.has(name)) this.toggle(name);
  }

  /** Hide a class, or show it again. */
  toggle(name: string): void {
    this.hidden = flipped(this.hidden, name);
    if (this.hidden.has(name)) this.host.release(name);
  }

  /** Keep the labels of a class as they are, or no more: they are seen, and snapped to. */
  toggleLock(name: string): void {
    this.locked = flipped(this.locked, name);
    const locked = this.locked.has(name);
    if (locked) this.host.release(name);
    this.host.say(locked ? `${name} is locked: its labels cannot be picked or changed.` : `${name} is open again.`);
  }
}

function flipped(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(names);
  if (!next.delete(name)) next.add(name);
  return next;
}
