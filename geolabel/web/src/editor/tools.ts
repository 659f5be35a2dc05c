/** The tools: DrawMode draws, EditMode changes what is there; terra-draw brings both the pointer. */
import type { Map as MapLibre } from "maplibre-gl";
import { TerraDraw } from "terra-draw";
import { MapAdapter } from "../map/adapter";
import { PLANS, type Tool } from "./draft";
import { type DrawHost, DrawMode } from "./drawMode";
import { type EditHost, EditMode } from "./editMode";

type Keys = "shift" | "shiftAtStart" | "alt";
export type ToolHost = Omit<EditHost & DrawHost, Keys>;

export class Tools {
  readonly #terra: TerraDraw;
  readonly #edit: EditMode;
  readonly #draw: DrawMode;
  readonly #adapter: MapAdapter;
  #tool: Tool = "select";

  constructor(
    private readonly map: MapLibre,
    private readonly host: ToolHost,
  ) {
    const adapter = new MapAdapter(map);
    const held = { shift: () => adapter.shift, shiftAtStart: () => adapter.shiftAtStart };
    this.#adapter = adapter;
    this.#edit = new EditMode({ ...host, ...held });
    this.#draw = new DrawMode({ ...host, ...held });
    this.#terra = new TerraDraw({ adapter, modes: [this.#edit, this.#draw] });
    this.#terra.start();
    this.#terra.setMode("select");
    this.updatePanning();
  }

  get shift(): boolean {
    return this.#adapter.shift;
  }

  /** Is Alt held? Then nothing snaps. */
  get alt(): boolean {
    return this.#adapter.alt;
  }

  get drawing(): boolean {
    return this.#draw.draft !== null;
  }

  set(tool: Tool): void {
    this.#draw.cancel();
    this.#tool = tool;
    if (tool !== "select") this.#draw.tool = tool;
    this.#terra.setMode(tool === "select" ? "select" : "draw");
    this.updatePanning();
  }

  /** Where a drag draws, selects or edits, the map is panned with Space or the middle button. */
  updatePanning(): void {
    const tool = this.#tool;
    const drags = tool === "select" || tool === "rectangle" || tool === "circle" || PLANS[tool].stroke;
    if (!drags || this.host.panning()) this.map.dragPan.enable();
    else this.map.dragPan.disable();
  }

  finish(): void {
    this.#draw.finish();
  }

  /** Drop the draft, or what a drag has moved. */
  cancel(): boolean {
    if (!this.#edit.dragging) return this.#draw.cancel();
    this.#edit.cancel();
    return true;
  }

  /** Bring back a draft that was dropped. */
  revive(): boolean {
    return this.#tool !== "select" && this.#draw.revive();
  }

  back(): void {
    this.#draw.back();
  }

  forward(): boolean {
    return this.#draw.forward();
  }
}
