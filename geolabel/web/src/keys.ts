/** The keys: one table, which the shortcut sheet shows, the page listens by, and people may change (`keymap.ts`). */
import type { Tool } from "./editor/draft";

export type Command =
  | `tool:${Tool}`
  | `label:${
      | "vertices"
      | "merge"
      | "square"
      | "turn"
      | "duplicate"
      | "smooth"
      | "simplify"
      | "buffer"
      | "fill"
      | "explode"
      | "rejoin"
      | "subtract"
      | "union"
      | "clip"}`
  | `vertex:${"next" | "previous" | "insert"}`
  | "trace"
  | "finish"
  | "back"
  | "escape"
  | "delete"
  | "undo"
  | "redo"
  | "next"
  | "previous"
  | "next:add"
  | "previous:add"
  | "review"
  | "class:all"
  | "class:lock"
  | "list"
  | "zoom"
  | "outline"
  | "panels"
  | "compare"
  | "flicker"
  | "divider:left"
  | "divider:right"
  | `show:${"natural" | "false-color" | "ndvi" | "ndwi"}`
  | "goto"
  | "stretch"
  | "help"
  | "focus";

/** What the keyboard works on at a moment: always just one of these. */
export type Scope = "idle" | "selected" | "vertices" | "turning" | "drawing";
export const SCOPES: readonly Scope[] = ["idle", "selected", "vertices", "turning", "drawing"];

export const GROUPS = ["Classes and tools", "Drawing", "Seeing", "Selected label", "Everywhere"] as const;
export type Group = (typeof GROUPS)[number];

export interface Shortcut {
  group: Group;
  does: string;
  command: Command;
  /** As `keyOf` names them: `Ctrl+Shift+z`, `Delete`, `?`. None: it is in a menu, and may be given one. */
  keys: readonly string[];
  /** Where it works; everywhere when not said. */
  in?: readonly Scope[];
}

const LABEL: readonly Scope[] = ["selected", "vertices", "turning"];
const tool = (name: Tool, does: string, key: string): Shortcut => ({
  group: "Classes and tools",
  does,
  command: `tool:${name}`,
  keys: [key],
});
const label = (command: Command, does: string, ...keys: string[]): Shortcut => ({
  group: "Selected label",
  does,
  command,
  keys,
  in: LABEL,
});
const seeing = (command: Command, does: string, ...keys: string[]): Shortcut => ({
  group: "Seeing",
  does,
  command,
  keys,
});
const everywhere = (command: Command, does: string, ...keys: string[]): Shortcut => ({
  group: "Everywhere",
  does,
  command,
  keys,
});

export const SHORTCUTS: readonly Shortcut[] = [
  tool("select", "Select", "v"),
  tool("lasso", "Select by a lasso", "Shift+v"),
  tool("polygon", "Polygon", "p"),
  tool("rectangle", "Rectangle", "r"),
  tool("angled", "Angled rectangle", "a"),
  tool("circle", "Circle", "o"),
  tool("freehand", "Freehand", "f"),
  tool("line", "Line", "l"),
  tool("point", "Point", "d"),
  tool("measure", "Measure", "m"),
  { group: "Classes and tools", does: "Lock or open the class", command: "class:lock", keys: ["Alt+l"] },
  { group: "Drawing", does: "Close outline, done", command: "finish", keys: ["Enter"] },
  { group: "Drawing", does: "Remove last vertex", command: "back", keys: ["Backspace"] },
  { group: "Drawing", does: "Cancel, then unselect", command: "escape", keys: ["Escape"] },
  { group: "Drawing", does: "Trace a neighbour", command: "trace", keys: ["t"] },
  label("label:vertices", "Edit vertices", "e"),
  {
    group: "Selected label",
    does: "Next vertex",
    command: "vertex:next",
    keys: ["]"],
    in: ["vertices"],
  },
  { group: "Selected label", does: "Previous vertex", command: "vertex:previous", keys: ["["], in: ["vertices"] },
  { group: "Selected label", does: "Put in a vertex", command: "vertex:insert", keys: ["Insert"], in: ["vertices"] },
  { group: "Selected label", does: "Split", command: "tool:split", keys: ["x"] },
  label("label:merge", "Merge", "c"),
  { group: "Selected label", does: "Cut a hole", command: "tool:hole", keys: ["h"] },
  label("label:fill", "Fill its holes", "Shift+h"),
  label("label:square", "Square corners", "q"),
  label("label:turn", "Rotate, scale, move", "w"),
  label("label:duplicate", "Duplicate", "Ctrl+d"),
  label("label:smooth", "Smooth"),
  label("label:simplify", "Simplify"),
  label("label:buffer", "Widen or narrow"),
  label("label:subtract", "Subtract neighbours"),
  label("label:union", "Unite with neighbours"),
  label("label:clip", "Clip to neighbours"),
  label("label:explode", "Take parts apart"),
  label("label:rejoin", "Put together as parts"),
  { group: "Selected label", does: "Delete vertex, or label", command: "delete", keys: ["Delete"] },
  {
    group: "Selected label",
    does: "Next label",
    command: "next",
    keys: ["]"],
    in: ["idle", "selected", "turning", "drawing"],
  },
  {
    group: "Selected label",
    does: "Previous label",
    command: "previous",
    keys: ["["],
    in: ["idle", "selected", "turning", "drawing"],
  },
  { group: "Selected label", does: "Add the next label", command: "next:add", keys: ["Alt+]"] },
  { group: "Selected label", does: "Add the previous label", command: "previous:add", keys: ["Alt+["] },
  { group: "Selected label", does: "Next to review", command: "review", keys: ["n"] },
  { group: "Selected label", does: "All of the class in view", command: "class:all", keys: ["Ctrl+a"] },
  seeing("compare", "Compare", "b"),
  seeing("flicker", "Hold: flicker", "y"),
  seeing("divider:left", "Move divider left", ","),
  seeing("divider:right", "Move divider right", "."),
  seeing("show:natural", "Natural colours", "Shift+1"),
  seeing("show:false-color", "False colour", "Shift+2"),
  seeing("show:ndvi", "NDVI", "Shift+3"),
  seeing("show:ndwi", "NDWI", "Shift+4"),
  seeing("stretch", "Stretch to view", "s"),
  seeing("outline", "Outline or fill", "i"),
  seeing("zoom", "Zoom to selection, or scene", "z"),
  seeing("list", "List the labels in view", "Shift+l"),
  seeing("panels", "Panels on or off", "\\"),
  everywhere("undo", "Undo", "Ctrl+z"),
  everywhere("redo", "Redo", "Ctrl+Shift+z", "Ctrl+y"),
  everywhere("goto", "Go to place, label, WKT", "Ctrl+k"),
  everywhere("focus", "Next part of the screen", "F6"),
  everywhere("help", "This list", "?"),
];

/** What is held, dragged or fixed, and so no command: for the sheet alone. */
export const GESTURES: readonly { group: Group; does: string; shown: string[] }[] = [
  { group: "Classes and tools", does: "Class, by its key", shown: ["1", "…", "9"] },
  { group: "Drawing", does: "Hold: no snapping", shown: ["Alt"] },
  { group: "Drawing", does: "Hold: 45° and squares", shown: ["Shift"] },
  { group: "Drawing", does: "Move cursor, vertex, label: 1 px", shown: ["Arrows"] },
  { group: "Drawing", does: "The same by 10 px", shown: ["Shift", "Arrows"] },
  { group: "Drawing", does: "Place a vertex (keyboard)", shown: ["Space"] },
  { group: "Drawing", does: "Pan", shown: ["hold", "Space"] },
  { group: "Selected label", does: "Add to the selection", shown: ["Shift", "click"] },
  { group: "Seeing", does: "Hold: labels off", shown: ["Alt", "H"] },
];

type Press = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

/** A key press as the table names it. Shift is part of a sign such as `?`, and counts with letters, digits and Ctrl. */
export function keyOf({ key, code, ctrlKey, metaKey, shiftKey, altKey }: Press): string {
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  const bracket = { BracketLeft: "[", BracketRight: "]" }[code];
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  // With Shift, and with Alt on some systems, a key gives another sign.
  const plain = (shiftKey && digit) || (altKey && (letter ?? bracket)) || key;
  const name = plain.length === 1 ? plain.toLowerCase() : plain;
  const counts = name.length > 1 || /[\p{L}\d]/u.test(name) || ctrlKey || metaKey;
  const held = [ctrlKey || metaKey ? "Ctrl+" : "", altKey ? "Alt+" : "", shiftKey && counts ? "Shift+" : ""];
  return held.join("") + name;
}

/** `["Ctrl", "Shift", "Z"]`: as key caps show it. */
export function capsOf(key: string): string[] {
  const parts = key === "+" ? ["+"] : key.split(/\+(?=.)/);
  const names: Record<string, string> = { Enter: "↵", Escape: "Esc", Delete: "Del", " ": "Space", Insert: "Ins" };
  return parts.map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part));
}

/** Does the focus sit where keys are text, or are the control's own? */
export function takesKeys(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  if (target.matches("input")) {
    const { type } = target as HTMLInputElement;
    const slider =
      type === "range" && !key.startsWith("Arrow") && !key.startsWith("Page") && key !== "Home" && key !== "End";
    return !slider && type !== "checkbox" && type !== "radio";
  }
  // Enter and Space press a button that has the focus.
  return target.closest("button, a, [role=option], [role=menuitemradio]") !== null && (key === "Enter" || key === " ");
}
