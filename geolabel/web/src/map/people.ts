/** What others have selected: outlined in their colour, with a flag that bears their name. */
import { type ExpressionSpecification, type GeoJSONSource, type Map as MapLibre, Marker } from "maplibre-gl";
import { boundsOf, drawable } from "../editor/geometry";
import type { Peer } from "../sync/people.svelte";
import type { Geometry } from "../types";
import { CASING } from "./labelLayers";

const SOURCE = "people";
const COLOR: ExpressionSpecification = ["get", "color"];
const NOT_POINT: ExpressionSpecification = ["!=", ["geometry-type"], "Point"];

export class PeopleLayer {
  #flags = new Map<string, Marker>();

  constructor(
    private readonly map: MapLibre,
    below: string,
  ) {
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] }, maxzoom: 22 });
    for (const [name, color, width, opacity] of [
      ["casing", CASING, 7.5, 0.6],
      ["color", COLOR, 5, 1],
      ["gap", CASING, 3, 1],
      ["line", ["get", "line"] as ExpressionSpecification, 1.75, 1],
    ] as const) {
      map.addLayer(
        {
          id: `people-${name}`,
          type: "line",
          source: SOURCE,
          filter: NOT_POINT,
          layout: { "line-join": "round", "line-cap": "round" },
          paint: { "line-color": color, "line-width": width, "line-opacity": opacity },
        },
        below,
      );
    }
    map.addLayer(
      {
        id: "people-point",
        type: "circle",
        source: SOURCE,
        filter: ["==", ["geometry-type"], "Point"],
        paint: { "circle-radius": 8, "circle-opacity": 0, "circle-stroke-color": COLOR, "circle-stroke-width": 3 },
      },
      below,
    );
  }

  /** @param shapes geometries and colours of labels by id, as far as they are known. */
  show(people: Peer[], shapes: (id: number) => { geometry: Geometry; color: string } | null): void {
    const features: GeoJSON.Feature[] = [];
    const flags = new Map<string, { at: [number, number]; peer: Peer }>();
    for (const peer of people) {
      for (const id of peer.selection) {
        const shape = shapes(id);
        if (!shape) continue;
        features.push({
          type: "Feature",
          geometry: drawable(shape.geometry),
          properties: { color: peer.color, line: shape.color },
        });
        const [west, , , north] = boundsOf(shape.geometry);
        if (!flags.has(peer.id)) flags.set(peer.id, { at: [west, north], peer });
      }
    }
    (this.map.getSource(SOURCE) as GeoJSONSource | undefined)?.setData({ type: "FeatureCollection", features });
    for (const [id, marker] of this.#flags) {
      if (!flags.has(id)) {
        marker.remove();
        this.#flags.delete(id);
      }
    }
    for (const [id, { at, peer }] of flags) this.#flag(id, at, peer);
  }

  #flag(id: string, at: [number, number], { shown, color }: Peer): void {
    let marker = this.#flags.get(id);
    if (!marker) {
      const element = document.createElement("div");
      element.className = "person-flag";
      element.dataset.testid = "person-flag";
      marker = new Marker({ element, anchor: "bottom-left", offset: [-2, -4] }).setLngLat(at).addTo(this.map);
      this.#flags.set(id, marker);
    }
    marker.setLngLat(at);
    const element = marker.getElement();
    element.textContent = shown;
    element.style.setProperty("--c", color);
  }

  remove(): void {
    for (const marker of this.#flags.values()) marker.remove();
  }
}
