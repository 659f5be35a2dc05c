/** One raster layer for each scene. */
import type { Map as MapLibre, RasterTileSource } from "maplibre-gl";
import { tileUrl } from "../api";
import type { Scene, TileJson } from "../types";
import { ZOOM_OFFSET } from "./create";
import { type Look, queryOf } from "./look";

export const sceneLayer = (scene: string) => `scene:${scene}`;

/**
 * Put a scene on the map, below everything that is drawn.
 *
 * @param id of its source and of its layer.
 */
export function addScene(
  map: MapLibre,
  scene: Scene,
  tiles: TileJson,
  look: Look,
  below: string | undefined,
  id = sceneLayer(scene.id),
): void {
  const [west, , east] = tiles.bounds;
  const native = nativeZoom(scene);
  map.addSource(id, {
    type: "raster",
    tiles: [tileUrl(scene.id, queryOf(look, scene))],
    tileSize: 256,
    minzoom: tiles.minzoom,
    maxzoom: tiles.maxzoom,
    ...(west < east ? { bounds: tiles.bounds } : {}),
  });
  map.addLayer(
    {
      id,
      type: "raster",
      source: id,
      paint: {
        ...paint(look),
        "raster-fade-duration": 120,
        // Past its own resolution the imagery shows its pixels as they are.
        "raster-resampling": native === null ? "linear" : ["step", ["zoom"], "linear", native + 1, "nearest"],
      },
      layout: { visibility: look.visible ? "visible" : "none" },
    },
    below,
  );
}

/** Put a scene above the other ones. */
export function raiseScene(map: MapLibre, scene: string, below: string): void {
  const id = sceneLayer(scene);
  if (map.getLayer(id)) map.moveLayer(id, below);
}

export function removeScene(map: MapLibre, id: string): void {
  if (map.getLayer(id)) map.removeLayer(id);
  if (map.getSource(id)) map.removeSource(id);
}

/** Draw a scene anew as it is to look: only what the server draws of it is asked for again. */
export function styleScene(map: MapLibre, scene: Scene, look: Look, id = sceneLayer(scene.id)): void {
  const source = map.getSource(id) as RasterTileSource | undefined;
  if (!source || !map.getLayer(id)) return;
  const url = tileUrl(scene.id, queryOf(look, scene));
  if (source.serialize().tiles?.[0] !== url) source.setTiles([url]);
  map.setLayoutProperty(id, "visibility", look.visible ? "visible" : "none");
  for (const [name, value] of Object.entries(paint(look))) map.setPaintProperty(id, name as "raster-opacity", value);
}

/** Is everything of the visible scenes that the view needs there? */
export function imageryLoaded(map: MapLibre, scenes: Scene[]): boolean {
  return scenes.every((scene) => {
    const source = map.getSource(sceneLayer(scene.id)) as RasterTileSource | undefined;
    return !source || map.isSourceLoaded(sceneLayer(scene.id));
  });
}

function paint({ brightness, contrast, saturation, opacity }: Look) {
  return {
    "raster-opacity": opacity / 100,
    "raster-brightness-min": Math.max(0, brightness) / 100,
    "raster-brightness-max": Math.min(100, 100 + brightness) / 100,
    "raster-contrast": contrast / 100,
    "raster-saturation": saturation / 100,
  };
}

const EQUATOR_PIXEL = 40075016.68557849 / 256; // metres at zoom 0

/** The zoom (as MapLibre counts) at which a pixel of the scene is a pixel on the screen. */
export function nativeZoom(scene: Scene): number | null {
  if (!scene.resolution || !scene.bounds) return null;
  const latitude = (scene.bounds[1] + scene.bounds[3]) / 2;
  return Math.log2((EQUATOR_PIXEL * Math.cos((latitude * Math.PI) / 180)) / scene.resolution) - ZOOM_OFFSET;
}

export function metresPerPixel(latitude: number, zoom: number): number {
  return (EQUATOR_PIXEL * Math.cos((latitude * Math.PI) / 180)) / 2 ** (zoom + ZOOM_OFFSET);
}
