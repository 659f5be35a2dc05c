/**
 * Select and edit, as a mode of terra-draw.
 *
 * terra-draw's own select mode holds no holes and no parts, and rounds every coordinate. This one works on the labels'
 * geometries themselves: an edit changes the vertices that it names and no other, whatever the type.
 */
import { TerraDrawExtend, type TerraDrawMouseEvent } from "terra-draw";
import type { Geometry, Position } from "../types";
import { constrained } from "./draft";
import { edgeAt, type Path, samePath, translate, vertices } from "./geometry";
import { type Handle, handleAt, REACH, type ToScreen } from "./hit";
import type { Snap } from "./snap";
import { type Turn, turned } from "./turning";

export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

export type Shapes = ReadonlyMap<number, Geometry>;

/** What the mode needs of the page. */
export interface EditHost {
  /** The geometries of the selected labels, by key. */
  selected(): Shapes;
  /** Keys of the labels at a place on the screen, topmost first; the selected ones too. */
  labelsAt(x: number, y: number): number[];
  /** Pick by a click at a place on the screen: `add` turns one on or off. */
  pick(x: number, y: number, add: boolean): void;
  pickBox(box: Box, add: boolean): void;
  activate(path: Path | null): void;
  hover(key: number | null): void;
  /** What a vertex snaps to; the labels that it belongs to are left out. */
  snap(at: Position, except?: ReadonlySet<number>): Snap | null;
  snapped(snap: Snap | null): void;
  /** The shapes, of all labels that share it, with the vertex moved, or put in. */
  withVertex(key: number, handle: Handle, to: Position): Shapes;
  /** Show what a drag would make; null ends it. */
  preview(shapes: Shapes | null): void;
  commit(title: string, shapes: Shapes): void;
  /** A vertex was dragged to its place. */
  commitVertex(handle: Handle, shapes: Shapes, snap: Snap | null): void;
  removeVertex(path: Path): void;
  showBox(box: Box | null): void;
  /** How the selection is being turned; null when it is not. */
  turning(): Turn | null;
  /** Is the map being panned (Space held)? */
  panning(): boolean;
  shift(): boolean;
  /** Was Shift held when the button went down? */
  shiftAtStart(): boolean;
}

type Drag =
  | { kind: "handle"; key: number; handle: Handle; before: Position | null; latest: Shapes; snap: Snap | null }
  | { kind: "move"; from: Position; start: Shapes; latest: Shapes }
  | { kind: "turn"; turn: Turn; from: Position; start: Shapes; latest: Shapes }
  | { kind: "box"; box: Box; add: boolean };

export class EditMode extends TerraDrawExtend.TerraDrawBaseSelectMode<TerraDrawExtend.CustomStyling> {
  override mode = "select";
  #drag: Drag | null = null;

  constructor(private readonly host: EditHost) {
    super({}, true);
    this.updateOptions({});
  }

  override start(): void {
    this.setStarted();
    this.setCursor("default");
  }

  override stop(): void {
    this.cleanUp();
    this.setStopped();
    this.setCursor("unset");
  }

  override cleanUp(): void {
    if (this.#drag) this.cancel();
    this.host.hover(null);
  }

  override styleFeature(): ReturnType<typeof TerraDrawExtend.getDefaultStyling> {
    return TerraDrawExtend.getDefaultStyling();
  }

  override selectFeature(): void {
    // Labels are selected in the session, not in terra-draw's store.
  }

  override deselectFeature(): void {
    // See selectFeature.
  }

  get dragging(): boolean {
    return this.#drag !== null;
  }

  /** Put back what a drag has moved. */
  cancel(): void {
    this.#drag = null;
    this.host.showBox(null);
    this.host.snapped(null);
    this.host.preview(null);
  }

  override onClick(event: TerraDrawMouseEvent): void {
    if (this.host.panning()) return;
    const { containerX: x, containerY: y } = event;
    const found = this.#handle(x, y);
    if (event.button === "right") {
      if (found?.handle.kind === "vertex") this.host.removeVertex(found.handle.path);
      return;
    }
    if (event.button !== "left" || this.host.turning()) return;
    const shift = this.host.shiftAtStart();
    if (found && !shift) {
      const { key, handle } = found;
      if (handle.kind === "vertex") return this.host.activate(handle.path);
      this.host.commitVertex(handle, this.host.withVertex(key, handle, handle.position), null);
      return this.host.activate(handle.path);
    }
    this.host.pick(x, y, shift);
  }

  override onMouseMove(event: TerraDrawMouseEvent): void {
    if (this.host.panning()) return;
    const { containerX: x, containerY: y } = event;
    if (this.host.turning()) {
      this.host.hover(null);
      this.setCursor("move");
      return;
    }
    if (this.#handle(x, y)) {
      this.host.hover(null);
      this.setCursor("pointer");
      return;
    }
    const key = this.host.labelsAt(x, y)[0] ?? null;
    this.host.hover(key);
    this.setCursor(key === null ? "default" : this.host.selected().has(key) ? "move" : "pointer");
  }

  override onDragStart(event: TerraDrawMouseEvent): void {
    if (this.host.panning() || event.button !== "left") return;
    const { containerX: x, containerY: y } = event;
    const from: Position = [event.lng, event.lat];
    const shift = this.host.shiftAtStart();
    const turn = this.host.turning();
    const selected = this.host.selected();
    if (turn) {
      this.#drag = { kind: "turn", turn, from, start: selected, latest: selected };
      return;
    }
    const found = shift ? null : this.#handle(x, y);
    if (found) {
      const { key, handle, geometry } = found;
      this.host.activate(handle.path);
      this.#drag = { kind: "handle", key, handle, before: previous(geometry, handle), latest: new Map(), snap: null };
    } else if (!shift && this.host.labelsAt(x, y).some((key) => selected.has(key))) {
      this.#drag = { kind: "move", from, start: selected, latest: selected };
      this.setCursor("move");
    } else {
      this.#drag = { kind: "box", box: { x1: x, y1: y, x2: x, y2: y }, add: shift };
      this.setCursor("crosshair");
    }
  }

  override onDrag(event: TerraDrawMouseEvent): void {
    const drag = this.#drag;
    if (!drag) return;
    const to: Position = [event.lng, event.lat];
    switch (drag.kind) {
      case "handle":
        return this.#dragHandle(drag, to);
      case "move":
        drag.latest = new Map([...drag.start].map(([key, geometry]) => [key, translate(geometry, drag.from, to)]));
        return this.host.preview(drag.latest);
      case "turn":
        drag.latest = turned(drag.turn, drag.start, drag.from, to, this.host.shift());
        return this.host.preview(drag.latest);
      case "box":
        drag.box.x2 = event.containerX;
        drag.box.y2 = event.containerY;
        return this.host.showBox(drag.box);
    }
  }

  #dragHandle(drag: Drag & { kind: "handle" }, to: Position): void {
    const { key, handle, before } = drag;
    const squared =
      before && this.host.shift()
        ? constrained({ tool: "line", fixed: [before], way: [], cursor: null, undone: [] }, to)
        : null;
    const sharing = drag.latest.size > 0 ? drag.latest : this.host.withVertex(key, handle, to);
    drag.snap = squared ? null : this.host.snap(to, new Set(sharing.keys()));
    drag.latest = this.host.withVertex(key, handle, squared ?? drag.snap?.position ?? to);
    this.host.snapped(drag.snap);
    this.host.preview(drag.latest);
  }

  override onDragEnd(event: TerraDrawMouseEvent): void {
    const drag = this.#drag;
    if (!drag) return;
    this.onDrag(event);
    this.#drag = null;
    this.host.preview(null);
    this.host.snapped(null);
    if (drag.kind === "handle") {
      this.host.commitVertex(drag.handle, drag.latest, drag.snap);
      this.host.activate(drag.handle.path);
    } else if (drag.kind === "box") {
      this.host.showBox(null);
      this.host.pickBox(drag.box, drag.add);
    } else {
      const verb = drag.kind === "move" ? "Move" : drag.turn.kind === "scale" ? "Scale" : "Rotate";
      this.host.commit(drag.latest.size > 1 ? `${verb} ${drag.latest.size} labels` : `${verb} label`, drag.latest);
    }
    this.setCursor("default");
  }

  /** Handles are there when one label is selected. */
  #handle(x: number, y: number): { key: number; handle: Handle; geometry: Geometry } | null {
    const selected = this.host.selected();
    const [only] = selected;
    if (selected.size !== 1 || !only || this.host.turning()) return null;
    const [key, geometry] = only;
    const toScreen: ToScreen = ([lng = 0, lat = 0]) => this.project(lng, lat);
    const [low, high] = [this.unproject(x - REACH, y + REACH), this.unproject(x + REACH, y - REACH)];
    const handle = handleAt(geometry, x, y, toScreen, [low.lng, low.lat, high.lng, high.lat]);
    return handle && { key, handle, geometry };
  }
}

/** The vertex before the one that a handle stands for. */
function previous(geometry: Geometry, { path, kind }: Handle): Position | null {
  const index = path.at(-1);
  if (index === undefined) return null;
  if (kind === "midpoint") return edgeAt(geometry, path)?.[0] ?? null;
  const all = vertices(geometry).filter(({ path: p }) => samePath(p.slice(0, -1), path.slice(0, -1)));
  return all[(index + all.length - 1) % all.length]?.position ?? null;
}
