/** All labels but the selected ones on a map: from the page's own labels, and from tiles where there are very many. */
import type { GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import { boundsOf, chains, drawable } from "../editor/geometry";
import type { Labels, LiveLabel } from "../sync/labels";
import type { Bounds, LabelClass } from "../types";
import type { Drawn } from "./drawn";
import { LabelStyle, loaded } from "./labelStyle";
import type { LabelTiles } from "./labelTiles";

export { CASING, LOWEST } from "./labelStyle";

const SOURCE = "labels";

export class LabelLayers {
  #shown = new Map<number, LiveLabel["content"]>();
  /** Labels that the tiles have taken over, as long as the page's own may still be on the screen. */
  #left = new Set<number>();
  #syncs = 0;
  readonly #style: LabelStyle;

  /** @param tiles which then show all labels that were not changed in this page; made before these. */
  constructor(
    private readonly map: MapLibre,
    private readonly colorOf: (className: string) => string,
    private readonly tiles: LabelTiles | null = null,
  ) {
    const empty = { type: "FeatureCollection" as const, features: [] };
    map.addSource(SOURCE, { type: "geojson", data: empty, promoteId: "key", maxzoom: 22, tolerance: 0.2, buffer: 64 });
    this.#style = new LabelStyle(map, {
      name: SOURCE,
      source: SOURCE,
      polygon: ["==", ["get", "kind"], "ring"],
      outlined: ["!=", ["get", "kind"], "point"],
      point: ["==", ["get", "kind"], "point"],
      color: ["get", "color"],
      sort: ["get", "order"],
    });
  }

  /** Bring the map up to date with the labels: only what changed is sent. */
  sync(labels: Labels): void {
    this.#send([...this.#shown.keys()], labels);
  }

  /** @param there the keys of the page's own labels that the map has. */
  #send(there: number[], labels: Labels): void {
    const source = this.map.getSource(SOURCE) as GeoJSONSource | undefined;
    if (!source) return;
    const changed = labels.changed();
    const all = this.tiles ? changed.filter((label): label is LiveLabel => label.content !== null) : labels.all();
    const now = new Map(all.map((label) => [label.key, label]));
    const remove = there.filter((key) => now.get(key)?.content !== this.#shown.get(key));
    const add = [...now.values()].filter(({ key, content }) => this.#shown.get(key) !== content);
    this.#shown = new Map(all.map(({ key, content }) => [key, content]));
    const sent =
      remove.length > 0 || add.length > 0
        ? source.updateData({ remove, add: add.map((label) => this.#feature(label)) })
        : null;
    if (this.tiles) this.#handOver(this.tiles, changed, remove, sent);
  }

  /**
   * A label is drawn from the page's own from the very frame on in which those are there, and from the tiles again from
   * that on in which they are: never by neither, never by both.
   */
  #handOver(
    tiles: LabelTiles,
    changed: readonly { key: number; id: number | null }[],
    removed: number[],
    sent: Promise<void> | null,
  ): void {
    this.#syncs += 1;
    const sync = this.#syncs;
    for (const key of removed) if (!this.#shown.has(key)) this.#left.add(key);
    for (const key of this.#shown.keys()) this.#left.delete(key);
    this.#style.mark("stale", this.#left);
    tiles.changed(changed.map(({ id }) => id));
    const settle = () => {
      if (sync !== this.#syncs) return; // a later one does
      this.#left.clear();
      tiles.hide();
    };
    if (sent) void sent.then(() => loaded(this.map, SOURCE)).then(settle);
    else settle();
  }

  #feature({ key, content, info }: LiveLabel): GeoJSON.Feature {
    const [w, s, e, n] = boundsOf(content.geometry);
    return {
      type: "Feature",
      geometry: drawable(content.geometry),
      properties: {
        key,
        class: content.class,
        status: info?.status ?? "labelled",
        color: this.colorOf(content.class),
        kind: chains(content.geometry)[0]?.kind ?? "point",
        order: -Math.max(e - w, 0) * Math.max(n - s, 0), // the small above the large
      },
    };
  }

  /** Ask for the tiles anew that touch some boxes, or for all of them. Resolves when they are drawn. */
  async refresh(touched: Bounds[] | null): Promise<void> {
    await this.tiles?.refresh(touched);
  }

  /** Is all that was sent on the screen? */
  get loaded(): boolean {
    return this.map.isSourceLoaded(SOURCE) && (this.tiles?.loaded ?? true);
  }

  get #styles(): LabelStyle[] {
    return this.tiles ? [this.#style, this.tiles.style] : [this.#style];
  }

  /** @param id of the label, when it has one. */
  hover(key: number | null, id: number | null = key): void {
    this.#style.hover(key);
    this.tiles?.style.hover(id);
  }

  /** The selected labels are drawn by Overlay. */
  select(labels: { key: number; id: number | null }[]): void {
    this.#style.mark(
      "selected",
      labels.map(({ key }) => key),
    );
    const ids = labels.map(({ id }) => id).filter((id) => id !== null);
    this.tiles?.style.mark("selected", ids);
  }

  /** The classes that there are: their colours, and which are hatched. */
  classes(classes: LabelClass[], labels: Labels): void {
    this.tiles?.recolor(classes);
    for (const style of this.#styles) style.hatch(classes);
    const known = [...this.#shown.keys()];
    this.#shown = new Map();
    this.#send(known, labels);
  }

  hide(classes: ReadonlySet<string>): void {
    for (const style of this.#styles) style.hide(classes);
    this.tiles?.crowds.hide(classes);
  }

  show(visible: boolean): void {
    for (const style of this.#styles) style.show(visible);
    this.tiles?.crowds.show(visible);
  }

  /**
   * @param fill of the polygons, 0..60 percent.
   * @param whole of all that is drawn of a label, 0..100 percent.
   */
  fill(fill: number, whole: number, drawn: Drawn): void {
    for (const style of this.#styles) style.fill(fill, whole, drawn);
    this.tiles?.crowds.fill(whole);
  }

  /** Lines are thinner where a pixel of the imagery is less than 0.75 pixel of the screen. */
  thinBelow(zoom: number): void {
    for (const style of this.#styles) style.thinBelow(zoom);
  }
}
