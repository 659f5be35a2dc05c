/** All labels but the selected ones: dark casing under every line, so that it holds on any ground. */
import type { ExpressionSpecification, FilterSpecification, GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import { boundsOf, chains, drawable } from "../editor/geometry";
import type { Content, Labels } from "../sync/labels";

export const CASING = "#0b0c0e";
const SOURCE = "labels";
const LAYERS = ["labels-fill", "labels-casing", "labels-line", "labels-point"] as const;
/** What imagery is put under. */
export const LOWEST = "labels-fill";

const HOVER: ExpressionSpecification = ["boolean", ["feature-state", "hover"], false];
const SELECTED: ExpressionSpecification = ["boolean", ["feature-state", "selected"], false];
const POINT: FilterSpecification = ["==", ["get", "kind"], "point"];
const NOT_POINT: FilterSpecification = ["!=", ["get", "kind"], "point"];
const POLYGON: FilterSpecification = ["==", ["get", "kind"], "ring"];

const unless = (hover: number, plain: number | ExpressionSpecification): ExpressionSpecification => [
  "case",
  SELECTED,
  0,
  HOVER,
  hover,
  plain,
];

const lineWidth = (far: number, near: number, hover: number, threshold: number): ExpressionSpecification => [
  "step",
  ["zoom"],
  ["case", HOVER, hover, far],
  threshold,
  ["case", HOVER, hover, near],
];

/** The labels' source and layers on a map. */
export class LabelLayers {
  #shown = new Map<number, Content>();
  #hovered: number | null = null;
  #selected = new Set<number>();
  #hidden = new Set<string>();
  #threshold = 0;

  constructor(
    private readonly map: MapLibre,
    private readonly colorOf: (className: string) => string,
  ) {
    const empty = { type: "FeatureCollection" as const, features: [] };
    map.addSource(SOURCE, { type: "geojson", data: empty, promoteId: "key", maxzoom: 22, tolerance: 0.2, buffer: 64 });
    map.addLayer({
      id: "labels-fill",
      type: "fill",
      source: SOURCE,
      filter: POLYGON,
      layout: { "fill-sort-key": ["get", "order"] },
      paint: { "fill-color": ["get", "color"], "fill-antialias": false },
    });
    map.addLayer({
      id: "labels-casing",
      type: "line",
      source: SOURCE,
      filter: NOT_POINT,
      layout: { "line-join": "round", "line-cap": "round", "line-sort-key": ["get", "order"] },
      paint: { "line-color": CASING, "line-opacity": unless(0.8, 0.7) },
    });
    map.addLayer({
      id: "labels-line",
      type: "line",
      source: SOURCE,
      filter: NOT_POINT,
      layout: { "line-join": "round", "line-cap": "round", "line-sort-key": ["get", "order"] },
      paint: { "line-color": ["get", "color"], "line-opacity": unless(1, 1) },
    });
    map.addLayer({
      id: "labels-point",
      type: "circle",
      source: SOURCE,
      filter: POINT,
      paint: {
        "circle-color": ["get", "color"],
        "circle-radius": ["case", HOVER, 6, 5],
        "circle-opacity": unless(1, 1),
        "circle-stroke-color": CASING,
        "circle-stroke-width": 2,
        "circle-stroke-opacity": unless(0.9, 0.8),
      },
    });
    this.fill(18);
    this.thinBelow(0);
  }

  /** Bring the map up to date with the labels: only what changed is sent. */
  sync(labels: Labels): void {
    const source = this.map.getSource(SOURCE) as GeoJSONSource | undefined;
    if (!source) return;
    const now = new Map(labels.all().map((label) => [label.key, label.content]));
    const remove = [...this.#shown.keys()].filter((key) => now.get(key) !== this.#shown.get(key));
    const add = [...now].filter(([key, content]) => this.#shown.get(key) !== content);
    this.#shown = now;
    if (remove.length === 0 && add.length === 0) return;
    source.updateData({ remove, add: add.map(([key, content]) => this.#feature(key, content)) });
  }

  #feature(key: number, content: Content): GeoJSON.Feature {
    const [w, s, e, n] = boundsOf(content.geometry);
    return {
      type: "Feature",
      geometry: drawable(content.geometry),
      properties: {
        key,
        class: content.class,
        color: this.colorOf(content.class),
        kind: chains(content.geometry)[0]?.kind ?? "point",
        order: -Math.max(e - w, 0) * Math.max(n - s, 0), // the small above the large
      },
    };
  }

  /** Is all that was sent on the screen? */
  get loaded(): boolean {
    return this.map.isSourceLoaded(SOURCE);
  }

  hover(key: number | null): void {
    if (key === this.#hovered) return;
    if (this.#hovered !== null) this.map.setFeatureState({ source: SOURCE, id: this.#hovered }, { hover: false });
    if (key !== null) this.map.setFeatureState({ source: SOURCE, id: key }, { hover: true });
    this.#hovered = key;
  }

  /** The selected labels are drawn by Overlay. */
  select(keys: number[]): void {
    const next = new Set(keys);
    for (const key of this.#selected) {
      if (!next.has(key)) this.map.setFeatureState({ source: SOURCE, id: key }, { selected: false });
    }
    for (const key of next) this.map.setFeatureState({ source: SOURCE, id: key }, { selected: true });
    this.#selected = next;
  }

  hide(classes: ReadonlySet<string>): void {
    this.#hidden = new Set(classes);
    const shown: ExpressionSpecification = ["!", ["in", ["get", "class"], ["literal", [...this.#hidden]]]];
    this.map.setFilter("labels-fill", ["all", POLYGON, shown] as FilterSpecification);
    this.map.setFilter("labels-casing", ["all", NOT_POINT, shown] as FilterSpecification);
    this.map.setFilter("labels-line", ["all", NOT_POINT, shown] as FilterSpecification);
    this.map.setFilter("labels-point", ["all", POINT, shown] as FilterSpecification);
  }

  show(visible: boolean): void {
    for (const layer of LAYERS) this.map.setLayoutProperty(layer, "visibility", visible ? "visible" : "none");
  }

  /**
   * @param fill of the polygons, 0..60 percent.
   * @param whole of all that is drawn of a label, 0..100 percent.
   */
  fill(fill: number, whole = 100): void {
    const share = whole / 100;
    const plain = (fill / 100) * share;
    this.map.setPaintProperty("labels-fill", "fill-opacity", unless(Math.min(plain + 0.16, 0.8), plain));
    this.map.setPaintProperty("labels-casing", "line-opacity", unless(0.8, 0.7 * share));
    this.map.setPaintProperty("labels-line", "line-opacity", unless(1, share));
    this.map.setPaintProperty("labels-point", "circle-opacity", unless(1, share));
    this.map.setPaintProperty("labels-point", "circle-stroke-opacity", unless(0.9, 0.8 * share));
  }

  /** Lines are thinner where a pixel of the imagery is less than 0.75 pixel of the screen. */
  thinBelow(zoom: number): void {
    this.#threshold = zoom;
    this.map.setPaintProperty("labels-casing", "line-width", lineWidth(2.5, 4, 5, this.#threshold));
    this.map.setPaintProperty("labels-line", "line-width", lineWidth(1.25, 1.75, 2.5, this.#threshold));
  }

  /** Forget all, for another project. */
  clear(): void {
    this.hover(null);
    this.select([]);
    this.#shown.clear();
    (this.map.getSource(SOURCE) as GeoJSONSource | undefined)?.setData({ type: "FeatureCollection", features: [] });
  }
}
