/** What the export panel asks for, read from its fields. */
import { plural } from "../format";
import type { ExportRequest } from "../types";

export interface Fields {
  formats: string[];
  size: string;
  stride: string;
  /** Shares for train, val and test: `70/20/10`; empty for none. */
  split: string;
  edges: string;
  /** Least share of a label that a chip must hold, percent. */
  overlap: string;
  /** Chips on a side of a block that goes to one split; empty for the server's own. */
  block: string;
  /** Chips that are left out between splits. */
  buffer: string;
  negatives: string;
}

export const PLAIN: Fields = {
  formats: ["coco", "geojson", "mask-semantic"],
  size: "512",
  stride: "",
  split: "",
  edges: "pad",
  overlap: "0",
  block: "",
  buffer: "0",
  negatives: "all",
};

export const FORMATS: Record<string, string> = {
  coco: "COCO",
  geojson: "GeoJSON",
  "mask-semantic": "Mask, semantic",
  "yolo-seg": "YOLO seg",
  voc: "VOC",
  yolo: "YOLO",
  "yolo-obb": "YOLO OBB",
  dota: "DOTA",
  kitti: "KITTI",
  "mask-instance": "Mask, instance",
  "coco-panoptic": "COCO panoptic",
  imagefolder: "Image folder",
  geoparquet: "GeoParquet",
};

/** A choice's words, by what the server calls it. */
export const EDGES: Record<string, string> = { pad: "pad", shift: "shift", drop: "drop" };
export const NEGATIVES: Record<string, string> = { all: "all", none: "none", "1": "1 : 1", "0.2": "1 : 5" };

export type Problems = Partial<Record<keyof Fields, string>>;

const MOST = 16_384;

function pixels(text: string): number | null {
  const value = Number(text);
  return /^\s*\d+\s*$/.test(text) && value >= 1 && value <= MOST ? value : null;
}

/** Three shares of a hundred, or null. */
export function readSplit(text: string): number[] | null {
  const shares = text
    .split(/[/,;\s]+/)
    .filter(Boolean)
    .map(Number);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  if (
    shares.length !== 3 ||
    shares.some((share) => !(share >= 0)) ||
    (Math.abs(whole - 100) > 1e-9 && Math.abs(whole - 1) > 1e-9)
  ) {
    return null;
  }
  return shares.map((share) => Number((share / whole).toFixed(6)));
}

/** The request, or a sentence for each field that cannot be read. */
export function readExport(fields: Fields): { request: ExportRequest | null; problems: Problems } {
  const problems: Problems = {};
  const size = pixels(fields.size);
  const stride = fields.stride.trim() === "" ? size : pixels(fields.stride);
  const split = fields.split.trim() === "" ? null : readSplit(fields.split);
  if (fields.formats.length === 0) problems.formats = "Pick at least one format.";
  if (size === null)
    problems.size = `Size: expected a whole number from 1 to ${MOST}, got ${fields.size.trim() || "nothing"}.`;
  if (stride === null && fields.stride.trim() !== "")
    problems.stride = `Stride: expected a whole number from 1 to ${MOST}, got ${fields.stride}.`;
  if (split === null && fields.split.trim() !== "") {
    problems.split = `Split: expected shares for train, val and test that make 100, such as 70/20/10; got ${fields.split}.`;
  }
  const overlap = Number(fields.overlap.trim() || "0");
  if (!(overlap >= 0 && overlap <= 100)) problems.overlap = `Min overlap: expected 0 to 100 %, got ${fields.overlap}.`;
  const block = fields.block.trim() === "" ? null : pixels(fields.block);
  if (block === null && fields.block.trim() !== "")
    problems.block = `Block: expected a number of chips, got ${fields.block}.`;
  const buffer = Number(fields.buffer.trim() || "0");
  if (!(Number.isInteger(buffer) && buffer >= 0))
    problems.buffer = `Buffer: expected a number of chips, got ${fields.buffer}.`;
  if (Object.keys(problems).length > 0 || size === null || stride === null) return { request: null, problems };
  const { edges, negatives } = fields;
  const chips = {
    size,
    stride,
    ...(edges === PLAIN.edges ? {} : { edges }),
    ...(overlap > 0 ? { min_overlap: overlap / 100 } : {}),
    ...(negatives === PLAIN.negatives ? {} : { negatives: negatives === "none" ? negatives : Number(negatives) }),
    ...(split ? { split } : {}),
    ...(split && block !== null ? { split_block: block } : {}),
    ...(split && buffer > 0 ? { split_buffer: buffer } : {}),
  };
  return { request: { formats: fields.formats, chips }, problems };
}

/** The same chips as the parameters of a preview. */
export function asQuery({ chips }: ExportRequest): URLSearchParams {
  return new URLSearchParams(Object.entries(chips).map(([name, value]) => [name, String(value)]));
}

/** What a finished export says of itself. */
export interface Outcome {
  /** "24 chips with 110 labels: 8 train, 16 val, 0 test." */
  text: string;
  notes: string[];
}

/** Read from a job's result; null when it says nothing of the kind. */
export function outcomeOf(result: unknown): Outcome | null {
  const { chips, exported, notes } = (result ?? {}) as Partial<Record<string, unknown>>;
  if (typeof chips !== "object" || chips === null || typeof exported !== "number") return null;
  const splits = Object.entries(chips as Record<string, number>);
  const total = splits.reduce((sum, [, n]) => sum + n, 0);
  const shares = splits.length > 1 ? `: ${splits.map(([name, n]) => `${n} ${name}`).join(", ")}` : "";
  return {
    text: `${plural(total, "chip")} with ${plural(exported, "label")}${shares}.`,
    notes: Array.isArray(notes) ? notes.map(String) : [],
  };
}

/** The same export on the command line. */
export function asCommand(project: string, { formats, chips }: ExportRequest): string {
  const options = Object.entries(chips).map(([name, value]) => `--${name.replaceAll("_", "-")} ${value}`);
  return `geolabel export ${project} out/ --format ${formats.join(",")} ${options.join(" ")}`;
}
