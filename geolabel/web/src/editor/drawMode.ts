/**
 * Drawing, as a mode of terra-draw: clicks, drags and strokes become the places of a draft.
 *
 * terra-draw's own modes round every coordinate and know no neighbours. This one puts a vertex on the very doubles of what
 * it snaps to, and follows borders.
 */
import { TerraDrawExtend, type TerraDrawMouseEvent } from "terra-draw";
import type { Geometry, Position } from "../types";
import { trace } from "./borders";
import {
  back,
  begin,
  canClose,
  constrained,
  type Draft,
  fix,
  forward,
  full,
  isClosed,
  type Pen,
  PLANS,
  shapeOf,
  thinned,
} from "./draft";
import type { Snap } from "./snap";

/** What the mode needs of the page. */
export interface DrawHost {
  /** What the pointer snaps to; null for nothing. */
  snap(at: Position): Snap | null;
  /** Show what it snaps to. */
  snapped(snap: Snap | null): void;
  geometryOf(key: number): Geometry | null;
  /** Is a border to be followed? */
  tracing(): boolean;
  drafted(draft: Draft | null): void;
  /** @param edges where it was put on the edge of a neighbour, by whose. */
  drawn(tool: Pen, geometry: Geometry, edges: { key: number; at: Position }[]): void;
  /** There are too few places. */
  incomplete(draft: Draft): void;
  /** Is the map being panned (Space held)? */
  panning(): boolean;
  shift(): boolean;
  /** Side of a screen pixel in degrees of the plane. */
  pixel(): number;
}

const NEAR = 10;
const STROKE_STEP = 3;
const STROKE_TOLERANCE = 1.2;

export class DrawMode extends TerraDrawExtend.TerraDrawBaseDrawMode<TerraDrawExtend.CustomStyling> {
  override mode = "draw";
  #tool: Pen = "polygon";
  #draft: Draft | null = null;
  #dropped: Draft | null = null;
  #edges: { key: number; at: Position }[] = [];

  constructor(private readonly host: DrawHost) {
    super({}, true);
    this.updateOptions({});
  }

  set tool(tool: Pen) {
    if (tool !== this.#tool) this.#dropped = null;
    this.#tool = tool;
  }

  get draft(): Draft | null {
    return this.#draft;
  }

  override start(): void {
    this.setStarted();
    this.setCursor("crosshair");
  }

  override stop(): void {
    this.cleanUp();
    this.setStopped();
    this.setCursor("unset");
  }

  override cleanUp(): void {
    this.#show(null);
    this.#edges = [];
    this.host.snapped(null);
  }

  override styleFeature(): ReturnType<typeof TerraDrawExtend.getDefaultStyling> {
    return TerraDrawExtend.getDefaultStyling();
  }

  #show(draft: Draft | null): void {
    const was = this.#draft !== null;
    this.#draft = draft;
    if (draft && !was && this.state === "started") this.setDrawing();
    if (!draft && was && this.state === "drawing") this.setStarted();
    this.host.drafted(draft);
  }

  // Pointer

  override onMouseMove(event: TerraDrawMouseEvent): void {
    if (this.host.panning()) return;
    if (PLANS[this.#tool].stroke) {
      if (this.#draft) this.#stroke(event);
      return;
    }
    const { at, snap } = this.#aim(event);
    this.host.snapped(snap);
    if (this.#draft) this.#show({ ...this.#draft, cursor: at, way: this.#way(at, snap) });
  }

  override onClick(event: TerraDrawMouseEvent): void {
    if (this.host.panning() || event.button !== "left") return;
    const draft = this.#draft;
    const { stroke, least, closed } = PLANS[this.#tool];
    if (stroke) {
      if (draft) this.finish();
      else this.#fix([event.lng, event.lat], null);
      return;
    }
    if (draft && draft.fixed.length >= least) {
      const ends = closed ? [draft.fixed[0], draft.fixed.at(-1)] : [draft.fixed.at(-1)];
      if (draft.way.length === 0 && ends.some((end) => end && this.#near(end, event))) return this.finish();
    } else if (draft?.fixed.some((place) => this.#near(place, event, 2))) return; // a click that was made twice
    const { at, snap } = this.#aim(event);
    this.#fix(at, snap);
  }

  override onDragStart(event: TerraDrawMouseEvent): void {
    if (this.host.panning() || event.button !== "left" || !this.#byDrag || this.#draft) return;
    if (PLANS[this.#tool].stroke) return this.#fix([event.lng, event.lat], null);
    const { at, snap } = this.#aim(event);
    this.#fix(at, snap);
  }

  override onDrag(event: TerraDrawMouseEvent): void {
    if (this.#byDrag && this.#draft) this.onMouseMove(event);
  }

  override onDragEnd(event: TerraDrawMouseEvent): void {
    if (this.host.panning() || !this.#byDrag || !this.#draft) return;
    if (PLANS[this.#tool].stroke) return this.finish();
    const { at, snap } = this.#aim(event);
    this.#fix(at, snap);
  }

  get #byDrag(): boolean {
    return PLANS[this.#tool].stroke || this.#tool === "rectangle" || this.#tool === "circle";
  }

  #near([lng = 0, lat = 0]: Position, { containerX, containerY }: TerraDrawMouseEvent, reach = NEAR): boolean {
    const { x, y } = this.project(lng, lat);
    return Math.hypot(x - containerX, y - containerY) <= reach;
  }

  #aim(event: TerraDrawMouseEvent): { at: Position; snap: Snap | null } {
    const at = [event.lng, event.lat];
    const [first] = this.#draft?.fixed ?? [];
    if (this.#draft && first && canClose(this.#draft) && this.#near(first, event)) return { at: first, snap: null };
    if (this.#draft && this.host.shift() && !this.host.tracing())
      return { at: constrained(this.#draft, at), snap: null };
    const snap = this.host.snap(at);
    return { at: snap?.position ?? at, snap };
  }

  /** What lies between the last place and the next one on the border that both are on. */
  #way(at: Position, snap: Snap | null): Position[] {
    const last = this.#draft?.fixed.at(-1);
    const geometry = snap && last && this.host.tracing() ? this.host.geometryOf(snap.key) : null;
    return (geometry && snap && last && trace(geometry, snap.chain, last, at, this.host.shift())) || [];
  }

  #fix(at: Position, snap: Snap | null): void {
    const draft = { ...(this.#draft ?? begin(this.#tool)), way: this.#way(at, snap) };
    if (!this.#draft) this.#edges = [];
    this.#dropped = null;
    if (snap?.kind === "edge") this.#edges.push({ key: snap.key, at });
    this.#show(fix(draft, at));
    if (this.#draft && (full(this.#draft) || isClosed(this.#draft))) this.finish();
  }

  #stroke(event: TerraDrawMouseEvent): void {
    const last = this.#draft?.fixed.at(-1);
    if (this.#draft && last && !this.#near(last, event, STROKE_STEP))
      this.#show(fix(this.#draft, [event.lng, event.lat]));
  }

  // Keys

  /** Close the outline, end the line. */
  finish(): void {
    const draft = this.#draft;
    if (!draft) return;
    const { stroke } = PLANS[draft.tool];
    const fixed = stroke ? thinned(draft.fixed, STROKE_TOLERANCE * this.host.pixel()) : draft.fixed;
    const shape = shapeOf({ ...draft, fixed });
    if (!shape) {
      if (stroke) this.#show(null);
      else this.host.incomplete(draft);
      return;
    }
    const edges = this.#edges.filter(({ at }) => draft.fixed.includes(at));
    this.cleanUp();
    this.host.drawn(draft.tool, shape, edges);
  }

  /** Drop the draft; `revive` brings it back. */
  cancel(): boolean {
    if (!this.#draft) return false;
    this.#dropped = { ...this.#draft, way: [], cursor: null };
    const edges = this.#edges;
    this.cleanUp();
    this.#edges = edges;
    return true;
  }

  revive(): boolean {
    if (!this.#dropped || this.#draft) return false;
    this.#show(this.#dropped);
    this.#dropped = null;
    return true;
  }

  /** Take the last place back. */
  back(): void {
    if (!this.#draft) return;
    const less = back(this.#draft);
    if (less.fixed.length > 0) this.#show(less);
    else this.cancel();
  }

  /** Put back a place that was taken back. */
  forward(): boolean {
    if (!this.#draft || this.#draft.undone.length === 0) return false;
    this.#show(forward(this.#draft));
    return true;
  }
}
