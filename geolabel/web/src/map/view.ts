/** The map of a session: imagery, labels, tools, and the wires between them. */
import type { Map as MapLibre } from "maplibre-gl";
import * as api from "../api";
import { isDrawing, PLANS, type Tool } from "../editor/draft";
import type { DrawHost } from "../editor/drawMode";
import type { Box, EditHost } from "../editor/editMode";
import { labelsAt } from "../editor/find";
import { nearLongitude, unite, unrolled, within } from "../editor/geometry";
import { SNAP_PX, type Snap, snapTo } from "../editor/snap";
import { take } from "../editor/take";
import { Tools } from "../editor/tools";
import { count } from "../format";
import { prefs } from "../prefs.svelte";
import type { LiveLabel, Session } from "../session.svelte";
import type { Bounds, Geometry, LabelClass, Position, Scene } from "../types";
import { drawChips } from "./chipGrid";
import { ConflictLayer, type Versions } from "./conflict";
import { createMap, ZOOM_OFFSET } from "./create";
import type { Drawn } from "./drawn";
import { flag } from "./flag";
import { addIcons } from "./icons";
import { addScene, metresPerPixel, nativeZoom, raiseScene, styleScene } from "./imagery";
import { LabelLayers, LOWEST } from "./labelLayers";
import { LabelTiles } from "./labelTiles";
import { type Look, queryOf } from "./look";
import { Overlay } from "./overlay";
import { panByHand } from "./panByHand";
import { PeopleLayer } from "./people";
import { type Point, Steer } from "./steer";
import { troubledPlaces } from "./troubles";

export interface Camera {
  zoom: number;
  metresPerPixel: number;
}

export interface Events {
  pointer(at: { lng: number; lat: number } | null): void;
  camera(camera: Camera): void;
  box(box: Box | null): void;
  /** Where the keys steer the crosshair; null when they do not. */
  steered(at: Point | null): void;
  /** Nothing is loading any more, or something is again. */
  idle(idle: boolean): void;
  /** How many labels are in view, and whether all of them are shown. */
  loaded(matched: number, whole: boolean): void;
  failed(sentence: string | null): void;
}

export interface Padding {
  top: number;
  right: number;
  bottom: number;
  left: number;
}

/** With more labels than this in the project, tiles show them. */
const MANY = 5000;
/** So many labels in view are known exactly, for snapping and the like. */
const NEAR = 1500;
const MOST_PICKED = 5;
const MOST_BOXED = 2000;

export class MapView {
  readonly map: MapLibre;
  readonly #labels: LabelLayers;
  /** Where labels are very many. */
  readonly #tiles: LabelTiles | null;
  readonly #overlay: Overlay;
  readonly #people: PeopleLayer;
  readonly #conflict: ConflictLayer;
  readonly #tools: Tools;
  readonly #steer: Steer;
  readonly #looks = new Map<string, Look>();
  #scenesShown = true;
  #gone = false;
  #spaceHeld = false;
  #shown = true;
  #loading = 0;
  #wanted = false;
  #refreshing = false;
  #frame = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** Resolves when the map can be drawn on. */
  static async open(container: HTMLElement, session: Session, events: Events): Promise<MapView> {
    const map = createMap(container);
    const ready = new Promise((resolve) => map.once("load", resolve));
    const tiled = session.total > MANY && (await api.hasLabelTiles(session.project.id).catch(() => false));
    await ready;
    return new MapView(map, session, events, tiled);
  }

  private constructor(
    map: MapLibre,
    private readonly session: Session,
    private readonly events: Events,
    tiled: boolean,
  ) {
    this.map = map;
    addIcons(map);
    this.#tiles = tiled ? new LabelTiles(map, session.project.id, session.project.classes) : null;
    if (tiled) session.loader.keeps = (key) => session.selection.includes(key);
    this.#labels = new LabelLayers(map, (name) => session.colorOf(name), this.#tiles);
    this.#people = new PeopleLayer(map, "labels-point");
    this.#overlay = new Overlay(map);
    this.#conflict = new ConflictLayer(map);
    this.#tools = new Tools(map, {
      ...this.#editHost(),
      ...this.#drawHost(),
      snap: (at: Position, except?: ReadonlySet<number>) => this.#snap(at, except),
      snapped: (snap) => {
        session.hand.snap = snap;
      },
      panning: () => this.#spaceHeld,
    });
    const zooms = session.scenes.map(nativeZoom).filter((zoom) => zoom !== null);
    this.#labels.thinBelow(zooms.length > 0 ? Math.max(...zooms) + Math.log2(0.75) : 0);
    this.#steer = new Steer(
      map,
      () => map.project(map.getCenter()),
      (at) => events.steered(at),
    );
    map.on("mousemove", (event) => events.pointer(event.lngLat));
    map.on("mouseout", () => events.pointer(null));
    map.on("move", () => this.#camera());
    map.on("moveend", () => {
      this.drawHandles();
      void this.load();
    });
    map.on("idle", () => this.#tellIdle());
    map.on("dataloading", () => events.idle(false));
    map.on("error", (event) => console.warn(event.error?.message ?? event));
    const canvas = map.getCanvas();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus({ preventScroll: true });
      if (event.button === 1) panByHand(map, event);
    });
    this.#camera();
    session.labels.listen(() => this.#sync());
  }

  #drawHost(): Omit<DrawHost, "shift" | "snap" | "snapped" | "panning"> {
    const { session } = this;
    return {
      geometryOf: (key) => session.labels.get(key)?.content?.geometry ?? null,
      tracing: () => session.hand.tracing,
      drafted: (draft) => {
        session.draft = draft;
      },
      drawn: (tool, geometry, edges) => take(session, tool, geometry, edges, this.#tools.shift),
      incomplete: ({ tool, fixed }) => {
        const { least } = PLANS[tool];
        session.say(
          `This takes ${least} places; there ${fixed.length === 1 ? "is one" : `are ${fixed.length}`} so far.`,
        );
      },
      pixel: () => this.pixel,
    };
  }

  #editHost(): Omit<EditHost, "shift" | "shiftAtStart" | "snap" | "snapped" | "panning"> {
    const { session } = this;
    return {
      selected: () => new Map(session.selected().map((label) => [label.key, label.content.geometry])),
      labelsAt: (x, y) => this.#labelsAt(x, y),
      pick: (keys, add) => void this.#pick(keys, add),
      pickBox: (box, add) => void this.#pickBox(box, add),
      activate: (path) => {
        session.vertex = path;
      },
      hover: (key) => this.#labels.hover(key, key === null ? null : (session.labels.get(key)?.id ?? key)),
      preview: (geometries) => {
        session.preview = geometries;
      },
      withVertex: (key, handle, to) => session.hand.withVertex(key, handle, to),
      commit: (title, geometries) => session.reshape(title, geometries),
      commitVertex: (handle, shapes, snap) => session.hand.commitVertex(handle, shapes, snap),
      removeVertex: (path) => session.hand.removeVertex(path),
      turning: () => session.hand.turning,
      showBox: (box) => this.events.box(box),
    };
  }

  /** What a place snaps to among the labels that are seen. */
  #snap(at: Position, except?: ReadonlySet<number>): Snap | null {
    if (!prefs.snapping || this.#tools.alt || !this.#shown) return null;
    const seen = this.session.visible();
    return snapTo(except ? seen.filter(({ key }) => !except.has(key)) : seen, at, SNAP_PX * this.pixel);
  }

  /** Side of a screen pixel in degrees of the plane. */
  get pixel(): number {
    return 360 / (256 * 2 ** (this.map.getZoom() + ZOOM_OFFSET));
  }

  /** Where a place is on the screen. */
  screen([lng = 0, lat = 0]: Position): { x: number; y: number } {
    return this.map.project([lng, lat]);
  }

  // Imagery

  async addScene(scene: Scene, look: Look): Promise<void> {
    const tiles = await api.tileJson(scene.id, queryOf(look, scene));
    if (this.#gone) return;
    if (!this.map.getLayer(`scene:${scene.id}`)) addScene(this.map, scene, tiles, look, LOWEST);
    this.orderScenes();
  }

  /** The scene in hand on top, the others below it as the list has them. */
  orderScenes(): void {
    const { scene: top, scenes } = this.session;
    for (const { id } of [...scenes].reverse().sort((a, b) => Number(a.id === top) - Number(b.id === top))) {
      raiseScene(this.map, id, LOWEST);
    }
  }

  styleScene(scene: Scene, look: Look): void {
    this.#looks.set(scene.id, look);
    styleScene(this.map, scene, this.#scenesShown ? look : { ...look, visible: false });
  }

  /** The scenes as they are, or none of them: another picture takes their place. */
  showScenes(visible: boolean): void {
    this.#scenesShown = visible;
    for (const scene of this.session.scenes) {
      const look = this.#looks.get(scene.id);
      if (look) this.styleScene(scene, look);
    }
  }

  /** Show a place that was gone to; null takes it away. */
  flag(geometry: Geometry | null): void {
    flag(this.map, geometry);
  }

  /** Show the chips of an export; null takes them away. */
  chips(grid: GeoJSON.FeatureCollection | null): void {
    drawChips(this.map, grid);
  }

  /** The layer that imagery is put under. */
  get lowest(): string {
    return LOWEST;
  }

  /** Take a share of the width only: another map is beside this one. */
  narrow(share: number): void {
    this.map.getContainer().style.right = `${(1 - share) * 100}%`;
    this.map.resize();
  }

  // Labels

  /** Load the labels of the view. */
  async load(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#tiles && !this.#near(this.#tiles)) return;
    this.#loading += 1;
    this.events.idle(false);
    try {
      const loaded = await this.session.loader.view(this.bounds());
      if (loaded) this.events.loaded(loaded.matched, loaded.whole);
      this.events.failed(null);
    } catch (error) {
      this.events.failed(error instanceof Error ? error.message : String(error));
      this.#retry = setTimeout(() => void this.load(), 5000);
    }
    this.#loading -= 1;
    this.map.triggerRepaint(); // and so an `idle` event when there was nothing to draw
  }

  #sync(): void {
    if (this.#frame) return;
    this.events.idle(false);
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#labels.sync(this.session.labels);
      void this.refreshTiles();
      this.map.triggerRepaint();
    });
  }

  /** Are the labels in view few enough to be known exactly? As long as the tiles do not say, it is asked again. */
  #near(tiles: LabelTiles): boolean {
    this.#wanted = !tiles.loaded;
    const near = !this.#wanted && (this.session.loader.holds(this.bounds()) || tiles.count() <= NEAR);
    if (!near && !this.#wanted) this.events.loaded(0, true);
    return near;
  }

  /** Have the tiles show what was changed since they came, when that is much, or all of it. */
  async refreshTiles(all = false): Promise<void> {
    const tiles = this.#tiles;
    if (!tiles || this.#refreshing || !(all || tiles.crowded)) return;
    this.#refreshing = true;
    const { moment } = this.session.labels;
    await tiles.refresh();
    this.session.labels.settled(moment);
    this.#refreshing = false;
  }

  #tellIdle(): void {
    if (this.#wanted) void this.load();
    this.events.idle(this.#loading === 0 && this.#frame === 0 && this.#labels.loaded);
  }

  /** Draw the selection, its handles and the places of trouble. */
  drawSelection(): void {
    const { session } = this;
    const labels = session.selected();
    const { preview } = session;
    this.#labels.select(session.selection.map((key) => ({ key, id: session.labels.get(key)?.id ?? null })));
    const shared = [...(preview?.keys() ?? [])].filter((key) => !session.selection.includes(key));
    const neighbours = shared.map((key) => session.labels.get(key)).filter((l): l is LiveLabel => !!l?.content);
    this.#overlay.selection(
      [...labels, ...neighbours].map((label) => ({
        geometry: preview?.get(label.key) ?? label.content.geometry,
        color: session.colorOf(label.content.class),
        before: preview?.has(label.key) && labels.includes(label) ? label.content.geometry : null,
        neighbour: neighbours.includes(label),
      })),
    );
    this.drawHandles();
  }

  /** The handles of the one selected label: those in view when it has very many. */
  drawHandles(): void {
    const { session } = this;
    if (session.tool !== "select") return;
    const [only, more] = session.selected();
    const geometry =
      only && !more && !session.hand.turning ? (session.preview?.get(only.key) ?? only.content.geometry) : null;
    this.#overlay.handles(geometry, session.vertex, this.bounds());
  }

  /** Ring what the pointer snaps to, and outline whose it is. */
  drawSnap(): void {
    const { snap } = this.session.hand;
    const label = snap ? this.session.labels.get(snap.key) : undefined;
    this.#overlay.snap(snap, label?.content?.geometry ?? null);
  }

  /** Ring the places that the server named, and those of warnings. */
  drawTroubles(): void {
    this.#overlay.mark(troubledPlaces(this.session));
  }

  /** Outline what others have selected. */
  drawPeople(): void {
    const { session } = this;
    const selected = session.people.others.flatMap(({ selection }) => selection);
    const unknown = this.#tiles ? selected.filter((id) => session.labels.keyOf(id) === undefined) : [];
    if (unknown.length > 0) void session.learn(unknown);
    this.#people.show(session.people.others, (id) => {
      const content = session.labels.get(session.labels.keyOf(id) ?? id)?.content;
      return content ? { geometry: content.geometry, color: session.colorOf(content.class) } : null;
    });
  }

  /** The two versions of a label that was changed twice; null when there is nothing to decide. */
  drawConflict(versions: Versions | null, side?: "both" | "mine" | "theirs"): void {
    this.#conflict.show(versions, side);
  }

  drawDraft(): void {
    const { tool, draft, className } = this.session;
    if (tool !== "select") this.#overlay.draft(draft, isDrawing(tool) ? this.session.colorOf(className) : "#ffffff");
  }

  classes(classes: LabelClass[]): void {
    this.#labels.classes(classes);
  }

  hideClasses(classes: ReadonlySet<string>): void {
    this.#labels.hide(classes);
  }

  showLabels(visible: boolean): void {
    this.#shown = visible;
    this.#labels.show(visible);
  }

  fill(percent: number, whole: number, drawn: Drawn): void {
    this.#labels.fill(percent, whole, drawn);
  }

  #labelsAt(x: number, y: number): number[] {
    if (!this.#shown) return [];
    const { lng, lat } = this.map.unproject([x, y]);
    const degree = (256 * 2 ** (this.map.getZoom() + ZOOM_OFFSET)) / 360;
    const scale = { x: degree, y: degree / Math.cos((lat * Math.PI) / 180) };
    const known = labelsAt(this.session.visible(), [lng, lat], scale);
    if (!this.#tiles || this.session.loader.holds(this.bounds())) return known;
    const { labels } = this.session;
    return [...new Set([...known, ...this.#tiles.at(x, y).map(({ id }) => labels.keyOf(id) ?? id)])];
  }

  /** Select what was clicked; a label that only tiles show is read first. */
  async #pick(keys: number[], add: boolean): Promise<void> {
    const { session } = this;
    const unknown = keys.filter((key) => !session.labels.get(key)).slice(0, MOST_PICKED);
    if (unknown.length > 0) await session.learn(unknown);
    session.pick(
      keys.filter((key) => session.labels.get(key)?.content),
      add,
    );
  }

  /** Know exactly what lies in a box; false, with a word to the user, when that is too much. */
  async #learn(box: Bounds): Promise<boolean> {
    if (!this.#tiles || this.session.loader.holds(box)) return true;
    const matched = await this.session.loader.learn(box, MOST_BOXED).catch(() => null);
    if (matched === null) this.session.say("The labels of this box could not be read: the server cannot be reached.");
    else if (matched > MOST_BOXED) {
      this.session.say(
        `${count(matched)} labels lie in this box. Up to ${count(MOST_BOXED)} are selected at once: zoom in.`,
      );
    }
    return matched !== null && matched <= MOST_BOXED;
  }

  async #pickBox({ x1, y1, x2, y2 }: Box, add: boolean): Promise<void> {
    if (!this.#shown) return;
    const a = this.map.unproject([Math.min(x1, x2), Math.max(y1, y2)]);
    const b = this.map.unproject([Math.max(x1, x2), Math.min(y1, y2)]);
    const box: Bounds = [a.lng, a.lat, b.lng, b.lat];
    if (await this.#learn(box)) this.session.pickInside(box, add);
  }

  // Tools

  setTool(tool: Tool): void {
    this.#labels.hover(null);
    this.#overlay.draft(null, "");
    this.#tools.set(tool);
    this.session.hand.snap = null;
    this.#steer.stop();
  }

  /** Do the arrows pan? Else they steer the crosshair, move a vertex, turn the selection. */
  panByKeys(on: boolean): void {
    if (on) this.map.keyboard.enable();
    else this.map.keyboard.disable();
  }

  /**
   * Take a key of the map: with a drawing tool it steers the crosshair, else it moves the picked vertex or turns the
   * selection.
   */
  steer(event: KeyboardEvent): boolean {
    const { key, shiftKey, ctrlKey, metaKey, altKey, target } = event;
    if (target !== this.map.getCanvas() || ctrlKey || metaKey || altKey) return false;
    const { tool, hand } = this.session;
    return tool === "select" ? hand.press(key, shiftKey, this.pixel) : this.#steer.key(event);
  }

  /** Give the map the focus, so that the arrows steer. */
  focus(): void {
    this.map.getCanvas().focus({ preventScroll: true });
  }

  get drawing(): boolean {
    return this.#tools.drawing;
  }

  finish(): void {
    this.#tools.finish();
  }

  cancel(): boolean {
    return this.#tools.cancel();
  }

  back(): void {
    this.#tools.back();
  }

  forward(): boolean {
    return this.#tools.forward();
  }

  /** Bring back a draft that was dropped. */
  revive(): boolean {
    return this.#tools.revive();
  }

  // Camera

  bounds(): Bounds {
    const box = this.map.getBounds();
    return [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
  }

  fit(bounds: Bounds, padding: Padding, animate = true): void {
    const [w, s, e, n] = bounds;
    this.map.fitBounds([w, s, e, n], { padding, maxZoom: 21, animate, duration: 300 });
  }

  fitScenes(padding: Padding, scene?: Scene): void {
    const boxes = (scene ? [scene] : this.session.scenes).map((s) => s.bounds).filter((b) => b !== null);
    const all = unite(boxes.map((box) => this.#atHome(unrolled(box))));
    if (all) this.fit(all, padding, scene !== undefined);
  }

  /** The copy of a box that lies where the labels do. */
  #atHome([w, s, e, n]: Bounds): Bounds {
    const shift = nearLongitude((w + e) / 2, this.session.labels.home) - (w + e) / 2;
    return [w + shift, s, e + shift, n];
  }

  /** Move so that a box is on the screen and under no panel, if it is not. */
  reveal(bounds: Bounds, padding: Padding): void {
    const { clientWidth, clientHeight } = this.map.getCanvas();
    const southWest = this.map.unproject([padding.left, clientHeight - padding.bottom]);
    const northEast = this.map.unproject([clientWidth - padding.right, padding.top]);
    const seen: Bounds = [southWest.lng, southWest.lat, northEast.lng, northEast.lat];
    if (!within(bounds, seen)) this.fit(bounds, padding);
  }

  #camera(): void {
    const zoom = this.map.getZoom();
    this.events.camera({ zoom: zoom + ZOOM_OFFSET, metresPerPixel: metresPerPixel(this.map.getCenter().lat, zoom) });
  }

  /** Space was pressed or let go. */
  holdSpace(held: boolean): void {
    if (held === this.#spaceHeld) return;
    this.#spaceHeld = held;
    this.map.getCanvas().style.cursor = held ? "grab" : "";
    this.#tools.updatePanning();
  }

  remove(): void {
    clearTimeout(this.#retry);
    cancelAnimationFrame(this.#frame);
    this.#people.remove();
    this.#conflict.remove();
    this.#gone = true;
    this.map.remove();
  }
}
