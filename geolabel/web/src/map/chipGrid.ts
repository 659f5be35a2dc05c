/** The chips of an export on the map: a thin grid, the ground of each split framed in its colour, what is left out veiled. */
import type { GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import { splitEdges } from "./splitEdges";

const CHIPS = "chips";
const SPLITS = "chips-splits";
const NONE: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };
const CASING = "#0b0c0e";

/** Draw a grid, or take it away. */
export function drawChips(map: MapLibre, grid: GeoJSON.FeatureCollection | null): void {
  if (!map.getSource(CHIPS)) {
    if (!grid) return;
    addLayers(map);
  }
  (map.getSource(CHIPS) as GeoJSONSource).setData(grid ?? NONE);
  (map.getSource(SPLITS) as GeoJSONSource).setData(grid ? splitEdges(grid) : NONE);
}

function addLayers(map: MapLibre): void {
  for (const id of [CHIPS, SPLITS]) {
    map.addSource(id, { type: "geojson", data: NONE, tolerance: 0, buffer: 8 });
  }
  const color = ["get", "color"] as never;
  map.addLayer({
    id: "chips-out",
    type: "fill",
    source: CHIPS,
    filter: ["to-boolean", ["get", "left_out"]],
    paint: { "fill-color": CASING, "fill-opacity": 0.55 },
  });
  map.addLayer({
    id: "chips-split",
    type: "fill",
    source: CHIPS,
    filter: ["to-boolean", color],
    paint: { "fill-color": color, "fill-opacity": 0.06 },
  });
  map.addLayer({
    id: "chips-casing",
    type: "line",
    source: CHIPS,
    paint: { "line-color": CASING, "line-width": 2, "line-opacity": 0.4 },
  });
  map.addLayer({
    id: "chips-line",
    type: "line",
    source: CHIPS,
    paint: { "line-color": "#ffffff", "line-width": 0.75, "line-opacity": 0.6 },
  });
  // Inside of the line that parts two splits, so that both are seen.
  const inside = { "line-offset": 1.25 };
  map.addLayer({
    id: "chips-frame-casing",
    type: "line",
    source: SPLITS,
    paint: { "line-color": CASING, "line-width": 4.5, "line-opacity": 0.6, ...inside },
  });
  map.addLayer({
    id: "chips-frame",
    type: "line",
    source: SPLITS,
    paint: { "line-color": color, "line-width": 2.5, ...inside },
  });
}
