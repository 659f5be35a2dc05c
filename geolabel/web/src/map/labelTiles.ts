/**
 * Millions of labels: drawn from the server's tiles. The page holds exact shapes only of what is near, selected or changed.
 *
 * A label that was changed, here or by somebody else, is drawn from the page's own labels and hidden in the tiles, so that
 * it never shows twice or as it was, until the tiles that it touches have come anew.
 */
import {
  type ExpressionSpecification,
  LngLatBounds,
  type Map as MapLibre,
  type RasterTileSource,
  type Source,
  type Tile,
  type VectorTileSource,
} from "maplibre-gl";
import { boundsOf } from "../editor/geometry";
import { tileBounds } from "../editor/plane";
import type { Bounds, Geometry, LabelClass } from "../types";
import { Crowds } from "./crowds";
import { LabelStyle, loaded } from "./labelStyle";

const SOURCE = "label-tiles";
/** The finest tiles: closer views are drawn from them, to a centimetre. */
const FINEST = 20;
/** How far a tile reaches over its edge, in its own size. */
const MARGIN = 64 / 4096;
const AGAIN_MS = 5000;
/** Pixels to each side of the pointer. */
export const REACH = 4;

export interface Hit {
  id: number;
  className: string;
}

export function colorsOf(classes: LabelClass[]): ExpressionSpecification {
  const pairs = classes.flatMap(({ name, color }) => [name, color]);
  const [first, second, ...rest] = pairs;
  if (first === undefined || second === undefined) return ["to-color", "#9098a3"];
  return ["match", ["get", "class"], first, second, ...rest, "#9098a3"] as ExpressionSpecification;
}

export class LabelTiles {
  readonly style: LabelStyle;
  readonly crowds: Crowds;
  readonly #url: string;
  #colors: string;
  #stale = new Set<number>();
  /** Of those, what the tiles do not draw any more. */
  #hidden = new Set<number>();
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly map: MapLibre,
    project: string,
    classes: LabelClass[],
  ) {
    this.#url = `${location.origin}/api/collections/${encodeURIComponent(project)}/tiles/WebMercatorQuad/pooled/{z}/{x}/{y}.mvt`;
    map.addSource(SOURCE, { type: "vector", tiles: [this.#url], minzoom: 0, maxzoom: FINEST });
    this.style = new LabelStyle(map, {
      name: SOURCE,
      source: SOURCE,
      sourceLayer: "labels",
      polygon: ["==", ["geometry-type"], "Polygon"],
      outlined: ["!=", ["geometry-type"], "Point"],
      point: ["==", ["geometry-type"], "Point"],
      color: colorsOf(classes),
    });
    this.crowds = new Crowds(map, this.#url, FINEST, `${SOURCE}-casing`);
    this.#colors = JSON.stringify(colorsOf(classes));
    for (const source of this.#sources as Source[]) {
      source.shouldReloadTile = (tile, { affectedBounds }) => toReload(tile, affectedBounds);
    }
    map.on("error", (event) => {
      if ("sourceId" in event && this.#sources.some(({ id }) => id === event.sourceId)) this.#tryAgain();
    });
  }

  recolor(classes: LabelClass[]): void {
    const colors = colorsOf(classes);
    if (JSON.stringify(colors) === this.#colors) return;
    this.#colors = JSON.stringify(colors);
    this.style.recolor(colors);
    this.crowds.recolor();
  }

  get loaded(): boolean {
    return this.#sources.every(({ id }) => this.map.isSourceLoaded(id));
  }

  get #sources(): (VectorTileSource | RasterTileSource)[] {
    const labels = this.map.getSource(SOURCE) as VectorTileSource | undefined;
    return [labels, this.crowds.source].filter((source) => !!source);
  }

  /** Which labels are another one than in the tiles; what is none of them any more shows again. */
  changed(ids: (number | null)[]): void {
    this.#stale = new Set(ids.filter((id) => id !== null));
    this.#hidden = new Set([...this.#hidden].filter((id) => this.#stale.has(id)));
    this.style.mark("stale", this.#hidden);
  }

  /** Leave those labels to the page's own, which are on the screen by now. */
  hide(): void {
    this.#hidden = this.#stale;
    this.style.mark("stale", this.#hidden);
  }

  /**
   * Ask for the tiles anew that some boxes touch; what is on the screen stays until they are there.
   *
   * @param touched boxes, in longitude and latitude; null for all tiles.
   * @returns when the tiles are there.
   */
  async refresh(touched: Bounds[] | null): Promise<void> {
    const boxes = touched ?? [WORLD];
    if (boxes.length === 0) return;
    this.#reload(boxes);
    await Promise.all(this.#sources.map(({ id }) => loaded(this.map, id)));
  }

  /** As MapLibre itself does when a part of a GeoJSON source changes; tiles that are out of sight are dropped. */
  #reload(boxes: Bounds[]): void {
    const affectedBounds = boxes.map(([w, s, e, n]) => new LngLatBounds([w, s, e, n]));
    const news = { dataType: "source", sourceDataType: "content", sourceDataChanged: true };
    for (const source of this.#sources) source.fire("data", { ...news, shouldReloadTileOptions: { affectedBounds } });
  }

  /** A tile did not come, and there is nothing in its place: ask again for those that failed. */
  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#reload([]), AGAIN_MS);
  }

  /** About how many labels lie in a box, as the tiles say that show it; `pooled` for those in the pictures alone. */
  count(box: Bounds, which: "labels" | "pooled" = "labels"): number {
    const told = this.map.querySourceFeatures(SOURCE, { sourceLayer: "count" });
    const side = 360 / 2 ** Math.min(Math.floor(this.map.getZoom()), FINEST);
    let sum = 0;
    for (const { geometry, properties } of told) {
      if (geometry.type !== "Point") continue;
      const [x = 0, y = 0] = geometry.coordinates;
      for (const turn of AROUND) sum += Number(properties[which]) * sharedBy([x + turn, y], side, box);
    }
    return sum;
  }

  /** Labels at a place of the screen, the smallest first; those that are drawn from the page's own left out. */
  at(x: number, y: number): Hit[] {
    const layers = this.style.layers.filter((layer) => !/-(casing|hatch)$/.test(layer));
    const box: [[number, number], [number, number]] = [
      [x - REACH, y - REACH],
      [x + REACH, y + REACH],
    ];
    const hits = new Map<number, Hit & { size: number }>();
    for (const { id, geometry, properties } of this.map.queryRenderedFeatures(box, { layers })) {
      if (typeof id !== "number" || this.#stale.has(id) || hits.has(id)) continue;
      hits.set(id, { id, className: String(properties.class), size: area(boundsOf(geometry as Geometry)) });
    }
    return [...hits.values()].sort((one, other) => one.size - other.size || other.id - one.id);
  }
}

const WORLD: Bounds = [-180, -90, 180, 90];
/** Labels about the antimeridian may lie on the next copy of the world. */
const AROUND = [-360, 0, 360];

function toReload({ state, tileID: { canonical } }: Tile, touched: LngLatBounds[]): boolean {
  if (state === "loading" || state === "errored") return true;
  if (state === "unloaded") return false;
  const [w, s, e, n] = tileBounds(canonical.z, canonical.x, canonical.y, MARGIN);
  const meets = (box: LngLatBounds, shift: number) =>
    box.getWest() + shift <= e && box.getEast() + shift >= w && box.getSouth() <= n && box.getNorth() >= s;
  return touched.some((box) => AROUND.some((shift) => meets(box, shift)));
}

const area = ([w, s, e, n]: Bounds): number => (e - w) * (n - s);

/** Which part of a tile, by its middle and its side in degrees, lies in a box: the share of its sides, 0..1. */
function sharedBy([x = 0, y = 0]: GeoJSON.Position, side: number, [w, s, e, n]: Bounds): number {
  const high = side * Math.cos((y * Math.PI) / 180);
  const within = (low: number, top: number, middle: number, size: number) =>
    Math.max(0, Math.min(top, middle + size / 2) - Math.max(low, middle - size / 2)) / size;
  return within(w, e, x, side) * within(s, n, y, high);
}
