/**
 * Where the page is: `#/p/landuse@32.594490,0.350523,19.20?scene=s2&select=12.15&look.s2={...}` names a project, a view
 * of it (longitude, latitude, zoom), the scene in hand, what is selected, and how scenes are rendered.
 */
import { type Look, readLook, shortLook } from "./map/look";

export interface Place {
  project: string | null;
  at: { center: [number, number]; zoom: number } | null;
  scene: string | null;
  select: number[];
  looks: Record<string, Look>;
}

const NOWHERE: Place = { project: null, at: null, scene: null, select: [], looks: {} };
/** A selection of more labels is not kept in an address. */
const MOST = 50;

export function parsePlace(hash: string): Place {
  const found = /^#\/p\/([^@?]+)(?:@(-?[\d.]+),(-?[\d.]+),([\d.]+))?(?:\?(.*))?$/.exec(hash);
  if (!found) return NOWHERE;
  const [, project = "", lng, lat, zoom, query = ""] = found;
  const at: Place["at"] = lng && lat && zoom ? { center: [Number(lng), Number(lat)], zoom: Number(zoom) - 1 } : null;
  const usable = at && Math.abs(at.center[1]) <= 90 && at.zoom >= -1 && at.zoom <= 24;
  const asked = new URLSearchParams(query);
  const looks = [...asked]
    .filter(([name]) => name.startsWith("look."))
    .map(([name, value]) => [name.slice(5), readLook(value)] as const);
  return {
    project: decoded(project),
    at: usable ? at : null,
    scene: asked.get("scene"),
    select: (asked.get("select") ?? "")
      .split(".")
      .map(Number)
      .filter((id) => Number.isSafeInteger(id) && id > 0)
      .slice(0, MOST),
    looks: Object.fromEntries(looks),
  };
}

/** The name as it was; as it stands in the address when it was not made by `placeOf`. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The project that the address asks to set up: an id, `null` for a new one; undefined when it asks for something else. */
export function readSetup(): string | null | undefined {
  if (location.hash === "#/new") return null;
  const found = /^#\/setup\/([^?]+)$/.exec(location.hash)?.[1];
  return found === undefined ? undefined : decoded(found);
}

export const setupOf = (project: string): string => `#/setup/${encodeURIComponent(project)}`;

export const readPlace = (): Place => parsePlace(location.hash);

export function placeOf(project: string, place: Partial<Omit<Place, "project">> = {}): string {
  const { at, scene, select = [], looks = {} } = place;
  const view = at ? `@${at.center[0].toFixed(6)},${at.center[1].toFixed(6)},${(at.zoom + 1).toFixed(2)}` : "";
  const query = new URLSearchParams();
  if (scene) query.set("scene", scene);
  if (select.length > 0 && select.length <= MOST) query.set("select", select.join("."));
  for (const [id, look] of Object.entries(looks)) {
    const short = shortLook(look);
    if (short) query.set(`look.${id}`, short);
  }
  return `#/p/${encodeURIComponent(project)}${view}${String(query) ? `?${query}` : ""}`;
}

/** Keep the place in the address, without a step in the browser's history. */
export function writePlace(project: string, place: Partial<Omit<Place, "project">>): void {
  const next = placeOf(project, place);
  if (next !== location.hash) history.replaceState(null, "", next);
}
