/** The MapLibre map: north up, no text, nothing loaded but our own tiles. */
import { Map as MapLibre, type StyleSpecification, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import "maplibre-gl/dist/maplibre-gl.css";
import { DRAG } from "./adapter";

// MapLibre 6 is an ES module that cannot find its worker once it is bundled.
setWorkerUrl(workerUrl);

const STYLE: StyleSpecification = {
  version: 8,
  sources: {},
  layers: [{ id: "ground", type: "background", paint: { "background-color": "#0d0e10" } }],
};

/** MapLibre counts zooms by tiles of 512 px; the tile matrix set, and the status bar, by tiles of 256 px. */
export const ZOOM_OFFSET = 1;

export function createMap(container: HTMLElement): MapLibre {
  const map = new MapLibre({
    container,
    style: STYLE,
    attributionControl: false,
    maxZoom: 24,
    maxPitch: 0,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    boxZoom: false, // Shift is for selecting
    doubleClickZoom: false, // clicks place vertices
    clickTolerance: DRAG,
    fadeDuration: 0,
    // Other servers may want to know which site asks; they need not know which page of it.
    transformRequest: (url) => (url.startsWith(location.origin) ? undefined : { url, referrerPolicy: "origin" }),
    locale: { "Map.Title": "Map" },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  return map;
}
