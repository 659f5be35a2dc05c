/** How labels look, from whichever source: dark casing under every line, so that it holds on any ground. */
import type { ExpressionSpecification, FilterSpecification, LayerSpecification, Map as MapLibre } from "maplibre-gl";
import { hatchedOf } from "../hatch";
import type { LabelClass } from "../types";
import { type Drawn, fillOpacity } from "./drawn";
import { addHatch, hatchNamed } from "./icons";

export const CASING = "#0b0c0e";

/** What imagery is put under: nothing itself. */
export const LOWEST = "labels-lowest";

export interface LabelSource {
  /** The layers are called `{name}-fill`, `-hatch`, `-casing`, `-line`, `-dashed` and `-point`. */
  name: string;
  source: string;
  /** Of vector tiles. */
  sourceLayer?: string;
  /** Which of its features are drawn with a fill, with lines, and as points. */
  polygon: FilterSpecification;
  outlined: FilterSpecification;
  point: FilterSpecification;
  color: ExpressionSpecification;
  /** The smaller comes first to the hand. */
  sort?: ExpressionSpecification;
}

const state = (name: string): ExpressionSpecification => ["boolean", ["feature-state", name], false];
const HOVER = state("hover");
/** What is drawn elsewhere: a selected label by Overlay, one that was changed from the labels themselves. */
const ELSEWHERE: ExpressionSpecification = ["any", state("selected"), state("stale")];

const unless = (hover: number, plain: number): ExpressionSpecification => ["case", ELSEWHERE, 0, HOVER, hover, plain];

/** A fill: strong where a label stands, faint where one is suggested, none where it was rejected. */
const filled = (hover: number, plain: number): ExpressionSpecification => [
  "case",
  ELSEWHERE,
  0,
  HOVER,
  hover,
  ["match", ["get", "status"], "suggested", plain * SUGGESTED_FILL, "rejected", 0, plain],
];

// A dash tells what a model suggests, and dots what was rejected, whatever the colour.
const SUGGESTED: ExpressionSpecification = ["==", ["get", "status"], "suggested"];
const REJECTED: ExpressionSpecification = ["==", ["get", "status"], "rejected"];
const DASHED: ExpressionSpecification = ["any", SUGGESTED, REJECTED];
const SUGGESTED_FILL = 5 / 18;
const GREY = "#9098a3";
const LINE = 1.75;
const inWidths = (...pixels: number[]): ExpressionSpecification => ["literal", pixels.map((px) => px / LINE)];

const lineWidth = (far: number, near: number, hover: number, threshold: number): ExpressionSpecification => [
  "step",
  ["zoom"],
  ["case", HOVER, hover, far],
  threshold,
  ["case", HOVER, hover, near],
];

const among = (classes: ReadonlySet<string>): ExpressionSpecification => [
  "in",
  ["get", "class"],
  ["literal", [...classes]],
];

export const pattern = (color: ExpressionSpecification): ExpressionSpecification => [
  "image",
  ["concat", hatchNamed(""), color],
];

/** How much stronger than the fill under it a hatch is. */
const HATCH = 3;
const STRONGEST_HATCH = 0.9;

type State = "selected" | "stale";

export class LabelStyle {
  readonly #states: Record<State, Set<number>> = { selected: new Set(), stale: new Set() };
  #hovered: number | null = null;
  #hidden: ReadonlySet<string> = new Set();
  #hatched: ReadonlySet<string> = new Set();

  constructor(
    private readonly map: MapLibre,
    private readonly from: LabelSource,
  ) {
    const { name, source, sourceLayer, polygon, outlined, point, color, sort } = from;
    const own = sourceLayer ? { source, "source-layer": sourceLayer } : { source };
    const order = sort ? { "line-sort-key": sort } : {};
    const line = { "line-join": "round", "line-cap": "round", ...order } as const;
    const layers: LayerSpecification[] = [
      {
        id: `${name}-fill`,
        type: "fill",
        ...own,
        filter: polygon,
        layout: sort ? { "fill-sort-key": sort } : {},
        paint: { "fill-color": color, "fill-antialias": false },
      },
      {
        id: `${name}-hatch`,
        type: "fill",
        ...own,
        filter: polygon,
        layout: sort ? { "fill-sort-key": sort } : {},
        paint: { "fill-pattern": pattern(color), "fill-antialias": false },
      },
      { id: `${name}-casing`, type: "line", ...own, filter: outlined, layout: line, paint: { "line-color": CASING } },
      { id: `${name}-line`, type: "line", ...own, filter: outlined, layout: line, paint: { "line-color": color } },
      {
        id: `${name}-dashed`,
        type: "line",
        ...own,
        filter: outlined,
        layout: { "line-join": "round", ...order },
        paint: { "line-dasharray": ["case", REJECTED, inWidths(2, 3), inWidths(6, 4)] },
      },
      {
        id: `${name}-point`,
        type: "circle",
        ...own,
        filter: point,
        paint: {
          "circle-color": color,
          "circle-radius": ["case", HOVER, 6, 5],
          "circle-stroke-color": CASING,
          "circle-stroke-width": 2,
        },
      },
    ];
    if (!map.getLayer(LOWEST)) map.addLayer({ id: LOWEST, type: "background", layout: { visibility: "none" } });
    for (const layer of layers) map.addLayer(layer);
    this.recolor(color);
    this.#filter();
    this.fill(18, 100);
    this.thinBelow(0);
  }

  get layers(): string[] {
    return ["fill", "hatch", "casing", "line", "dashed", "point"].map((part) => `${this.from.name}-${part}`);
  }

  #set(id: number, states: Record<string, boolean>): void {
    const { source, sourceLayer } = this.from;
    this.map.setFeatureState({ source, id, ...(sourceLayer ? { sourceLayer } : {}) }, states);
  }

  hover(id: number | null): void {
    if (id === this.#hovered) return;
    if (this.#hovered !== null) this.#set(this.#hovered, { hover: false });
    if (id !== null) this.#set(id, { hover: true });
    this.#hovered = id;
  }

  /** Leave labels to whoever else draws them. */
  mark(what: State, ids: Iterable<number>): void {
    const next = new Set(ids);
    for (const id of this.#states[what]) if (!next.has(id)) this.#set(id, { [what]: false });
    for (const id of next) if (!this.#states[what].has(id)) this.#set(id, { [what]: true });
    this.#states[what] = next;
  }

  recolor(color: ExpressionSpecification): void {
    const { name } = this.from;
    this.map.setPaintProperty(`${name}-fill`, "fill-color", color);
    this.map.setPaintProperty(`${name}-hatch`, "fill-pattern", pattern(color));
    this.map.setPaintProperty(`${name}-line`, "line-color", color);
    this.map.setPaintProperty(`${name}-dashed`, "line-color", ["case", REJECTED, GREY, color]);
    this.map.setPaintProperty(`${name}-point`, "circle-color", color);
  }

  hide(classes: ReadonlySet<string>): void {
    this.#hidden = classes;
    this.#filter();
  }

  /** Hatch the classes that share the colour of another one. */
  hatch(classes: LabelClass[]): void {
    this.#hatched = hatchedOf(classes);
    for (const { name, color } of classes) if (this.#hatched.has(name)) addHatch(this.map, color);
    this.#filter();
  }

  #filter(): void {
    const { name, polygon, outlined, point } = this.from;
    const shown: ExpressionSpecification = ["!", among(this.#hidden)];
    const filter = (...kinds: FilterSpecification[]) => ["all", ...kinds, shown] as FilterSpecification;
    this.map.setFilter(`${name}-fill`, filter(polygon));
    this.map.setFilter(`${name}-hatch`, filter(polygon, among(this.#hatched)));
    this.map.setFilter(`${name}-casing`, filter(outlined));
    this.map.setFilter(`${name}-line`, filter(outlined, ["!", DASHED]));
    this.map.setFilter(`${name}-dashed`, filter(outlined, DASHED));
    this.map.setFilter(`${name}-point`, filter(point));
  }

  show(visible: boolean): void {
    for (const layer of this.layers) this.map.setLayoutProperty(layer, "visibility", visible ? "visible" : "none");
  }

  /**
   * @param fill of the polygons, 0..60 percent.
   * @param whole of all that is drawn of a label, 0..100 percent.
   */
  fill(fill: number, whole: number, drawn: Drawn = "both"): void {
    const { name, polygon } = this.from;
    const share = whole / 100;
    const { plain, hover } = fillOpacity(fill, whole, drawn);
    // Lines have no fill to be drawn instead.
    const line = (opacity: ExpressionSpecification): ExpressionSpecification =>
      drawn === "fill" ? ["case", polygon as ExpressionSpecification, 0, opacity] : opacity;
    const hatch = (opacity: number) => Math.min(HATCH * opacity, STRONGEST_HATCH);
    this.map.setPaintProperty(`${name}-fill`, "fill-opacity", filled(hover, plain));
    this.map.setPaintProperty(`${name}-hatch`, "fill-opacity", filled(hatch(hover), hatch(plain)));
    this.map.setPaintProperty(`${name}-casing`, "line-opacity", line(unless(0.8, 0.7 * share)));
    for (const part of ["line", "dashed"]) {
      this.map.setPaintProperty(`${name}-${part}`, "line-opacity", line(unless(1, share)));
    }
    this.map.setPaintProperty(`${name}-point`, "circle-opacity", unless(1, share));
    this.map.setPaintProperty(`${name}-point`, "circle-stroke-opacity", unless(0.9, 0.8 * share));
  }

  /** Lines are thinner where a pixel of the imagery is less than 0.75 pixel of the screen. */
  thinBelow(zoom: number): void {
    this.map.setPaintProperty(`${this.from.name}-casing`, "line-width", lineWidth(2.5, 4, 5, zoom));
    this.map.setPaintProperty(`${this.from.name}-line`, "line-width", lineWidth(1.25, LINE, 2.5, zoom));
    this.map.setPaintProperty(`${this.from.name}-dashed`, "line-width", LINE);
  }
}

/** Resolves when all of a source that the view needs is on the screen. */
export function loaded(map: MapLibre, source: string): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (map.getSource(source) && !map.isSourceLoaded(source)) return;
      map.off("sourcedata", check);
      map.off("idle", check);
      resolve();
    };
    map.on("sourcedata", check);
    map.on("idle", check);
    check();
  });
}
