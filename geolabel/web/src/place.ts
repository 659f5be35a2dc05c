/** Where the page is: `#/p/landuse@32.594490,0.350523,19.20` names a project and a view of it (lon, lat, zoom). */

export interface Place {
  project: string | null;
  at: { center: [number, number]; zoom: number } | null;
}

export function parsePlace(hash: string): Place {
  const found = /^#\/p\/([^@]+)(?:@(-?[\d.]+),(-?[\d.]+),([\d.]+))?$/.exec(hash);
  if (!found) return { project: null, at: null };
  const [, project = "", lng, lat, zoom] = found;
  const at: Place["at"] = lng && lat && zoom ? { center: [Number(lng), Number(lat)], zoom: Number(zoom) - 1 } : null;
  const usable = at && Math.abs(at.center[1]) <= 90 && at.zoom >= -1 && at.zoom <= 24;
  return { project: decoded(project), at: usable ? at : null };
}

/** The name as it was; as it stands in the address when it was not made by `placeOf`. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const readPlace = (): Place => parsePlace(location.hash);

export function placeOf(project: string, at?: Place["at"]): string {
  const view = at ? `@${at.center[0].toFixed(6)},${at.center[1].toFixed(6)},${(at.zoom + 1).toFixed(2)}` : "";
  return `#/p/${encodeURIComponent(project)}${view}`;
}

/** Keep the view in the address, without a step in the browser's history. */
export function writePlace(project: string, at: NonNullable<Place["at"]>): void {
  history.replaceState(null, "", placeOf(project, at));
}
