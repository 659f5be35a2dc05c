/** What is being drawn, as the screen needs it. */
import type { Geometry, GeometryKind, Position } from "../types";

export type Drawing = "polygon" | "rectangle" | "line" | "point";
export type Tool = "select" | Drawing;

/** What kind of shape a tool makes. */
export const KIND_OF: Record<Drawing, GeometryKind> = {
  polygon: "polygon",
  rectangle: "polygon",
  line: "line",
  point: "point",
};

/** A shape that is being drawn. */
export interface Draft {
  tool: Drawing;
  /** The vertices that were placed. */
  fixed: Position[];
  /** Where the next one would go. */
  cursor: Position | null;
  closed: boolean;
}

/** @param committed how many vertices terra-draw has placed for good; it keeps the pointer's as one more. */
export function draftOf(tool: Drawing, geometry: Geometry, committed: unknown): Draft | null {
  if (tool === "rectangle" && geometry.type === "Polygon") {
    return { tool, fixed: geometry.coordinates[0]?.slice(0, -1) ?? [], cursor: null, closed: true };
  }
  const closed = geometry.type === "Polygon";
  const all = closed ? (geometry.coordinates[0] ?? []) : geometry.type === "LineString" ? geometry.coordinates : [];
  const count = typeof committed === "number" ? committed : Math.max(all.length - 1, 1);
  const fixed = all.slice(0, count);
  const next = all[count];
  const last = fixed.at(-1);
  const moved = next && last && (next[0] !== last[0] || next[1] !== last[1]);
  return { tool, fixed, cursor: moved ? next : null, closed };
}
