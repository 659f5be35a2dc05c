/**
 * Millions of labels: drawn from the server's tiles. The page holds exact shapes only of what is near, selected or changed.
 *
 * A label that was changed, here or by somebody else, is drawn from the page's own labels and hidden in the tiles, so that
 * it never shows twice or as it was. Now and then, when many were changed, the tiles are asked for anew.
 */
import type { ExpressionSpecification, Map as MapLibre, VectorTileSource } from "maplibre-gl";
import { boundsOf } from "../editor/geometry";
import type { Bounds, Geometry, LabelClass } from "../types";
import { LabelStyle } from "./labelStyle";

const SOURCE = "label-tiles";
/** The finest tiles: closer views are drawn from them, to a centimetre. */
const FINEST = 20;
/** So many changed labels are drawn beside the tiles before those are asked for anew. */
const MOST_CHANGED = 300;
const REACH = 4;

export interface Hit {
  id: number;
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

  constructor(
    private readonly map: MapLibre,
    project: string,
    classes: LabelClass[],
  ) {
    this.#url = `${location.origin}/api/collections/${encodeURIComponent(project)}/tiles/WebMercatorQuad/{z}/{x}/{y}.mvt`;
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
  }

  get loaded(): boolean {
    return this.map.isSourceLoaded(SOURCE);
  }

  /** Which labels are drawn from the page's own. */
  changed(ids: (number | null)[]): void {
    this.#stale = new Set(ids.filter((id) => id !== null));
    this.style.mark("stale", this.#stale);
  }

  get crowded(): boolean {
    return this.#stale.size > MOST_CHANGED;
  }

  /** Ask for all tiles anew; what is on the screen stays until they are there. Resolves when they are. */
  refresh(): Promise<void> {
    const source = this.map.getSource(SOURCE) as VectorTileSource | undefined;
    if (!source) return Promise.resolve();
    source.setTiles([this.#url]);
    return new Promise((resolve) => {
      const check = () => {
        if (!this.loaded) return;
        this.map.off("sourcedata", check);
        resolve();
      };
      this.map.on("sourcedata", check);
    });
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
    for (const { id, geometry } of found) {
      if (typeof id !== "number" || this.#stale.has(id) || hits.has(id)) continue;
      const size = box ? area(boundsOf(geometry as Geometry)) : 0;
      hits.set(id, { id, size });
    }
    return [...hits.values()].sort((one, other) => one.size - other.size || other.id - one.id);
  }
}

const area = ([w, s, e, n]: Bounds): number => (e - w) * (n - s);
