/** The tools: terra-draw draws new shapes, EditMode changes those that are there. */
import type { Map as MapLibre } from "maplibre-gl";
import {
  TerraDraw,
  type TerraDrawKeyboardEvent,
  TerraDrawLineStringMode,
  TerraDrawModeUndoRedo,
  type TerraDrawMouseEvent,
  TerraDrawPointMode,
  TerraDrawPolygonMode,
  TerraDrawRectangleMode,
} from "terra-draw";
import { MapAdapter } from "../map/adapter";
import type { Geometry } from "../types";
import { type Draft, type Drawing, draftOf, type Tool } from "./draft";
import { type EditHost, EditMode } from "./editMode";

export interface ToolHost extends Omit<EditHost, "shift"> {
  drafted(draft: Draft | null): void;
  drawn(geometry: Geometry): void;
}

const NEAR = 10;
const KEYS = { cancel: "Escape", finish: "Enter" } as const;

export class Tools {
  readonly #draw: TerraDraw;
  readonly #edit: EditMode;
  readonly #modes: Record<Drawing, { onKeyUp(event: TerraDrawKeyboardEvent): void }>;
  #tool: Tool = "select";

  constructor(
    private readonly map: MapLibre,
    private readonly host: ToolHost,
  ) {
    const adapter = new MapAdapter(map, () => this.#drafted());
    const pointerEvents = {
      leftClick: true,
      rightClick: false,
      contextMenu: false,
      onDragStart: (event: TerraDrawMouseEvent) => event.button === "left" && !host.panning(),
      onDrag: true,
      onDragEnd: true,
    };
    const common = { pointerDistance: NEAR, keyEvents: KEYS, pointerEvents };
    const polygon = new TerraDrawPolygonMode(common);
    const rectangle = new TerraDrawRectangleMode({ ...common, drawInteraction: "click-move-or-drag" });
    const line = new TerraDrawLineStringMode(common);
    const point = new TerraDrawPointMode({ pointerEvents });
    this.#edit = new EditMode({ ...host, shift: () => adapter.shift });
    this.#modes = { polygon, rectangle, line, point };
    this.#draw = new TerraDraw({
      adapter,
      modes: [this.#edit, polygon, rectangle, line, point],
      undoRedo: { modeLevel: new TerraDrawModeUndoRedo() },
    });
    this.#draw.on("finish", (id, context) => {
      if (context.action !== "draw") return;
      const made = this.#draw.getSnapshotFeature(id);
      this.#draw.removeFeatures([id]);
      if (made) host.drawn(made.geometry);
    });
    this.#draw.start();
    this.#draw.setMode("select");
    this.updatePanning();
  }

  get tool(): Tool {
    return this.#tool;
  }

  get drawing(): boolean {
    return this.#tool !== "select" && this.#draw.getModeState() === "drawing";
  }

  set(tool: Tool): void {
    if (this.drawing) this.cancel();
    this.#tool = tool;
    this.#draw.setMode(tool === "line" ? "linestring" : tool);
    this.updatePanning();
  }

  /** In Select a drag selects or edits, so the map is panned with Space or the middle button. */
  updatePanning(): void {
    const drags = this.#tool === "select" || (this.#tool === "rectangle" && !this.host.panning());
    if (!drags || this.host.panning()) this.map.dragPan.enable();
    else this.map.dragPan.disable();
  }

  /** Close the outline, end the line. */
  finish(): void {
    this.#press("Enter");
  }

  /** Drop the draft, or what a drag has moved. */
  cancel(): boolean {
    if (this.#edit.dragging) {
      this.#edit.cancel();
      return true;
    }
    if (!this.drawing) return false;
    this.#press("Escape");
    return true;
  }

  /** Take the last vertex back. */
  back(): void {
    if (!this.drawing) return;
    if (this.#draw.canUndo()) this.#draw.undo();
    else this.cancel();
    this.#drafted();
  }

  /** Put a vertex back that was taken back. */
  forward(): boolean {
    return this.#draw.canRedo() && this.#draw.redo();
  }

  #press(key: string): void {
    if (this.#tool === "select") return;
    this.#modes[this.#tool].onKeyUp({ key, heldKeys: [], preventDefault: () => {} });
  }

  #drafted(): void {
    if (!this.#draw?.enabled || this.#tool === "select") return this.host.drafted(null);
    const feature = this.#draw.getSnapshot().find((made) => made.properties.currentlyDrawing);
    if (!feature || this.#tool === "point") return this.host.drafted(null);
    this.host.drafted(draftOf(this.#tool, feature.geometry as Geometry, feature.properties.committedCoordinateCount));
  }
}
