/** Two renderings compared: which, and how. */
import { type Look, PLAIN, type Show, showing, showsOf } from "./map/look";
import type { Seeing } from "./seeing.svelte";
import type { Scene } from "./types";

export type Way = "swipe" | "beside" | "flicker";
export type Which = "left" | "right";

interface Choice {
  scene: string;
  look: Look;
}

const STEP = 0.02;

export class Comparing {
  on = $state(false);
  way = $state<Way>("swipe");
  /** Share of the map's width that is the left side. */
  divider = $state(0.5);
  held = $state(false);
  left = $state.raw<Choice | null>(null);
  right = $state.raw<Choice | null>(null);

  constructor(private readonly seeing: Seeing) {}

  /** Oldest first, those without a date last. */
  get scenes(): Scene[] {
    const at = (scene: Scene) => scene.datetime ?? "9999";
    return this.seeing.scenes.toSorted((a, b) => at(a).localeCompare(at(b)));
  }

  scene(which: Which): Scene | undefined {
    return this.scenes.find((scene) => scene.id === this[which]?.scene);
  }

  /** Begin with what is in hand on the left, and another date, else another rendering, on the right. */
  start(inHand: string | null): void {
    const { scenes } = this;
    const last = scenes.at(-1);
    const first = scenes.find((scene) => scene.id === inHand) ?? scenes[0];
    if (!first || !last) return;
    if (!this.left || !this.right) {
      const other = first === last ? (scenes.at(-2) ?? first) : last;
      const [left, right] = scenes.indexOf(first) <= scenes.indexOf(other) ? [first, other] : [other, first];
      this.left = { scene: left.id, look: $state.snapshot(this.seeing.look(left.id)) };
      const look = $state.snapshot(this.seeing.look(right.id));
      const another =
        left === right ? (showsOf(right).find((show) => show !== look.show && show !== "bands") ?? "bands") : null;
      this.right = { scene: right.id, look: another ? showing(look, another, right) : look };
    }
    this.on = true;
  }

  stop(): void {
    this.on = false;
    this.held = false;
  }

  pick(which: Which, scene: string): void {
    this[which] = { scene, look: { ...$state.snapshot(this.seeing.look(scene)), visible: true } };
  }

  show(which: Which, show: Show): void {
    const scene = this.scene(which);
    if (scene) this[which] = { scene: scene.id, look: showing(this[which]?.look ?? PLAIN, show, scene) };
  }

  /** Move the line that parts the two sides. */
  move(by: 1 | -1): void {
    this.divider = Math.min(1, Math.max(0, this.divider + by * STEP));
  }

  /** While the key is held the other side is on the whole screen. */
  hold(held: boolean): void {
    this.held = held;
  }

  /** Of the two, what is on the whole screen; null when both are seen. */
  get whole(): Which | null {
    if (this.way !== "flicker") return this.held ? "right" : null;
    return this.held ? "right" : "left";
  }
}
