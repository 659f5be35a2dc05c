/** What the export panel asks for, read from its fields. */
import { plural } from "../format";
import type { ExportRequest } from "../types";

export interface Fields {
  formats: string[];
  size: string;
  stride: string;
  /** Shares for train, val and test: `70/20/10`; empty for none. */
  split: string;
}

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
  if (Object.keys(problems).length > 0 || size === null || stride === null) return { request: null, problems };
  return { request: { formats: fields.formats, chips: { size, stride, ...(split ? { split } : {}) } }, problems };
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
  const split = chips.split ? ` --split ${chips.split.join(",")}` : "";
  return `geolabel export ${project} out/ --format ${formats.join(",")} --size ${chips.size} --stride ${chips.stride}${split}`;
}
