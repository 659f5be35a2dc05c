/** The labels of the view: read as far as they are needed, drawn, brought up to date, and found under the pointer. */
import type { Map as MapLibre } from "maplibre-gl";
import { labelsAt } from "../editor/find";
import { count } from "../format";
import type { Session } from "../session.svelte";
import type { Bounds, LabelClass } from "../types";
import { ZOOM_OFFSET } from "./create";
import type { Drawn } from "./drawn";
import type { Frame } from "./frame";
import { nativeZoom } from "./imagery";
import { LabelLayers } from "./labelLayers";
import { LabelTiles, REACH } from "./labelTiles";

export interface LabelEvents {
  /** Nothing is loading any more, or something is again. */
  idle(idle: boolean): void;
  /** How many labels are in view, and whether all of them are shown. */
  loaded(matched: number, whole: boolean): void;
  failed(sentence: string | null): void;
}

/** So many labels in view are known exactly, for snapping and the like. */
const NEAR = 1500;
const MOST_TAKEN = 2000;
const AGAIN_MS = 5000;
/** Tiles are asked for anew when nothing was changed for so long. */
const CALM_MS = 1200;

export class LabelView {
  readonly layers: LabelLayers;
  /** On other maps beside this one. */
  readonly #mirrors = new Set<LabelLayers>();
  /** Where labels are very many. */
  readonly #tiles: LabelTiles | null;
  #shown = true;
  #look: { fill: number; whole: number; drawn: Drawn } = { fill: 18, whole: 100, drawn: "both" };
  #loading = 0;
  #wanted = false;
  #refreshing = false;
  #frame = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #calm: ReturnType<typeof setTimeout> | undefined;
  readonly #unlisten: () => void;

  /** @param tiled whether tiles show the labels that were not changed in this page. */
  constructor(
    private readonly map: MapLibre,
    private readonly session: Session,
    private readonly frame: Frame,
    private readonly events: LabelEvents,
    readonly tiled: boolean,
  ) {
    this.#tiles = this.#makeTiles(map);
    if (tiled) session.loader.keeps = (key) => session.selection.includes(key);
    this.layers = this.#makeLayers(map, this.#tiles);
    map.on("idle", () => this.#tellIdle());
    map.on("dataloading", () => events.idle(false));
    this.#unlisten = session.labels.listen(() => this.#sync());
  }

  #makeTiles(map: MapLibre): LabelTiles | null {
    return this.tiled ? new LabelTiles(map, this.session.project.id, this.session.project.classes) : null;
  }

  #makeLayers(map: MapLibre, tiles: LabelTiles | null): LabelLayers {
    const { session } = this;
    const layers = new LabelLayers(map, (name) => session.palette.colorOf(name), tiles);
    const zooms = session.scenes.map(nativeZoom).filter((zoom) => zoom !== null);
    layers.thinBelow(zooms.length > 0 ? Math.max(...zooms) + Math.log2(0.75) : 0);
    return layers;
  }

  get #all(): LabelLayers[] {
    return [this.layers, ...this.#mirrors];
  }

  /** Show the same labels, as they look here, on another map. Returns what ends it. */
  mirror(map: MapLibre): () => void {
    const layers = this.#makeLayers(map, this.#makeTiles(map));
    this.#mirrors.add(layers);
    layers.classes(this.session.project.classes, this.session.labels);
    layers.hide(this.session.palette.hidden);
    layers.show(this.#shown);
    layers.fill(this.#look.fill, this.#look.whole, this.#look.drawn);
    return () => void this.#mirrors.delete(layers);
  }

  // Reading

  /** The view is another one. How many labels lie in it the tiles know when they are there, and not before. */
  moved(): void {
    if (!this.#tiles) return void this.load();
    this.#wanted = true;
    this.map.triggerRepaint();
  }

  /** Read the labels of the view. */
  async load(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#tiles && !this.#near(this.#tiles)) return;
    this.#loading += 1;
    this.events.idle(false);
    try {
      const loaded = await this.session.loader.view(this.frame.bounds());
      if (loaded) this.events.loaded(loaded.matched, loaded.whole);
      this.events.failed(null);
    } catch (error) {
      this.events.failed(error instanceof Error ? error.message : String(error));
      this.#retry = setTimeout(() => void this.load(), AGAIN_MS);
    }
    this.#loading -= 1;
    this.map.triggerRepaint(); // and so an `idle` event when there was nothing to draw
  }

  /** Are the labels in view few enough to be known exactly? As long as the tiles do not say, it is asked again. */
  #near(tiles: LabelTiles): boolean {
    this.#wanted = !tiles.loaded;
    const near =
      !this.#wanted && (this.session.loader.holds(this.frame.bounds()) || tiles.count(this.frame.bounds()) <= NEAR);
    if (!near && !this.#wanted) this.events.loaded(0, true);
    return near;
  }

  #tellIdle(): void {
    if (this.#wanted) void this.load();
    this.events.idle(this.#loading === 0 && this.#frame === 0 && this.layers.loaded);
  }

  /** Is every label in view known exactly? */
  get exact(): boolean {
    return !this.#tiles || this.session.loader.holds(this.frame.bounds());
  }

  /**
   * Know exactly what lies in a box; false, with a word to the user, when that is too much.
   *
   * @param what the box is called.
   * @param of the only class that matters.
   */
  async learn(box: Bounds, what: string, of: string | null = null): Promise<boolean> {
    if (!this.#tiles || this.session.loader.holds(box)) return true;
    const matched = await this.session.loader.learn(box, MOST_TAKEN, of).catch(() => null);
    if (matched === null) {
      this.session.say(`The labels of this ${what} could not be read: the server cannot be reached.`);
    } else if (matched > MOST_TAKEN) {
      const { session } = this;
      session.say(
        `${count(matched)} labels${of === null ? "" : ` of ${of}`} lie in this ${what}. Up to ${count(MOST_TAKEN)} are selected at once: zoom in.`,
      );
    }
    return matched !== null && matched <= MOST_TAKEN;
  }

  // Drawing

  #sync(): void {
    if (this.#frame) return;
    this.events.idle(false);
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      for (const layers of this.#all) layers.sync(this.session.labels);
      this.#refreshSoon();
      this.map.triggerRepaint();
    });
  }

  /** Have the tiles show what was changed since they came, once the hand rests. */
  #refreshSoon(): void {
    clearTimeout(this.#calm);
    if (this.#tiles && this.session.labels.unsettled) this.#calm = setTimeout(() => void this.refresh(), CALM_MS);
  }

  /** Ask for the tiles anew that hold what was changed; all of them when nobody knows what was. */
  async refresh(all = false): Promise<void> {
    const { labels } = this.session;
    if (!this.#tiles || this.#refreshing) return;
    this.#refreshing = true;
    const { moment } = labels;
    const touched = all ? null : labels.touched();
    await Promise.all(this.#all.map((layers) => layers.refresh(touched)));
    this.#refreshing = false;
    labels.settled(moment);
  }

  select(labels: { key: number; id: number | null }[]): void {
    this.layers.select(labels);
  }

  hover(key: number | null): void {
    this.layers.hover(key, key === null ? null : (this.session.labels.get(key)?.id ?? key));
  }

  classes(classes: LabelClass[]): void {
    for (const layers of this.#all) layers.classes(classes, this.session.labels);
  }

  hide(classes: ReadonlySet<string>): void {
    for (const layers of this.#all) layers.hide(classes);
  }

  get shown(): boolean {
    return this.#shown;
  }

  show(visible: boolean): void {
    this.#shown = visible;
    for (const layers of this.#all) layers.show(visible);
  }

  /**
   * @param fill of the polygons, 0..60 percent.
   * @param whole of all that is drawn of a label, 0..100 percent.
   */
  fill(fill: number, whole: number, drawn: Drawn): void {
    this.#look = { fill, whole, drawn };
    for (const layers of this.#all) layers.fill(fill, whole, drawn);
  }

  // Finding

  /** The labels at a place of the screen, the topmost first. */
  at(x: number, y: number): number[] {
    if (!this.#shown) return [];
    const { lng, lat } = this.map.unproject([x, y]);
    const degree = (256 * 2 ** (this.map.getZoom() + ZOOM_OFFSET)) / 360;
    const scale = { x: degree, y: degree / Math.cos((lat * Math.PI) / 180) };
    const known = labelsAt(this.session.open(), [lng, lat], scale);
    if (!this.#tiles || this.session.loader.holds(this.frame.bounds())) return known;
    const { labels, palette } = this.session;
    const hits = this.#tiles.at(x, y).filter(({ className }) => !palette.locked.has(className));
    return [...new Set([...known, ...hits.map(({ id }) => labels.keyOf(id) ?? id)])];
  }

  /** The same for a click: labels that are too small to be seen one by one are read first. */
  async find(x: number, y: number): Promise<number[]> {
    const found = this.at(x, y);
    if (found.length > 0 || !this.#shown || !this.#tiles) return found;
    const { lng: west, lat: south } = this.map.unproject([x - REACH, y + REACH]);
    const { lng: east, lat: north } = this.map.unproject([x + REACH, y - REACH]);
    const box: Bounds = [west, south, east, north];
    if (this.#tiles.count(box, "pooled") === 0) return [];
    return (await this.learn(box, "place")) ? this.at(x, y) : [];
  }

  remove(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#calm);
    cancelAnimationFrame(this.#frame);
    this.#unlisten();
  }
}
