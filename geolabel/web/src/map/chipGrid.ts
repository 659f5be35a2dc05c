/** The chips of an export on the map: those of each split in its colour, those left out hatched by a dark veil. */
import type { GeoJSONSource, Map as MapLibre } from "maplibre-gl";

const SOURCE = "chips";
const NONE: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

/** Draw a grid, or take it away. */
export function drawChips(map: MapLibre, grid: GeoJSON.FeatureCollection | null): void {
  const source = map.getSource(SOURCE) as GeoJSONSource | undefined;
  if (source) return void source.setData(grid ?? NONE);
  if (!grid) return;
  map.addSource(SOURCE, { type: "geojson", data: grid, tolerance: 0, buffer: 8 });
  const color = ["coalesce", ["get", "color"], "#9098a3"] as never;
  map.addLayer({
    id: "chips-out",
    type: "fill",
    source: SOURCE,
    filter: ["to-boolean", ["get", "left_out"]],
    paint: { "fill-color": "#0b0c0e", "fill-opacity": 0.55 },
  });
  map.addLayer({
    id: "chips-casing",
    type: "line",
    source: SOURCE,
    paint: { "line-color": "#0b0c0e", "line-width": 3, "line-opacity": 0.5 },
  });
  map.addLayer({
    id: "chips-line",
    type: "line",
    source: SOURCE,
    paint: { "line-color": color, "line-width": 1.5 },
  });
  map.addLayer({
    id: "chips-split",
    type: "fill",
    source: SOURCE,
    filter: ["to-boolean", ["get", "color"]],
    paint: { "fill-color": color, "fill-opacity": 0.12 },
  });
}
