/** A place that was gone to: ringed, or outlined, until something else is done. */
import type { GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import type { Geometry } from "../types";
import { CASING } from "./labelLayers";

const SOURCE = "flag";

export function flag(map: MapLibre, geometry: Geometry | null): void {
  const data = {
    type: "FeatureCollection" as const,
    features: geometry ? [{ type: "Feature" as const, properties: {}, geometry }] : [],
  };
  const source = map.getSource(SOURCE) as GeoJSONSource | undefined;
  if (source) return void source.setData(data);
  if (!geometry) return;
  map.addSource(SOURCE, { type: "geojson", data, maxzoom: 24, tolerance: 0 });
  for (const [name, color, width] of [
    ["casing", CASING, 6],
    ["line", "#ff4fd8", 2.5],
  ] as const) {
    const round = { "line-join": "round", "line-cap": "round" } as const;
    map.addLayer({
      id: `flag-${name}`,
      type: "line",
      source: SOURCE,
      filter: ["!=", ["geometry-type"], "Point"],
      layout: round,
      paint: { "line-color": color, "line-width": width },
    });
    map.addLayer({
      id: `flag-${name}-point`,
      type: "circle",
      source: SOURCE,
      filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": 10, "circle-opacity": 0, "circle-stroke-color": color, "circle-stroke-width": width },
    });
  }
}
