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
  type Source,
  type Tile,
  type VectorTileSource,
} from "maplibre-gl";
import { boundsOf } from "../editor/geometry";
import { tileBounds } from "../editor/plane";
import type { Bounds, Geometry, LabelClass } from "../types";
import { LabelStyle, loaded } from "./labelStyle";

const SOURCE = "label-tiles";
/** The finest tiles: closer views are drawn from them, to a centimetre. */
const FINEST = 20;
/** How far a tile reaches over its edge, in its own size. */
const MARGIN = 64 / 4096;
const AGAIN_MS = 5000;
const REACH = 4;

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
  readonly #url: string;
  #stale = new Set<number>();
  /** Of those, what the tiles do not draw any more. */
  #hidden = new Set<number>();
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly map: MapLibre,
    project: string,
    classes: LabelClass[],
  ) {
    this.#url = `${location.origin}/api/collections/${encodeURIComponent(project)}/tiles/WebMercatorQuad/{z}/{x}/{y}.mvt`;
    map.addSource(SOURCE, { type: "vector", tiles: [this.#url], minzoom: 0, maxzoom: FINEST });
    const source = this.#source as Source | undefined;
    if (source) source.shouldReloadTile = (tile, { affectedBounds }) => toReload(tile, affectedBounds);
    map.on("error", (event) => {
      if ("sourceId" in event && event.sourceId === SOURCE) this.#tryAgain();
    });
    this.style = new LabelStyle(map, {
      name: SOURCE,
      source: SOURCE,
      sourceLayer: "labels",
      polygon: ["==", ["geometry-type"], "Polygon"],
      outlined: ["!=", ["geometry-type"], "Point"],
      point: ["==", ["geometry-type"], "Point"],
      color: colorsOf(classes),
    });
  }

  get loaded(): boolean {
    return this.map.isSourceLoaded(SOURCE);
  }

  get #source(): VectorTileSource | undefined {
    return this.map.getSource(SOURCE) as VectorTileSource | undefined;
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
    await loaded(this.map, SOURCE);
  }

  /** As MapLibre itself does when a part of a GeoJSON source changes; tiles that are out of sight are dropped. */
  #reload(boxes: Bounds[]): void {
    const affectedBounds = boxes.map(([w, s, e, n]) => new LngLatBounds([w, s, e, n]));
    const news = { dataType: "source", sourceDataType: "content", sourceDataChanged: true };
    this.#source?.fire("data", { ...news, shouldReloadTileOptions: { affectedBounds } });
  }

  /** A tile did not come, and there is nothing in its place: ask again for those that failed. */
  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#reload([]), AGAIN_MS);
  }

  /** Labels at a place of the screen, the smallest first; those that are drawn from the page's own left out. */
  at(x: number, y: number): Hit[] {
    return this.#query([
      [x - REACH, y - REACH],
      [x + REACH, y + REACH],
    ]);
  }

  /** How many labels are on the screen, as far as a number of them. */
  count(): number {
    return this.#query().length;
  }

  #query(box?: [[number, number], [number, number]]): Hit[] {
    const layers = this.style.layers.filter((layer) => !/-(casing|hatch)$/.test(layer));
    const found = box ? this.map.queryRenderedFeatures(box, { layers }) : this.map.queryRenderedFeatures({ layers });
    const hits = new Map<number, Hit & { size: number }>();
    for (const { id, geometry, properties } of found) {
      if (typeof id !== "number" || this.#stale.has(id) || hits.has(id)) continue;
      const size = box ? area(boundsOf(geometry as Geometry)) : 0;
      hits.set(id, { id, className: String(properties.class), size });
    }
    return [...hits.values()].sort((one, other) => one.size - other.size || other.id - one.id);
  }
}

const WORLD: Bounds = [-180, -90, 180, 90];

function toReload({ state, tileID: { canonical } }: Tile, touched: LngLatBounds[]): boolean {
  if (state === "loading" || state === "errored") return true;
  if (state === "unloaded") return false;
  const [w, s, e, n] = tileBounds(canonical.z, canonical.x, canonical.y, MARGIN);
  // Labels about the antimeridian may lie on the next copy of the world.
  const meets = (box: LngLatBounds, shift: number) =>
    box.getWest() + shift <= e && box.getEast() + shift >= w && box.getSouth() <= n && box.getNorth() >= s;
  return touched.some((box) => [-360, 0, 360].some((shift) => meets(box, shift)));
}

const area = ([w, s, e, n]: Bounds): number => (e - w) * (n - s);
