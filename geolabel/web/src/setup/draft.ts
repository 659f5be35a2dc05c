/** A project's title, scenes, classes, attributes and guidelines while they are edited. */
import { commandFor } from "../keymap";
import { SCOPES } from "../keys";
import { prefs } from "../prefs.svelte";
import type { Attribute, GeometryKind, LabelClass, Project, Scene } from "../types";

/** Handed out in this order; see tokens.css. Past the last they begin anew. */
export const COLORS = [
  "#e13c62",
  "#4478ff",
  "#2a8b6c",
  "#f0c107",
  "#c559ad",
  "#72bdb9",
  "#cf7d1e",
  "#a3fa94",
  "#b49bef",
  "#fdd8ce",
  "#aab37b",
  "#dceaf7",
];
export const KINDS: GeometryKind[] = ["polygon", "line", "point"];

export interface ClassDraft {
  /** Names the row; never shown. */
  row: number;
  /** As it is on the server; null when it is new. */
  was: string | null;
  name: string;
  color: string;
  hotkey: string;
  /** Name of another class, or empty. */
  parent: string;
  geometries: GeometryKind[];
  description: string;
}

export interface AttributeDraft {
  row: number;
  was: string | null;
  name: string;
  title: string;
  kind: Attribute["kind"];
  /** One value of an enum per line or comma. */
  values: string;
  minimum: string;
  maximum: string;
  required: boolean;
  /** Names of classes; empty for all. */
  classes: string[];
}

export interface ProjectDraft {
  title: string;
  scenes: string[];
  classes: ClassDraft[];
  /** Classes that were taken out and have labels: what those become. */
  moved: { name: string; labels: number; to: string }[];
  attributes: AttributeDraft[];
  guidelines: string;
}

let rows = 0;
const nextRow = () => {
  rows += 1;
  return rows;
};

export function newClass(classes: ClassDraft[]): ClassDraft {
  const taken = new Set(classes.map((c) => c.color));
  const color = COLORS.find((c) => !taken.has(c)) ?? COLORS[classes.length % COLORS.length] ?? "#9098a3";
  const keys = new Set(classes.map((c) => c.hotkey));
  const hotkey = "123456789".split("").find((key) => !keys.has(key)) ?? "";
  return { row: nextRow(), was: null, name: "", color, hotkey, parent: "", geometries: [...KINDS], description: "" };
}

export const newAttribute = (): AttributeDraft => ({
  row: nextRow(),
  was: null,
  name: "",
  title: "",
  kind: "enum",
  values: "",
  minimum: "",
  maximum: "",
  required: false,
  classes: [],
});

/** What is edited of a project; of a new one when there is none yet. */
export function draftOf(project: Project | null, scenes: Scene[]): ProjectDraft {
  if (!project) {
    const only = scenes.length === 1 ? scenes.map((scene) => scene.id) : [];
    return { title: "", scenes: only, classes: [newClass([])], moved: [], attributes: [], guidelines: "" };
  }
  const { title, classes, attributes, guidelines } = project;
  const number = (value: number | null) => (value === null ? "" : String(value));
  return {
    title,
    scenes: [...project.scenes],
    moved: [],
    guidelines,
    classes: classes.map((c: LabelClass) => ({
      row: nextRow(),
      was: c.name,
      name: c.name,
      color: c.color,
      hotkey: c.hotkey ?? "",
      parent: c.parent ?? "",
      geometries: [...c.geometries],
      description: c.description,
    })),
    attributes: attributes.map((a) => ({
      row: nextRow(),
      was: a.name,
      name: a.name,
      title: a.title,
      kind: a.kind,
      values: a.values.join(", "),
      minimum: number(a.minimum),
      maximum: number(a.maximum),
      required: a.required,
      classes: [...a.classes],
    })),
  };
}

/** A sentence for each thing that cannot be, by the place where it is shown: `title`, `class 3 name`, ... */
export function problemsOf(draft: ProjectDraft): Record<string, string> {
  const problems: Record<string, string> = {};
  if (draft.title.trim() === "") problems.title = "A project needs a title.";
  if (draft.scenes.length === 0) problems.scenes = "Choose at least one scene to label on.";
  if (draft.classes.length === 0) problems.classes = "A project needs at least one class.";
  for (const c of draft.classes) {
    const others = draft.classes.filter((other) => other !== c);
    if (c.name.trim() === "") problems[`class ${c.row}`] = "A class needs a name.";
    else if (others.some((other) => other.name.trim() === c.name.trim()))
      problems[`class ${c.row}`] = `There are two classes named ${c.name.trim()}.`;
    else if (c.geometries.length === 0)
      problems[`class ${c.row}`] = "Choose at least one shape that carries the class.";
    else if (c.hotkey && others.some((other) => other.hotkey.toLowerCase() === c.hotkey.toLowerCase()))
      problems[`class ${c.row}`] = `Two classes have the key ${c.hotkey}.`;
    else if (c.hotkey && takenKey(c.hotkey))
      problems[`class ${c.row}`] = `The key ${c.hotkey} is taken by a command; see ?`;
  }
  for (const a of draft.attributes) {
    const values = valuesOf(a);
    if (!/^[a-z][a-z0-9_]{0,57}$/.test(a.name))
      problems[`attribute ${a.row}`] = "A name is lower-case letters, digits and _, starting with a letter.";
    else if (draft.attributes.some((other) => other !== a && other.name === a.name))
      problems[`attribute ${a.row}`] = `There are two attributes named ${a.name}.`;
    else if (a.kind === "enum" && values.length === 0)
      problems[`attribute ${a.row}`] = "Give at least one value, with commas between.";
    else if (
      a.kind === "number" &&
      [a.minimum, a.maximum].some((text) => text.trim() !== "" && !Number.isFinite(Number(text)))
    )
      problems[`attribute ${a.row}`] = "The bounds of a number are numbers.";
  }
  return problems;
}

const takenKey = (key: string) =>
  SCOPES.some((scope) => commandFor(key.toLowerCase(), scope, prefs.keys) !== undefined);

export const valuesOf = ({ values }: AttributeDraft): string[] => [
  ...new Set(
    values
      .split(/[,\n]/)
      .map((value) => value.trim())
      .filter(Boolean),
  ),
];

/** What the server is asked for. */
export function bodyOf(draft: ProjectDraft): Record<string, unknown> {
  const bound = (text: string) => (text.trim() === "" ? null : Number(text));
  const renamed = draft.classes
    .filter((c) => c.was !== null && c.was !== c.name.trim())
    .map((c) => [c.was, c.name.trim()]);
  const moved = draft.moved.map(({ name, to }) => [name, to]);
  const columns = draft.attributes.filter((a) => a.was !== null && a.was !== a.name).map((a) => [a.was, a.name]);
  const mapping = {
    ...(renamed.length + moved.length > 0 ? { classes: Object.fromEntries([...renamed, ...moved]) } : {}),
    ...(columns.length > 0 ? { attributes: Object.fromEntries(columns) } : {}),
  };
  return {
    title: draft.title.trim(),
    scenes: draft.scenes,
    classes: draft.classes.map((c) => ({
      name: c.name.trim(),
      color: c.color,
      hotkey: c.hotkey || null,
      parent: c.parent || null,
      geometries: KINDS.filter((kind) => c.geometries.includes(kind)),
      description: c.description.trim(),
    })),
    attributes: draft.attributes.map((a) => ({
      name: a.name,
      title: a.title.trim(),
      kind: a.kind,
      required: a.required,
      classes: a.classes,
      ...(a.kind === "enum" ? { values: valuesOf(a) } : {}),
      ...(a.kind === "number" ? { minimum: bound(a.minimum), maximum: bound(a.maximum) } : {}),
    })),
    guidelines: draft.guidelines,
    ...(Object.keys(mapping).length > 0 ? { mapping } : {}),
  };
}
