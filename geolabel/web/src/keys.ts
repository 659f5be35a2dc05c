/** The keys: one table, which the shortcut sheet shows and the page listens by. */
import type { Tool } from "./editor/draft";

export type Command =
  | `tool:${Tool}`
  | "finish"
  | "back"
  | "escape"
  | "delete"
  | "undo"
  | "redo"
  | "next"
  | "previous"
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

export interface Shortcut {
  group: "Classes and tools" | "Drawing" | "Selected label" | "Seeing" | "Everywhere";
  does: string;
  /** As the sheet shows them; each inner list is pressed together. */
  shown: string[][];
  command?: Command;
  /** What a keydown must be: `Ctrl+Shift+z`, `Delete`, `?`. */
  keys?: string[];
}

export const SHORTCUTS: Shortcut[] = [
  { group: "Classes and tools", does: "Class, by its key", shown: [["1"], ["…"], ["9"]] },
  { group: "Classes and tools", does: "Select", shown: [["V"]], command: "tool:select", keys: ["v"] },
  { group: "Classes and tools", does: "Polygon", shown: [["P"]], command: "tool:polygon", keys: ["p"] },
  { group: "Classes and tools", does: "Rectangle", shown: [["R"]], command: "tool:rectangle", keys: ["r"] },
  { group: "Classes and tools", does: "Line", shown: [["L"]], command: "tool:line", keys: ["l"] },
  { group: "Classes and tools", does: "Point", shown: [["D"]], command: "tool:point", keys: ["d"] },
  { group: "Drawing", does: "Close outline, done", shown: [["↵"]], command: "finish", keys: ["Enter"] },
  { group: "Drawing", does: "Remove last vertex", shown: [["Backspace"]], command: "back", keys: ["Backspace"] },
  { group: "Drawing", does: "Cancel, then unselect", shown: [["Esc"]], command: "escape", keys: ["Escape"] },
  { group: "Drawing", does: "Move cursor 1 px, 10 px", shown: [["Arrows"], ["Shift", "Arrows"]] },
  { group: "Drawing", does: "Place a vertex (keyboard)", shown: [["Space"]] },
  { group: "Drawing", does: "Pan", shown: [["hold Space"]] },
  { group: "Selected label", does: "Add to the selection", shown: [["Shift", "click"]] },
  { group: "Selected label", does: "Delete vertex, or label", shown: [["Del"]], command: "delete", keys: ["Delete"] },
  { group: "Selected label", does: "Next label", shown: [["]"]], command: "next", keys: ["]"] },
  { group: "Selected label", does: "Previous label", shown: [["["]], command: "previous", keys: ["["] },
  { group: "Seeing", does: "Zoom to selection, or scene", shown: [["Z"]], command: "zoom", keys: ["z"] },
  { group: "Seeing", does: "Outline or fill", shown: [["I"]], command: "outline", keys: ["i"] },
  { group: "Seeing", does: "Compare", shown: [["B"]], command: "compare", keys: ["b"] },
  { group: "Seeing", does: "Hold: flicker", shown: [["Y"]], command: "flicker", keys: ["y"] },
  { group: "Seeing", does: "Move divider left", shown: [[","]], command: "divider:left", keys: [","] },
  { group: "Seeing", does: "Move divider right", shown: [["."]], command: "divider:right", keys: ["."] },
  { group: "Seeing", does: "Natural colours", shown: [["Shift", "1"]], command: "show:natural", keys: ["Shift+1"] },
  { group: "Seeing", does: "False colour", shown: [["Shift", "2"]], command: "show:false-color", keys: ["Shift+2"] },
  { group: "Seeing", does: "NDVI", shown: [["Shift", "3"]], command: "show:ndvi", keys: ["Shift+3"] },
  { group: "Seeing", does: "NDWI", shown: [["Shift", "4"]], command: "show:ndwi", keys: ["Shift+4"] },
  { group: "Seeing", does: "Stretch to view", shown: [["S"]], command: "stretch", keys: ["s"] },
  { group: "Seeing", does: "Hold: labels off", shown: [["Alt", "H"]] },
  { group: "Seeing", does: "Panels on or off", shown: [["\\"]], command: "panels", keys: ["\\"] },
  { group: "Everywhere", does: "Undo", shown: [["Ctrl", "Z"]], command: "undo", keys: ["Ctrl+z"] },
  {
    group: "Everywhere",
    does: "Redo",
    shown: [["Ctrl", "Shift", "Z"]],
    command: "redo",
    keys: ["Ctrl+Shift+z", "Ctrl+y"],
  },
  {
    group: "Everywhere",
    does: "Go to place, label, WKT",
    shown: [["Ctrl", "K"]],
    command: "goto",
    keys: ["Ctrl+k"],
  },
  { group: "Everywhere", does: "Next part of the screen", shown: [["F6"]], command: "focus", keys: ["F6"] },
  { group: "Everywhere", does: "This list", shown: [["?"]], command: "help", keys: ["?"] },
];

const COMMANDS = new Map(SHORTCUTS.flatMap(({ keys, command }) => (keys ?? []).map((key) => [key, command] as const)));

type Press = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey"> & { code?: string };

/** The command of a key press, if it has one. */
export function commandOf({ key, code = "", ctrlKey, metaKey, shiftKey, altKey }: Press): Command | undefined {
  if (altKey) return undefined;
  const letter = key.length === 1 ? key.toLowerCase() : key;
  const ctrl = ctrlKey || metaKey;
  // With Shift a digit's key gives a sign, which one depends on the keyboard.
  const digit = /^Digit([1-9])$/.exec(code)?.[1];
  if (digit && shiftKey && !ctrl) return COMMANDS.get(`Shift+${digit}`);
  // Shift is part of a sign such as `?`, and counts beside Ctrl only.
  return COMMANDS.get(`${ctrl ? "Ctrl+" : ""}${ctrl && shiftKey ? "Shift+" : ""}${letter}`);
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
