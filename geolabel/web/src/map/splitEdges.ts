/** Where the chips of a split end: the edges that no other chip of the same split has. */
import type { Position } from "../types";

export interface SplitEdges {
  type: "FeatureCollection";
  features: GeoJSON.Feature<GeoJSON.MultiLineString, { color: string }>[];
}

/**
 * The chips lie to the right of their edges.
 *
 * @param grid chips as the server draws them: neighbours share their corners to the last digit.
 */
export function splitEdges(grid: GeoJSON.FeatureCollection): SplitEdges {
  const edges = new Map<string, Map<string, [Position, Position]>>();
  for (const { geometry, properties } of grid.features) {
    const color: unknown = properties?.color;
    if (typeof color !== "string" || geometry.type !== "Polygon") continue;
    const known = edges.get(color) ?? new Map<string, [Position, Position]>();
    edges.set(color, known);
    const given = geometry.coordinates[0] ?? [];
    const ring = clockwise(given) ? given : given.toReversed();
    for (let i = 1; i < ring.length; i++) {
      const ends = [ring[i - 1], ring[i]] as [Position, Position];
      const key = ends.map(String).sort().join(" ");
      if (!known.delete(key)) known.set(key, ends);
    }
  }
  return {
    type: "FeatureCollection",
    features: [...edges].map(([color, known]) => ({
      type: "Feature",
      properties: { color },
      geometry: { type: "MultiLineString", coordinates: [...known.values()] },
    })),
  };
}

function clockwise(ring: Position[]): boolean {
  let twice = 0;
  for (let i = 1; i < ring.length; i++) {
    const [[x0 = 0, y0 = 0], [x1 = 0, y1 = 0]] = [ring[i - 1] ?? [], ring[i] ?? []];
    twice += (x1 - x0) * (y1 + y0);
  }
  return twice > 0;
}
