/** What part of the world is on the screen, and moving it there. */
import type { Map as MapLibre } from "maplibre-gl";
import { nearLongitude, unite, unrolled, within } from "../editor/geometry";
import type { Session } from "../session.svelte";
import type { Bounds, Position, Scene } from "../types";
import { ZOOM_OFFSET } from "./create";
import { metresPerPixel } from "./imagery";

export interface Camera {
  zoom: number;
  metresPerPixel: number;
}

export interface Padding {
  top: number;
  right: number;
  bottom: number;
  left: number;
}

export class Frame {
  constructor(
    private readonly map: MapLibre,
    private readonly session: Session,
  ) {}

  get camera(): Camera {
    const zoom = this.map.getZoom();
    return { zoom: zoom + ZOOM_OFFSET, metresPerPixel: metresPerPixel(this.map.getCenter().lat, zoom) };
  }

  /** Side of a screen pixel in degrees of the plane. */
  get pixel(): number {
    return 360 / (256 * 2 ** (this.map.getZoom() + ZOOM_OFFSET));
  }

  /** Where a place is on the screen. */
  screen([lng = 0, lat = 0]: Position): { x: number; y: number } {
    return this.map.project([lng, lat]);
  }

  bounds(): Bounds {
    const box = this.map.getBounds();
    return [box.getWest(), box.getSouth(), box.getEast(), box.getNorth()];
  }

  fit(bounds: Bounds, padding: Padding, animate = true): void {
    const [w, s, e, n] = bounds;
    this.map.fitBounds([w, s, e, n], { padding, maxZoom: 21, animate, duration: 300 });
  }

  fitScenes(padding: Padding, scene?: Scene): void {
    const { scenes, extent } = this.session;
    const boxes = (scene ? [scene] : scenes).map((s) => s.bounds).filter((b) => b !== null);
    if (boxes.length === 0 && extent) boxes.push(extent);
    const all = unite(boxes.map((box) => this.#atHome(unrolled(box))));
    if (all) this.fit(all, padding, scene !== undefined);
  }

  /** The copy of a box that lies where the labels do. */
  #atHome([w, s, e, n]: Bounds): Bounds {
    const shift = nearLongitude((w + e) / 2, this.session.labels.home) - (w + e) / 2;
    return [w + shift, s, e + shift, n];
  }

  /** Move so that a box is on the screen and under no panel, if it is not. */
  reveal(bounds: Bounds, padding: Padding): void {
    const { clientWidth, clientHeight } = this.map.getCanvas();
    const southWest = this.map.unproject([padding.left, clientHeight - padding.bottom]);
    const northEast = this.map.unproject([clientWidth - padding.right, padding.top]);
    const seen: Bounds = [southWest.lng, southWest.lat, northEast.lng, northEast.lat];
    if (!within(bounds, seen)) this.fit(bounds, padding);
  }

  /**
   * Give the right half to another map. What was seen between the panels is all of it in the left half, as far as its height
   * lets it.
   *
   * @returns what takes the half back.
   */
  halve({ left, right }: Padding): () => void {
    const { map } = this;
    const { clientWidth: width, clientHeight: height } = map.getCanvas();
    const aside = (left - right) / 2;
    const by = Math.min(0, Math.log2(width / 2 / Math.max(width - left - right, 1)));
    const before = { center: map.getCenter(), zoom: map.getZoom() };
    const center = map.unproject([width / 2 + aside, height / 2]);
    this.#narrow(0.5);
    map.jumpTo({ center, zoom: before.zoom + by });
    const there = map.getCenter();
    const zoom = map.getZoom();
    return () => {
      const moved = map.getZoom() !== zoom || String(map.getCenter()) !== String(there);
      const now = { center: map.getCenter(), zoom: map.getZoom() - by };
      this.#narrow(1);
      map.jumpTo(moved ? now : before);
      if (moved) map.panBy([-aside, 0], { animate: false });
    };
  }

  /** Take a share of the width only. */
  #narrow(share: number): void {
    this.map.getContainer().style.right = `${(1 - share) * 100}%`;
    this.map.resize();
  }
}
