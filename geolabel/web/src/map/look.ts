/** How a scene looks: what the server draws of it, and what the map does to the picture. */
import type { Band, Scene } from "../types";

export type Show = "natural" | "false-color" | "ndvi" | "ndwi" | "bands" | "expression";
export type Stretch = "auto" | "percentile" | "full" | "view" | "own";

/** -100..100 and 0..100, as the sliders say it. */
export interface Look {
  visible: boolean;
  opacity: number;
  brightness: number;
  contrast: number;
  saturation: number;
  show: Show;
  /** One for gray, three for red, green, blue; with `bands`. */
  bands: number[];
  /** Band math, with `expression`. */
  expression: string;
  stretch: Stretch;
  /** What becomes black and white, per channel; null for what the server makes of it. */
  range: [number, number][] | null;
  gamma: number;
  /** Of one channel; empty for gray. */
  colormap: string;
}

export const PLAIN: Look = {
  visible: true,
  opacity: 100,
  brightness: 0,
  contrast: 0,
  saturation: 0,
  show: "natural",
  bands: [],
  expression: "",
  stretch: "auto",
  range: null,
  gamma: 1,
  colormap: "",
};

export const SHOWN: Record<Show, string> = {
  natural: "Natural",
  "false-color": "False colour",
  ndvi: "NDVI",
  ndwi: "NDWI",
  bands: "Bands",
  expression: "Expression",
};

export const COLORMAPS = ["viridis", "magma", "cividis", "rdylgn", "brbg", "rdbu", "spectral", "terrain"];

/** What a preset looks best in. */
const COLORMAP_OF: Partial<Record<Show, string>> = { ndvi: "rdylgn", ndwi: "brbg" };

/** Bands that hold a picture. */
export const pictured = (scene: Scene): Band[] => scene.bands.filter((band) => band.color !== "alpha");

const INFRARED = new Set(["nir", "nir08", "near infrared", "nearinfrared", "b8", "b08", "b5"]);

/** Does a band see near infrared, as far as the file says it? Four bands of which nothing is said end with it. */
function hasInfrared(scene: Scene): boolean {
  const bands = pictured(scene);
  return bands.length === 4 || bands.some((b) => b.color === "nir" || INFRARED.has(b.name.trim().toLowerCase()));
}

/** What a scene can be shown as. */
export function showsOf(scene: Scene): Show[] {
  return ["natural", ...(hasInfrared(scene) ? (["false-color", "ndvi", "ndwi"] as const) : []), "bands", "expression"];
}

/** One channel may have a colormap; three are a colour picture. */
export function channelsOf(look: Look, scene: Scene): number {
  if (look.show === "ndvi" || look.show === "ndwi") return 1;
  if (look.show === "expression") return look.expression.split(";").filter((part) => part.trim() !== "").length;
  if (look.show === "bands") return look.bands.length;
  return look.show === "natural" && pictured(scene).length < 3 ? 1 : 3;
}

/** Show something else: what was stretched for the old channels does not fit the new ones. */
export function showing(look: Look, show: Show, scene: Scene): Look {
  const bands = pictured(scene);
  const first = bands.length >= 3 ? bands.slice(0, 3) : bands.slice(0, 1);
  return {
    ...look,
    show,
    bands: show === "bands" && look.bands.length === 0 ? first.map((band) => band.index) : look.bands,
    stretch: "auto",
    range: null,
    colormap: COLORMAP_OF[show] ?? "",
  };
}

/** The next or previous thing that a scene can be shown as by itself. */
export function nextShow(look: Look, scene: Scene, by: 1 | -1): Show {
  const shows: Show[] = showsOf(scene).filter((show) => show !== "bands" && show !== "expression");
  const at = shows.indexOf(look.show);
  return shows[(at + by + shows.length) % shows.length] ?? "natural";
}

/** What the server is asked for: `preset=ndvi&colormap=rdylgn`; empty for its own way. */
export function queryOf(look: Look, scene: Scene): string {
  const query = sourceOf(look);
  for (const [low, high] of look.range ?? []) query.append("rescale", `${low},${high}`);
  if (look.gamma !== 1) query.set("gamma", String(look.gamma));
  if (look.colormap && channelsOf(look, scene) === 1) query.set("colormap", look.colormap);
  return query.toString();
}

/** The part of the query that says which values are shown. */
export function sourceOf({ show, bands, expression }: Look): URLSearchParams {
  const query = new URLSearchParams();
  if (show === "bands" && bands.length > 0) query.set("bidx", bands.join(","));
  else if (show === "expression" && expression.trim() !== "") query.set("expression", expression.trim());
  else if (show === "false-color" || show === "ndvi" || show === "ndwi") query.set("preset", show);
  return query;
}

/** Only what differs from the plain look, for an address. */
export function shortLook(look: Look): string {
  const parts = (Object.keys(PLAIN) as (keyof Look)[])
    .filter((name) => JSON.stringify(look[name]) !== JSON.stringify(PLAIN[name]))
    .map((name) => [name, look[name]] as const);
  return parts.length > 0 ? JSON.stringify(Object.fromEntries(parts)) : "";
}

/** Read what `shortLook` wrote; anything that cannot be is left at its plain value. */
export function readLook(text: string): Look {
  let given: Partial<Record<keyof Look, unknown>> = {};
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === "object" && read !== null) given = read;
  } catch {
    return { ...PLAIN };
  }
  const number = (name: "opacity" | "brightness" | "contrast" | "saturation" | "gamma", low: number, high: number) => {
    const value = given[name];
    return typeof value === "number" && value >= low && value <= high ? value : PLAIN[name];
  };
  const pairs = given.range;
  const range =
    Array.isArray(pairs) &&
    pairs.length <= 3 &&
    pairs.every((p) => Array.isArray(p) && p.length === 2 && p.every((n) => typeof n === "number"))
      ? (pairs as [number, number][])
      : null;
  return {
    visible: given.visible !== false,
    opacity: number("opacity", 0, 100),
    brightness: number("brightness", -100, 100),
    contrast: number("contrast", -100, 100),
    saturation: number("saturation", -100, 100),
    gamma: number("gamma", 0.1, 10),
    show: typeof given.show === "string" && Object.hasOwn(SHOWN, given.show) ? (given.show as Show) : "natural",
    bands:
      Array.isArray(given.bands) && given.bands.every((b) => Number.isInteger(b) && b > 0)
        ? given.bands.slice(0, 3)
        : [],
    expression: typeof given.expression === "string" ? given.expression.slice(0, 500) : "",
    stretch: range ? (given.stretch === "view" ? "view" : stretchOf(given.stretch)) : "auto",
    range,
    colormap: typeof given.colormap === "string" && COLORMAPS.includes(given.colormap) ? given.colormap : "",
  };
}

const stretchOf = (text: unknown): Stretch =>
  text === "percentile" || text === "full" || text === "own" ? text : "own";
