/** Holes and parts of one label: filled, taken apart, put together. */
import type { Geometry, Position } from "../types";
import { chains, type Path, samePath } from "./geometry";

/** Its parts as shapes of their own, the largest first; one when it has no more. */
export function partsOf(geometry: Geometry): Geometry[] {
  switch (geometry.type) {
    case "MultiPolygon":
      return geometry.coordinates
        .map((coordinates): Geometry => ({ type: "Polygon", coordinates }))
        .sort((a, b) => extent(b) - extent(a));
    case "MultiLineString":
      return geometry.coordinates.map((coordinates) => ({ type: "LineString", coordinates }));
    case "MultiPoint":
      return geometry.coordinates.map((coordinates) => ({ type: "Point", coordinates }));
    default:
      return [geometry];
  }
}

/** The area of the outline in square degrees: enough to tell the largest. */
function extent(geometry: Geometry): number {
  const ring = chains(geometry)[0]?.vertices ?? [];
  return Math.abs(
    ring.reduce((sum, [x1 = 0, y1 = 0], i) => {
      const [x2 = 0, y2 = 0] = ring[(i + 1) % ring.length] ?? [];
      return sum + x1 * y2 - x2 * y1;
    }, 0),
  );
}

/** One label of several shapes; null when they are not of one kind. */
export function joined(geometries: Geometry[]): Geometry | null {
  const parts = geometries.flatMap(partsOf);
  const [first] = parts;
  if (!first || parts.some((part) => part.type !== first.type)) return null;
  if (parts.length === 1) return first;
  const coordinates = parts.map((part) => (part as GeoJSON.Polygon).coordinates);
  return { type: `Multi${first.type}`, coordinates } as unknown as Geometry;
}

/** The holes of a shape, as the paths of their rings. */
export const holesOf = (geometry: Geometry): Path[] =>
  chains(geometry).flatMap(({ hole, path }) => (hole ? [path] : []));

/** The shape without some of its holes; without all of them when none is named. */
export function filled(geometry: Geometry, holes: Path[] = holesOf(geometry)): Geometry {
  const stays = (path: Path) => path.at(-1) === 0 || !holes.some((hole) => samePath(hole, path));
  if (geometry.type === "Polygon") {
    return { ...geometry, coordinates: geometry.coordinates.filter((_, i) => stays([i])) };
  }
  if (geometry.type === "MultiPolygon") {
    return {
      ...geometry,
      coordinates: geometry.coordinates.map((part, i) => part.filter((_, j) => stays([i, j]))),
    };
  }
  return geometry;
}

/** Is a place inside a ring? */
export function insideRing(ring: readonly Position[], [x = 0, y = 0]: Position): boolean {
  let inside = false;
  ring.forEach(([ax = 0, ay = 0], i) => {
    const [bx = 0, by = 0] = ring[(i + 1) % ring.length] ?? [];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside = !inside;
  });
  return inside;
}

/** Is a place inside a polygon, and in none of its holes? */
export function insideShape(geometry: Geometry, at: Position): boolean {
  return chains(geometry).reduce(
    (inside, { kind, vertices }) => inside !== (kind === "ring" && insideRing(vertices, at)),
    false,
  );
}
