/**
 * Select and edit, as a mode of terra-draw.
 *
 * terra-draw's own select mode holds no holes and no parts, and rounds every coordinate. This one works on the labels'
 * geometries themselves: an edit changes the vertices that it names and no other, whatever the type.
 */
import { TerraDrawExtend, type TerraDrawMouseEvent } from "terra-draw";
import type { Geometry, Position } from "../types";
import { insertVertex, moveVertex, type Path, translate } from "./geometry";
import { type Handle, handleAt, type ToScreen } from "./hit";

export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** What the mode needs of the page. */
export interface EditHost {
  /** The geometries of the selected labels, by key. */
  selected(): ReadonlyMap<number, Geometry>;
  /** Keys of the labels at a place on the screen, topmost first; the selected ones too. */
  labelsAt(x: number, y: number): number[];
  /** Pick by a click: `add` turns one on or off. */
  pick(keys: number[], add: boolean): void;
  pickBox(box: Box, add: boolean): void;
  activate(path: Path | null): void;
  hover(key: number | null): void;
  /** Show what a drag would make; null ends it. */
  preview(geometries: ReadonlyMap<number, Geometry> | null): void;
  commit(title: string, geometries: ReadonlyMap<number, Geometry>): void;
  removeVertex(path: Path): void;
  showBox(box: Box | null): void;
  /** Is the map being panned (Space held)? */
  panning(): boolean;
  /** Was Shift held when the button went down? */
  shift(): boolean;
}

type Drag =
  | { kind: "handle"; key: number; handle: Handle; geometry: Geometry; latest: Geometry }
  | { kind: "move"; from: Position; start: ReadonlyMap<number, Geometry>; latest: ReadonlyMap<number, Geometry> }
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
    if (event.button !== "left") return;
    const shift = this.host.shift();
    if (found && !shift) {
      const { key, handle, geometry } = found;
      if (handle.kind === "vertex") return this.host.activate(handle.path);
      this.host.commit("Add vertex", new Map([[key, insertVertex(geometry, handle.path, handle.position)]]));
      return this.host.activate(handle.path);
    }
    this.host.pick(this.host.labelsAt(x, y), shift);
  }

  override onMouseMove(event: TerraDrawMouseEvent): void {
    if (this.host.panning()) return;
    const { containerX: x, containerY: y } = event;
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
    const shift = this.host.shift();
    const found = shift ? null : this.#handle(x, y);
    const selected = this.host.selected();
    if (found) {
      const { key, handle, geometry } = found;
      this.host.activate(handle.path);
      this.#drag = { kind: "handle", key, handle, geometry, latest: geometry };
    } else if (!shift && this.host.labelsAt(x, y).some((key) => selected.has(key))) {
      this.#drag = { kind: "move", from: [event.lng, event.lat], start: selected, latest: selected };
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
    if (drag.kind === "handle") {
      const { handle, geometry } = drag;
      const change = handle.kind === "vertex" ? moveVertex : insertVertex;
      drag.latest = change(geometry, handle.path, to);
      this.host.preview(new Map([[drag.key, drag.latest]]));
    } else if (drag.kind === "move") {
      drag.latest = new Map([...drag.start].map(([key, geometry]) => [key, translate(geometry, drag.from, to)]));
      this.host.preview(drag.latest);
    } else {
      drag.box.x2 = event.containerX;
      drag.box.y2 = event.containerY;
      this.host.showBox(drag.box);
    }
  }

  override onDragEnd(event: TerraDrawMouseEvent): void {
    const drag = this.#drag;
    if (!drag) return;
    this.onDrag(event);
    this.#drag = null;
    this.host.preview(null);
    if (drag.kind === "handle") {
      const title = drag.handle.kind === "vertex" ? "Move vertex" : "Add vertex";
      this.host.commit(title, new Map([[drag.key, drag.latest]]));
      this.host.activate(drag.handle.path);
    } else if (drag.kind === "move") {
      this.host.commit(drag.latest.size > 1 ? `Move ${drag.latest.size} labels` : "Move label", drag.latest);
    } else {
      this.host.showBox(null);
      this.host.pickBox(drag.box, drag.add);
    }
    this.setCursor("default");
  }

  /** Handles are there when one label is selected. */
  #handle(x: number, y: number): { key: number; handle: Handle; geometry: Geometry } | null {
    const selected = this.host.selected();
    const [only] = selected;
    if (selected.size !== 1 || !only) return null;
    const [key, geometry] = only;
    const toScreen: ToScreen = ([lng = 0, lat = 0]) => this.project(lng, lat);
    const handle = handleAt(geometry, x, y, toScreen);
    return handle && { key, handle, geometry };
  }
}
