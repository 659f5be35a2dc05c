/** What the mouse and the keys do at the moment, in one line. */
import type { Tool } from "../editor/draft";
import type { Session } from "../session.svelte";

const HINTS: Record<Tool | "vertex" | "vertices" | "turning", string> = {
  select: "Click selects · Shift adds · drag on empty ground selects a box · hold Space to pan",
  vertex: "Drag moves · click a midpoint adds a vertex · Del removes the picked one · Alt suspends snapping",
  vertices: "Arrows move the vertex, Shift by 10 · [ ] step through them · Ins adds, Del removes · Enter keeps",
  turning: "Drag or arrows · Shift: steps of 15°, or by 10 · W changes what a drag does · Enter keeps, Esc puts back",
  polygon: "Enter or the first vertex closes the outline · Backspace removes the last vertex · Esc drops it",
  hole: "Enter or the first vertex closes the hole · Backspace removes the last vertex · Esc drops it",
  rectangle: "Click two corners, or drag · Shift makes a square · hold Space to pan",
  angled: "Two places along one side, one across · Shift: 45° steps · Alt suspends snapping",
  circle: "Centre, then edge, or drag · hold Space to pan",
  freehand: "Drag, or click, move and click again · hold Space to pan",
  lasso: "Drag round whole labels · Shift at the end adds to the selection · hold Space to pan",
  line: "Enter or the last vertex ends the line · Backspace removes the last vertex · Esc drops it",
  split: "Enter or the last place cuts · the line goes right across · Esc drops it",
  measure: "Click along it · the first place again gives an area · Enter ends · Esc puts the tool away",
  point: "Click places a point · drag pans",
};

export function hintOf({ hand, tool, selection }: Session): string {
  if (tool !== "select") return HINTS[tool];
  if (hand.turning) return HINTS.turning;
  if (hand.vertexing) return HINTS.vertices;
  return selection.length === 1 ? HINTS.vertex : HINTS.select;
}
