/** The map of a session: imagery, labels, tools, and the wires between them. */
import type { Map as MapLibre } from "maplibre-gl";
import { isDrawing, type Pen, PLANS, type Tool } from "../editor/draft";
import type { DrawHost } from "../editor/drawMode";
import type { Box, EditHost } from "../editor/editMode";
import { boundsOf } from "../editor/geometry";
import { pickInside } from "../editor/picking";
import { SNAP_PX, type Snap, snapTo } from "../editor/snap";
import { take } from "../editor/take";
import { Tools } from "../editor/tools";
import { prefs } from "../prefs.svelte";
import type { LiveLabel, Session } from "../session.svelte";
import type { Bounds, Geometry, Position } from "../types";
import { Backdrop } from "./backdrop";
import { drawChips } from "./chipGrid";
import { ConflictLayer, type Versions } from "./conflict";
import { createMap } from "./create";
import { flag } from "./flag";
import { type Camera, Frame } from "./frame";
import { addIcons } from "./icons";
import { type LabelEvents, LabelView } from "./labelView";
import { Overlay } from "./overlay";
import { panByHand } from "./panByHand";
import { PeopleLayer } from "./people";
import { Pictures } from "./pictures";
import { type Point, Steer } from "./steer";
import { troubledPlaces } from "./troubles";

export interface Events extends LabelEvents {
  pointer(at: { lng: number; lat: number } | null): void;
  camera(camera: Camera): void;
  box(box: Box | null): void;
  /** Where the keys steer the crosshair; null when they do not. */
  steered(at: Point | null): void;
}

/** With more labels than this in the project, tiles show them. */
const MANY = 5000;
const MOST_PICKED = 5;

export class MapView {
  readonly map: MapLibre;
  readonly frame: Frame;
  readonly pictures: Pictures;
  readonly labels: LabelView;
  readonly #overlay: Overlay;
  readonly #people: PeopleLayer;
  readonly #conflict: ConflictLayer;
  readonly #tools: Tools;
  readonly #steer: Steer;
  #spaceHeld = false;

  /** Resolves when the map can be drawn on. */
  static async open(container: HTMLElement, session: Session, events: Events): Promise<MapView> {
    const map = createMap(container);
    await new Promise((resolve) => map.once("style.load", resolve));
    return new MapView(map, session, events, session.palette.total > MANY && session.onEarth);
  }

  private constructor(
    map: MapLibre,
    private readonly session: Session,
    private readonly events: Events,
    private readonly tiled: boolean,
  ) {
    this.map = map;
    addIcons(map);
    this.frame = new Frame(map, session);
    this.labels = new LabelView(map, session, this.frame, events, tiled);
    this.pictures = new Pictures(map, session);
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
    this.#steer = new Steer(
      map,
      () => map.project(map.getCenter()),
      (at) => events.steered(at),
    );
    map.on("mousemove", (event) => events.pointer(event.lngLat));
    map.on("mouseout", () => events.pointer(null));
    map.on("move", () => events.camera(this.frame.camera));
    map.on("moveend", () => {
      this.drawHandles();
      this.labels.moved();
    });
    map.on("error", (event) => {
      if (!Backdrop.isFrom(event)) console.warn(event.error?.message ?? event);
    });
    const canvas = map.getCanvas();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus({ preventScroll: true });
      if (event.button === 1) panByHand(map, event);
    });
    events.camera(this.frame.camera);
  }

  #drawHost(): Omit<DrawHost, "shift" | "snap" | "snapped" | "panning"> {
    const { session } = this;
    return {
      geometryOf: (key) => session.labels.get(key)?.content?.geometry ?? null,
      tracing: () => session.hand.tracing,
      drafted: (draft) => {
        session.draft = draft;
        if (draft) session.measured = null;
      },
      drawn: (tool, geometry, edges) => this.#drawn(tool, geometry, edges),
      incomplete: ({ tool, fixed }) => {
        const { least } = PLANS[tool];
        session.say(
          `This takes ${least} places; there ${fixed.length === 1 ? "is one" : `are ${fixed.length}`} so far.`,
        );
      },
      pixel: () => this.frame.pixel,
    };
  }

  /** A drawing is done; what it is drawn over is known exactly first. */
  #drawn(tool: Pen, geometry: Geometry, edges: { key: number; at: Position }[]): void {
    const { session } = this;
    const add = this.#tools.shift;
    const over = tool === "lasso" || ((tool === "split" || tool === "hole") && session.selection.length === 0);
    if (!over) return take(session, tool, geometry, edges, add);
    void this.labels.learn(boundsOf(geometry), tool === "split" ? "line" : tool).then((known) => {
      if (known) take(session, tool, geometry, edges, add);
      else session.pickTool("select");
    });
  }

  #editHost(): Omit<EditHost, "shift" | "shiftAtStart" | "snap" | "snapped" | "panning"> {
    const { session } = this;
    return {
      selected: () => new Map(session.selected().map((label) => [label.key, label.content.geometry])),
      labelsAt: (x, y) => this.labels.at(x, y),
      pick: (x, y, add) => void this.#pick(x, y, add),
      pickBox: (box, add) => void this.#pickBox(box, add),
      activate: (path) => {
        session.vertex = path;
      },
      hover: (key) => this.labels.hover(key),
      preview: (geometries) => {
        session.preview = geometries;
      },
      withVertex: (key, handle, to) => session.hand.withVertex(key, handle, to),
      commit: (title, geometries) => session.edits.reshape(title, geometries),
      commitVertex: (handle, shapes, snap) => session.hand.commitVertex(handle, shapes, snap),
      removeVertex: (path) => session.hand.removeVertex(path),
      turning: () => session.hand.turning,
      showBox: (box) => this.events.box(box),
    };
  }

  /** What a place snaps to among the labels that are seen. */
  #snap(at: Position, except?: ReadonlySet<number>): Snap | null {
    if (!prefs.snapping || this.#tools.alt || !this.labels.shown) return null;
    const seen = this.session.visible();
    return snapTo(except ? seen.filter(({ key }) => !except.has(key)) : seen, at, SNAP_PX * this.frame.pixel);
  }

  /** Show a place that was gone to; null takes it away. */
  flag(geometry: Geometry | null): void {
    flag(this.map, geometry);
  }

  /** Show the chips of an export; null takes them away. */
  chips(grid: GeoJSON.FeatureCollection | null): void {
    drawChips(this.map, grid);
  }

  // Drawing

  /** Draw the selection, its handles and the places of trouble. */
  drawSelection(): void {
    const { session } = this;
    const labels = session.selected();
    const { preview } = session;
    this.labels.select(session.selection.map((key) => ({ key, id: session.labels.get(key)?.id ?? null })));
    const shared = [...(preview?.keys() ?? [])].filter((key) => !session.selection.includes(key));
    const neighbours = shared.map((key) => session.labels.get(key)).filter((l): l is LiveLabel => !!l?.content);
    this.#overlay.selection(
      [...labels, ...neighbours].map((label) => ({
        geometry: preview?.get(label.key) ?? label.content.geometry,
        color: session.palette.colorOf(label.content.class),
        hatched: session.palette.isHatched(label.content.class),
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
    this.#overlay.handles(geometry, session.vertex, this.frame.bounds());
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
    const unknown = this.tiled ? selected.filter((id) => session.labels.keyOf(id) === undefined) : [];
    if (unknown.length > 0) void session.learn(unknown);
    this.#people.show(session.people.others, (id) => {
      const content = session.labels.get(session.labels.keyOf(id) ?? id)?.content;
      return content ? { geometry: content.geometry, color: session.palette.colorOf(content.class) } : null;
    });
  }

  /** The two versions of a label that was changed twice; null when there is nothing to decide. */
  drawConflict(versions: Versions | null, side?: "both" | "mine" | "theirs"): void {
    this.#conflict.show(versions, side);
  }

  drawDraft(): void {
    const { tool, draft, measured, className } = this.session;
    if (tool !== "select")
      this.#overlay.draft(draft ?? measured, isDrawing(tool) ? this.session.palette.colorOf(className) : "#ffffff");
  }

  /** Select what was clicked; a label that only tiles show is read first. */
  async #pick(x: number, y: number, add: boolean): Promise<void> {
    const { session } = this;
    const keys = await this.labels.find(x, y);
    const unknown = keys.filter((key) => !session.labels.get(key)).slice(0, MOST_PICKED);
    if (unknown.length > 0) await session.learn(unknown);
    session.pick(
      keys.filter((key) => session.labels.get(key)?.content),
      add,
    );
  }

  async #pickBox({ x1, y1, x2, y2 }: Box, add: boolean): Promise<void> {
    if (!this.labels.shown) return;
    const a = this.map.unproject([Math.min(x1, x2), Math.max(y1, y2)]);
    const b = this.map.unproject([Math.max(x1, x2), Math.min(y1, y2)]);
    const box: Bounds = [a.lng, a.lat, b.lng, b.lat];
    if (await this.labels.learn(box, "box")) pickInside(this.session, box, add);
  }

  // Tools

  setTool(tool: Tool): void {
    this.labels.hover(null);
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
    return tool === "select" ? hand.press(key, shiftKey, this.frame.pixel) : this.#steer.key(event);
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

  /** Space was pressed or let go. */
  holdSpace(held: boolean): void {
    if (held === this.#spaceHeld) return;
    this.#spaceHeld = held;
    this.map.getCanvas().style.cursor = held ? "grab" : "";
    this.#tools.updatePanning();
  }

  remove(): void {
    this.labels.remove();
    this.pictures.remove();
    this.#people.remove();
    this.#conflict.remove();
    this.map.remove();
  }
}
