/**
 * Draw without a mouse: the arrow keys steer a crosshair over the map, Space clicks where it is.
 *
 * The keys become the pointer events that a mouse would make, so every tool works by them.
 */
import type { Map as MapLibre } from "maplibre-gl";

export interface Point {
  x: number;
  y: number;
}

const STEP = 1;
const LONG_STEP = 10;
const DIRECTIONS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export class Steer {
  #at: Point | null = null;

  /**
   * @param start where the crosshair appears: the middle of what is seen of the map.
   * @param onMove tells where it is; null when the mouse has taken over.
   */
  constructor(
    private readonly map: MapLibre,
    private readonly start: () => Point,
    private readonly onMove: (at: Point | null) => void,
  ) {
    map.getCanvas().addEventListener("pointermove", (event) => {
      if (event.isTrusted) this.stop();
    });
  }

  /** Do the arrows steer now? Then Space places a vertex. */
  get steering(): boolean {
    return this.#at !== null;
  }

  /** Take a key of the map. Returns false when it is not one of ours. */
  key(event: Pick<KeyboardEvent, "key" | "shiftKey">): boolean {
    const direction = DIRECTIONS[event.key];
    if (direction) {
      const step = event.shiftKey ? LONG_STEP : STEP;
      const { clientWidth, clientHeight } = this.map.getCanvas();
      const from = this.#at ?? this.start();
      this.#at = {
        x: Math.min(clientWidth - 1, Math.max(0, from.x + direction.x * step)),
        y: Math.min(clientHeight - 1, Math.max(0, from.y + direction.y * step)),
      };
      this.#send("pointermove", -1);
      this.onMove(this.#at);
      return true;
    }
    if (event.key === " " && this.#at) {
      this.#send("pointerdown", 0);
      this.#send("pointerup", 0);
      return true;
    }
    return false;
  }

  stop(): void {
    if (!this.#at) return;
    this.#at = null;
    this.onMove(null);
  }

  #send(type: string, button: number): void {
    const canvas = this.map.getCanvas();
    const { left, top } = canvas.getBoundingClientRect();
    const { x, y } = this.#at ?? { x: 0, y: 0 };
    const place = { clientX: left + x, clientY: top + y };
    canvas.dispatchEvent(
      new PointerEvent(type, { ...place, button, isPrimary: true, bubbles: true, cancelable: true }),
    );
    // MapLibre listens to the mouse, and tells the status bar where it is.
    if (type === "pointermove") canvas.dispatchEvent(new MouseEvent("mousemove", { ...place, bubbles: true }));
  }
}
