/** Two versions of a label on the map: yours blue, theirs orange, what only one has filled. */
import { type GeoJSONSource, type Map as MapLibre, Marker } from "maplibre-gl";
import { boundsOf, drawable } from "../editor/geometry";
import type { Geometry } from "../types";
import { CASING } from "./labelStyle";

const SOURCE = "conflict";
export const MINE = "#4d8dff";
export const THEIRS = "#ff9f43";

export interface Versions {
  mine: Geometry | null;
  theirs: Geometry | null;
  onlyMine: Geometry | null;
  onlyTheirs: Geometry | null;
  /** What the flags say. */
  names: { mine: string; theirs: string };
}

export class ConflictLayer {
  #flags: Marker[] = [];

  constructor(private readonly map: MapLibre) {}

  #prepare(): GeoJSONSource {
    const there = this.map.getSource(SOURCE) as GeoJSONSource | undefined;
    if (there) return there;
    this.map.addSource(SOURCE, {
      type: "geojson",
      data: { type: "FeatureCollection", features: [] },
      maxzoom: 24,
      tolerance: 0,
    });
    this.map.addLayer({
      id: "conflict-fill",
      type: "fill",
      source: SOURCE,
      filter: ["==", ["get", "role"], "only"],
      paint: { "fill-color": ["get", "color"], "fill-opacity": 0.5, "fill-antialias": false },
    });
    for (const [name, color, width] of [
      ["casing", CASING, 6],
      ["line", ["get", "color"], 2.5],
    ] as const) {
      this.map.addLayer({
        id: `conflict-${name}`,
        type: "line",
        source: SOURCE,
        filter: ["all", ["==", ["get", "role"], "outline"], ["!=", ["geometry-type"], "Point"]],
        layout: { "line-join": "round", "line-cap": "round" },
        paint: { "line-color": color as never, "line-width": width },
      });
    }
    this.map.addLayer({
      id: "conflict-point",
      type: "circle",
      source: SOURCE,
      filter: ["all", ["==", ["get", "role"], "outline"], ["==", ["geometry-type"], "Point"]],
      paint: {
        "circle-color": ["get", "color"],
        "circle-radius": 7,
        "circle-stroke-color": CASING,
        "circle-stroke-width": 2,
      },
    });
    return this.map.getSource(SOURCE) as GeoJSONSource;
  }

  /** @param side shows one alone, for the flicker. */
  show(versions: Versions | null, side: "both" | "mine" | "theirs" = "both"): void {
    for (const flag of this.#flags) flag.remove();
    this.#flags = [];
    if (!versions && !this.map.getSource(SOURCE)) return;
    const features: GeoJSON.Feature[] = [];
    const add = (geometry: Geometry | null, role: string, color: string) => {
      if (geometry) features.push({ type: "Feature", geometry: drawable(geometry), properties: { role, color } });
    };
    if (versions) {
      const { mine, theirs, onlyMine, onlyTheirs, names } = versions;
      if (side === "both") {
        add(onlyMine, "only", MINE);
        add(onlyTheirs, "only", THEIRS);
      }
      if (side !== "mine") add(theirs, "outline", THEIRS);
      if (side !== "theirs") add(mine, "outline", MINE);
      if (theirs && side !== "mine") this.#flag(theirs, names.theirs, THEIRS, "bottom-left");
      if (mine && side !== "theirs") this.#flag(mine, names.mine, MINE, "top-left");
    }
    this.#prepare().setData({ type: "FeatureCollection", features });
  }

  #flag(geometry: Geometry, text: string, color: string, anchor: "bottom-left" | "top-left"): void {
    const element = document.createElement("div");
    element.className = "person-flag";
    element.textContent = text;
    element.style.setProperty("--c", color);
    const [west, south, , north] = boundsOf(geometry);
    const offset: [number, number] = [0, anchor === "top-left" ? 6 : -6];
    const at: [number, number] = [west, anchor === "top-left" ? south : north];
    this.#flags.push(new Marker({ element, anchor, offset }).setLngLat(at).addTo(this.map));
  }

  remove(): void {
    for (const flag of this.#flags) flag.remove();
  }
}
