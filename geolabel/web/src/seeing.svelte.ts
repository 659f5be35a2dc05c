/** What is seen of a project's scenes: how each is rendered, and what went wrong with it. */
import * as api from "./api";
import type { Drawn } from "./map/drawn";
import { type Look, nextShow, PLAIN, queryOf, type Show, type Stretch, showing, sourceOf } from "./map/look";
import type { Bounds, ChannelStatistics, Scene } from "./types";

export class Seeing {
  looks: Record<string, Look> = $state({});
  /** By scene: why it is not shown as asked. */
  failures: Record<string, string> = $state({});
  /** The layer whose rendering is unfolded; `labels` for the labels. */
  active = $state<string | null>(null);
  labelsOn = $state(true);
  /** While the key is held. */
  labelsHeld = $state(false);
  /** What is drawn of the labels. */
  drawn = $state<Drawn>("both");

  constructor(readonly scenes: Scene[]) {
    this.looks = Object.fromEntries(scenes.map((scene) => [scene.id, { ...PLAIN }]));
    this.active = scenes[0]?.id ?? null;
  }

  /** Render as an address says; scenes that it does not name are plain. */
  take(looks: Record<string, Look>): void {
    for (const { id } of this.scenes) this.looks[id] = { ...PLAIN, ...looks[id] };
  }

  get labelsShown(): boolean {
    return this.labelsOn && !this.labelsHeld;
  }

  look(scene: string): Look {
    return this.looks[scene] ?? PLAIN;
  }

  change(scene: string, change: Partial<Look>): void {
    this.looks[scene] = { ...this.look(scene), ...change };
  }

  activate(layer: string): void {
    this.active = this.active === layer ? null : layer;
  }

  #scene(id: string): Scene | undefined {
    return this.scenes.find((scene) => scene.id === id);
  }

  /** Render a scene anew. What the server refuses is said beside the layer, and the layer stays as it was. */
  async render(id: string, change: Partial<Look>): Promise<boolean> {
    const scene = this.#scene(id);
    if (!scene) return false;
    const next = { ...this.look(id), ...change };
    try {
      const query = queryOf(next, scene);
      if (query) await api.tileJson(id, query);
      delete this.failures[id];
      this.change(id, change);
      return true;
    } catch (error) {
      this.failures[id] = error instanceof Error ? error.message : String(error);
      return false;
    }
  }

  async show(id: string, show: Show): Promise<void> {
    const scene = this.#scene(id);
    if (!scene) return;
    const next = showing(this.look(id), show, scene);
    // An expression is asked for once there is one.
    if (show === "expression" && !next.expression) this.change(id, next);
    else await this.render(id, next);
  }

  /** By a key: the next rendering of a scene. */
  async cycle(id: string, by: 1 | -1): Promise<Show | null> {
    const scene = this.#scene(id);
    if (!scene) return null;
    const show = nextShow(this.look(id), scene, by);
    await this.show(id, show);
    return show;
  }

  /**
   * Stretch a scene between values that its pixels have.
   *
   * @param view the box on the screen, for a stretch to what is seen.
   */
  async stretch(id: string, stretch: Stretch, view: Bounds | null): Promise<void> {
    if (stretch === "auto") return void (await this.render(id, { stretch, range: null }));
    try {
      const channels = await api.statistics(id, sourceOf(this.look(id)), stretch === "view" ? view : null);
      const range = channels.map((channel) => ends(channel, stretch));
      if (range.some((pair) => pair === null)) {
        this.failures[id] = "There is no data of this scene in view to stretch it by.";
        return;
      }
      await this.render(id, { stretch, range: range.filter((pair) => pair !== null) });
    } catch (error) {
      this.failures[id] = error instanceof Error ? error.message : String(error);
    }
  }
}

/** What becomes black and white: the ends of the values, or without the outermost 2 % on both sides. */
function ends(channel: ChannelStatistics, stretch: Stretch): [number, number] | null {
  const [low, high] = stretch === "full" ? [channel.min, channel.max] : [channel.percentile_2, channel.percentile_98];
  if (low === null || high === null) return null;
  return high > low ? [low, high] : [low, low + 1];
}
