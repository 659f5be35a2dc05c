/** A map of somebody else's server under the scenes: nothing is asked of it before it is turned on. */
import type { Map as MapLibre } from "maplibre-gl";
import type { Basemap } from "../types";

const NAME = "backdrop";

export class Backdrop {
  #url: string | null = null;
  /** Hears why it cannot be drawn, once for each time that it is turned on; null when it is turned on or off. */
  onFailure: (sentence: string | null) => void = () => {};
  /** Hears what its TileJSON document wants to be written on the map, as text; null when it is turned on or off. */
  onCredit: (text: string | null) => void = () => {};
  #failed = false;

  constructor(private readonly map: MapLibre) {
    map.on("error", (event) => {
      if (!Backdrop.isFrom(event) || this.#failed || !this.#url) return;
      this.#failed = true;
      this.onFailure(`${new URL(this.#url).host} does not answer, or not with a map. The scenes are not concerned.`);
    });
    map.on("sourcedata", (event) => {
      if (!Backdrop.isFrom(event) || event.sourceDataType !== "metadata") return;
      const html = map.getSource(NAME)?.attribution;
      if (html) this.onCredit(new DOMParser().parseFromString(html, "text/html").body.textContent);
    });
  }

  /** Is an event of the map about a backdrop? */
  static isFrom(event: object): boolean {
    return "sourceId" in event && event.sourceId === NAME;
  }

  /** @param opacity 0..100 percent. */
  show(basemap: Basemap | null, opacity = 100): void {
    if (basemap?.url !== this.#url) this.#replace(basemap);
    if (basemap) this.map.setPaintProperty(NAME, "raster-opacity", opacity / 100);
  }

  #replace(basemap: Basemap | null): void {
    if (this.#url) {
      this.map.removeLayer(NAME);
      this.map.removeSource(NAME);
    }
    this.#url = basemap?.url ?? null;
    this.#failed = false;
    this.onFailure(null);
    this.onCredit(null);
    if (!basemap) return;
    const { url, min_zoom, max_zoom, tile_size } = basemap;
    const tiles = url.includes("{z}") ? { tiles: [url], minzoom: min_zoom, maxzoom: max_zoom } : { url };
    this.map.addSource(NAME, { type: "raster", ...tiles, tileSize: tile_size });
    const [, above] = this.map.getStyle().layers; // the first one is the ground
    this.map.addLayer({ id: NAME, type: "raster", source: NAME, paint: { "raster-fade-duration": 120 } }, above?.id);
  }
}
