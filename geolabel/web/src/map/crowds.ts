/** Labels that are too small to be drawn one by one: pictures of them, from the server, among the layers of the tiles. */
import type { Map as MapLibre, RasterTileSource } from "maplibre-gl";

export class Crowds {
  /** Of the source and of the layer. */
  readonly id: string;
  readonly #url: string;
  #hidden: string[] = [];

  /**
   * @param url of the tiles, whose pictures have the same names.
   * @param above all that is drawn of a label beside its fill.
   */
  constructor(
    private readonly map: MapLibre,
    url: string,
    finest: number,
    above: string,
  ) {
    this.id = `${above}-crowds`;
    this.#url = url.replace(/mvt$/, "png");
    map.addSource(this.id, { type: "raster", tiles: [this.#asked()], tileSize: 512, minzoom: 0, maxzoom: finest });
    const { source } = this;
    // Pictures are asked for at the very zoom of the tiles: what those leave out is in these.
    if (source) source.roundZoom = false;
    map.addLayer(
      {
        id: this.id,
        type: "raster",
        source: this.id,
        paint: { "raster-fade-duration": 0, "raster-resampling": "nearest" },
      },
      above,
    );
  }

  get source(): RasterTileSource | undefined {
    return this.map.getSource(this.id) as RasterTileSource | undefined;
  }

  #asked(): string {
    return this.#hidden.length > 0
      ? `${this.#url}?hide=${encodeURIComponent(JSON.stringify(this.#hidden))}`
      : this.#url;
  }

  /** The classes may have other colours now: ask whether the pictures still hold. */
  recolor(): void {
    this.source?.setTiles([this.#asked()]);
  }

  hide(classes: ReadonlySet<string>): void {
    const hidden = [...classes].sort();
    if (hidden.join("\n") === this.#hidden.join("\n")) return;
    this.#hidden = hidden;
    this.source?.setTiles([this.#asked()]);
  }

  show(visible: boolean): void {
    this.map.setLayoutProperty(this.id, "visibility", visible ? "visible" : "none");
  }

  /**
   * Labels so small are nearly all outline: how strong their fill is does not tell.
   *
   * @param whole of all that is drawn, 0..100 percent.
   */
  fill(whole: number): void {
    this.map.setPaintProperty(this.id, "raster-opacity", whole / 100);
  }
}
