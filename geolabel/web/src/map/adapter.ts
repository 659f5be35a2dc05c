/**
 * terra-draw's view of the map: events in, nothing out.
 *
 * The maplibre adapter that comes with terra-draw draws the drafts with its own layers; ours are drawn by Overlay, with the
 * casing that holds on any ground, so this one only passes events and projects.
 */
import type { Map as MapLibre } from "maplibre-gl";
import { TerraDrawExtend } from "terra-draw";

/** Pixels that the pointer may move in a click while drawing; the map pans from there on. */
export const DRAG = 6;

type Cursor = Parameters<TerraDrawExtend.TerraDrawBaseAdapter["setCursor"]>[0];

export class MapAdapter extends TerraDrawExtend.TerraDrawBaseAdapter {
  // terra-draw knows keys only while the map has the focus.
  shift = false;
  alt = false;
  /** Was Shift held when the button went down? */
  shiftAtStart = false;

  constructor(private readonly map: MapLibre) {
    super({ minPixelDragDistance: 4, minPixelDragDistanceDrawing: DRAG, coordinatePrecision: 9 });
    const canvas = map.getCanvas();
    const read = ({ shiftKey, altKey }: PointerEvent) => {
      this.shift = shiftKey;
      this.alt = altKey;
    };
    canvas.addEventListener("pointermove", read, { capture: true });
    canvas.addEventListener("pointerup", read, { capture: true });
    canvas.addEventListener(
      "pointerdown",
      (event) => {
        read(event);
        this.shiftAtStart = event.shiftKey;
      },
      { capture: true },
    );
  }

  override register(callbacks: TerraDrawExtend.TerraDrawCallbacks): void {
    super.register({
      ...callbacks,
      // A drag starts where the button went down (and with that button), not where it was told from a click.
      onDragStart: (event, setDraggability) => {
        callbacks.onDragStart(this._lastDrawEvent ?? event, setDraggability);
        callbacks.onDrag(event, setDraggability);
      },
    });
    callbacks.onReady?.();
  }

  getMapEventElement(): HTMLElement {
    return this.map.getCanvas();
  }

  getLngLatFromEvent(event: PointerEvent | MouseEvent): { lng: number; lat: number } {
    const { left, top } = this.map.getContainer().getBoundingClientRect();
    return this.unproject(event.clientX - left, event.clientY - top);
  }

  project(lng: number, lat: number): { x: number; y: number } {
    const { x, y } = this.map.project([lng, lat]);
    return { x, y };
  }

  unproject(x: number, y: number): { lng: number; lat: number } {
    const { lng, lat } = this.map.unproject([x, y]);
    return { lng, lat };
  }

  setCursor(cursor: Cursor): void {
    this.map.getCanvas().style.cursor = cursor === "unset" ? "" : cursor;
  }

  setDraggability(): void {
    // Whether a drag pans is the tool's affair: see Tools.updatePanning.
  }

  setDoubleClickToZoom(): void {
    // Never: clicks place vertices and select.
  }

  render(): void {
    // Nothing is in terra-draw's store.
  }

  clear(): void {
    this._currentModeCallbacks?.onClear();
  }
}
