/** What the export panel asks for, read from its fields. */
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
  return Number.isInteger(value) && value >= 1 && value <= MOST ? value : null;
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
  if (size === null) problems.size = `A whole number from 1 to ${MOST}, got ${fields.size || "nothing"}.`;
  if (stride === null && size !== null) problems.stride = `A whole number from 1 to ${MOST}, got ${fields.stride}.`;
  if (split === null && fields.split.trim() !== "") {
    problems.split = `Shares for train, val and test that make 100, such as 70/20/10; got ${fields.split}.`;
  }
  if (Object.keys(problems).length > 0 || size === null || stride === null) return { request: null, problems };
  return { request: { formats: fields.formats, chips: { size, stride, ...(split ? { split } : {}) } }, problems };
}

/** The same export on the command line. */
export function asCommand(project: string, { formats, chips }: ExportRequest): string {
  const split = chips.split ? ` --split ${chips.split.join(",")}` : "";
  return `geolabel export ${project} out/ --format ${formats.join(",")} --size ${chips.size} --stride ${chips.stride}${split}`;
}
