/** How much a label is simplified, or widened: asked for in metres, and shown before it is done. */
import type { Session } from "../session.svelte";
import type { Geometry } from "../types";

export type Kind = "simplify" | "buffer";

const PREVIEW_MS = 250;

export class Amount {
  kind = $state<Kind | null>(null);
  /** In metres on the ground; a label is made narrower by less than nothing. */
  metres = $state(0);
  /** What it would come to, or why it cannot be shown. */
  says = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor(private readonly session: Session) {}

  /** Ask for the amount; it begins with what is small in the imagery. */
  ask(kind: Kind): void {
    const { session } = this;
    session.hand.end();
    this.kind = kind;
    const pixel = session.scenes.find(({ id }) => id === session.scene)?.resolution ?? 1;
    this.set(Number((kind === "simplify" ? pixel / 2 : pixel).toPrecision(2)));
  }

  set(metres: number): void {
    this.metres = metres;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#preview(), PREVIEW_MS);
  }

  get valid(): boolean {
    return Number.isFinite(this.metres) && (this.kind === "buffer" ? this.metres !== 0 : this.metres > 0);
  }

  async #preview(): Promise<void> {
    const { kind, metres, session } = this;
    if (!kind || !this.valid) return;
    this.#asked += 1;
    const asked = this.#asked;
    const answer = await session.work.look(kind, metres);
    if (asked !== this.#asked || this.kind !== kind) return;
    this.says = answer.says;
    session.preview = answer.shapes.size > 0 ? (answer.shapes as ReadonlyMap<number, Geometry>) : null;
  }

  /** Do it. */
  async apply(): Promise<void> {
    const { kind, metres, session } = this;
    if (!kind || !this.valid) return;
    this.end();
    await session.work.reshape(kind, metres);
  }

  /** Ask no more. Returns whether it was asked for. */
  end(): boolean {
    const was = this.kind !== null;
    clearTimeout(this.#timer);
    this.#asked += 1;
    if (was) this.session.preview = null;
    this.kind = null;
    this.says = "";
    return was;
  }
}
