/** What can be gone to: a label by its number, a place by its coordinates, a shape as WKT. */
import type { Geometry, Position } from "./types";

export type Target =
  | { kind: "label"; id: number; text: string }
  /** `crs` null for longitude and latitude, `project` for the project's own. */
  | { kind: "shape"; geometry: Geometry; crs: string | null; text: string };

const NUMBER = "[-+]?\\d+(?:[.]\\d+)?(?:[eE][-+]?\\d+)?";
const PAIR = new RegExp(`^(${NUMBER})(?:\\s*[,;]\\s*|\\s+)(${NUMBER})$`);
const HEMISPHERES = new RegExp(`^(${NUMBER})\\s*°?\\s*([NSEW])[\\s,;]+(${NUMBER})\\s*°?\\s*([NSEW])$`, "i");

const point = (x: number, y: number): Geometry => ({ type: "Point", coordinates: [x, y] });

/** Everything that the text can mean, the likeliest first. */
export function targets(text: string): Target[] {
  const given = text.trim();
  const id = /^#?(\d{1,15})$/.exec(given)?.[1];
  if (id) return [{ kind: "label", id: Number(id), text: `Label #${id}` }];
  const letters = HEMISPHERES.exec(given);
  if (letters) return byHemisphere(letters);
  const [, code, rest = given] = /^((?:[A-Z][A-Z0-9_]*):\w+)[\s,;]+(.*)$/is.exec(given) ?? [];
  const pair = PAIR.exec(rest.replaceAll("\u202f", "").trim());
  if (pair) return byNumbers(Number(pair[1]), Number(pair[2]), code?.toUpperCase() ?? null);
  const read = readWkt(given);
  return read ? [{ kind: "shape", ...read, text: `${read.geometry.type}${read.crs ? ` in ${read.crs}` : ""}` }] : [];
}

function byHemisphere([, a, first = "", b, second = ""]: RegExpExecArray): Target[] {
  const sign = (letter: string) => (/[SW]/i.test(letter) ? -1 : 1);
  const one = Number(a) * sign(first);
  const other = Number(b) * sign(second);
  const north = /[NS]/i.test(first);
  if (north === /[NS]/i.test(second)) return [];
  const [lon, lat] = north ? [other, one] : [one, other];
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 360 ? [place(lon, lat)] : [];
}

const place = (lon: number, lat: number): Target => ({
  kind: "shape",
  geometry: point(lon, lat),
  crs: null,
  text: `Latitude ${lat}, longitude ${lon}`,
});

function byNumbers(a: number, b: number, crs: string | null): Target[] {
  if (crs) return [{ kind: "shape", geometry: point(a, b), crs, text: `x ${a}, y ${b} in ${crs}` }];
  return [
    ...(Math.abs(a) <= 90 && Math.abs(b) <= 180 ? [place(b, a)] : []),
    ...(Math.abs(b) <= 90 && Math.abs(a) <= 180 ? [place(a, b)] : []),
    { kind: "shape", geometry: point(a, b), crs: "project", text: `x ${a}, y ${b} in the project's CRS` },
  ];
}

const DEPTH = { POINT: 0, LINESTRING: 1, POLYGON: 2, MULTIPOINT: 1, MULTILINESTRING: 2, MULTIPOLYGON: 3 } as const;
const NAMES = {
  POINT: "Point",
  LINESTRING: "LineString",
  POLYGON: "Polygon",
  MULTIPOINT: "MultiPoint",
  MULTILINESTRING: "MultiLineString",
  MULTIPOLYGON: "MultiPolygon",
} as const;

/** Well-known text, with `SRID=...;` before it or not; null when it is none. Heights are left out. */
function readWkt(text: string): { geometry: Geometry; crs: string | null } | null {
  const found = /^(?:SRID=(\d+);)?\s*([A-Z]+)(?:\s+(?:Z|M|ZM))?\s*(\(.*\))$/is.exec(text);
  const kind = found?.[2]?.toUpperCase();
  if (!found || !kind || !Object.hasOwn(DEPTH, kind)) return null;
  const name = kind as keyof typeof DEPTH;
  // "(1 2, 3 4)" is the JSON "[[1,2],[3,4]]" in other signs.
  const body = (found[3] ?? "").replace(/\(\s*([^(),]+?)\s*\)/g, "([$1])");
  const json = body
    .replace(/\[([^[\]]+)\]/g, "$1")
    .replaceAll("(", "[")
    .replaceAll(")", "]")
    .replace(
      /(-?[\d.eE+-]+(?:\s+-?[\d.eE+-]+)+)/g,
      (numbers) => `[${numbers.trim().split(/\s+/).slice(0, 2).join(",")}]`,
    );
  let coordinates: unknown;
  try {
    coordinates = JSON.parse(json);
  } catch {
    return null;
  }
  if (name === "POINT" && Array.isArray(coordinates)) [coordinates] = coordinates;
  if (name === "MULTIPOINT" && Array.isArray(coordinates) && Array.isArray(coordinates[0]?.[0]))
    coordinates = coordinates.flat();
  if (depthOf(coordinates) !== DEPTH[name]) return null;
  const geometry = { type: NAMES[name], coordinates } as Geometry;
  const degrees = positionsOf(geometry).every(([x = 0, y = 0]) => Math.abs(x) <= 360 && Math.abs(y) <= 90);
  const srid = found[1];
  return { geometry, crs: srid ? (srid === "4326" ? null : `EPSG:${srid}`) : degrees ? null : "project" };
}

function depthOf(value: unknown): number {
  if (!Array.isArray(value) || value.length === 0) return -1;
  if (value.every((n) => typeof n === "number")) return value.length === 2 ? 0 : -1;
  const depths = new Set(value.map(depthOf));
  const [depth = -1] = depths;
  return depths.size === 1 && depth >= 0 ? depth + 1 : -1;
}

/** All positions of a shape, in order. */
export function positionsOf(geometry: Geometry): Position[] {
  if (geometry.type === "GeometryCollection") return geometry.geometries.flatMap(positionsOf);
  return (
    geometry.type === "Point" ? [geometry.coordinates] : geometry.coordinates.flat(DEPTH_OF[geometry.type])
  ) as Position[];
}
const DEPTH_OF = { LineString: 0, MultiPoint: 0, Polygon: 1, MultiLineString: 1, MultiPolygon: 2 } as const;

/** The same shape at other positions, in the order of `positionsOf`. */
export function atPositions(geometry: Geometry, positions: Position[]): Geometry {
  let next = 0;
  const put = (value: unknown): unknown => {
    if (!Array.isArray(value)) return value;
    return typeof value[0] === "number" ? positions[next++] : value.map(put);
  };
  return geometry.type === "GeometryCollection"
    ? geometry
    : ({ ...geometry, coordinates: put(geometry.coordinates) } as Geometry);
}
