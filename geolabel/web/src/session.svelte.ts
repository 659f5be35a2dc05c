/** One project on the screen: its labels, what is selected, the tool in hand, and what it hears of others. */
import * as api from "./api";
import { Amount } from "./editor/amount.svelte";
import { type Draft, isDrawing, KIND_OF, type Tool } from "./editor/draft";
import { Edits } from "./editor/edits.svelte";
import { boundsOf, type Path, unite, unrolled } from "./editor/geometry";
import { Hand } from "./editor/hand.svelte";
import { Work } from "./editor/work.svelte";
import { Palette } from "./palette.svelte";
import { Desk } from "./sync/desk.svelte";
import { follow } from "./sync/feed";
import type { Edit, Label, Labels, LiveLabel } from "./sync/labels";
import { LabelLoader } from "./sync/loader";
import { Others } from "./sync/others";
import { People } from "./sync/people.svelte";
import { saving } from "./sync/saving.svelte";
import type { Bounds, Geometry, Job, Project, Scene } from "./types";

export interface Toast {
  text: string;
  undo: boolean;
}

export type { Edit, LiveLabel };

const TOAST_MS = 6000;

export class Session {
  readonly items: api.Items;
  readonly desk: Desk;
  readonly labels: Labels;
  readonly loader: LabelLoader;
  readonly people: People;
  readonly others: Others;
  readonly #unfollow: () => void;
  readonly palette: Palette;
  readonly edits = new Edits(this);
  readonly hand = new Hand(this);
  readonly work = new Work(this);
  readonly amount = new Amount(this);

  project: Project = $state.raw() as Project;
  /** The scene in hand: on top of the others, and where new labels belong. */
  scene = $state<string | null>(null);
  /** The export that was last asked for. */
  exported = $state.raw<Job | null>(null);
  tool = $state<Tool>("select");
  className = $state("");
  selection = $state.raw<number[]>([]);
  vertex = $state.raw<Path | null>(null);
  /** What a drag would make of the selected labels. */
  preview = $state.raw<ReadonlyMap<number, Geometry> | null>(null);
  draft = $state.raw<Draft | null>(null);
  /** What was measured last, until another tool is taken in hand. */
  measured = $state.raw<Draft | null>(null);
  toast = $state.raw<Toast | null>(null);
  /** Grows with every change of the labels. */
  revision = $state(0);
  /** Grows when all that is shown must be read again. */
  reloads = $state(0);
  #toastTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    project: Project,
    readonly scenes: Scene[],
    /** Where the labels lie of a project that has no scene. */
    readonly extent: Bounds | null = null,
  ) {
    this.project = project;
    this.palette = new Palette(this);
    this.className = project.classes[0]?.name ?? "";
    this.scene = scenes[0]?.id ?? null;
    const [w, , e] = unrolled(scenes[0]?.bounds ?? extent ?? [0, 0, 0, 0]);
    this.desk = new Desk(
      project.id,
      (w + e) / 2,
      () => {
        this.vertex = null;
      },
      (before, after) => this.palette.count(before, after),
      () => void this.palette.recount(),
    );
    this.labels = this.desk.labels;
    this.items = new api.Items(project.id);
    this.loader = new LabelLoader(this.items, this.labels);
    this.people = new People(project.id);
    this.others = new Others({
      labels: this.labels,
      busy: () => this.preview !== null || this.desk.sending,
      counted: (name, by) => this.palette.heard(name, by),
      reload: () => void this.#reload(),
    });
    this.#unfollow = follow(project.id, {
      changes: (told) => this.others.hear(told),
      reset: () => void this.#reload(),
      project: () => void this.#renew(),
      people: (people) => this.people.hear(people),
    });
    this.labels.locks = (content) => this.palette.locked.has(content.class);
    this.labels.onLocked = ({ class: name }) => this.say(`${name} is locked. Its lock, or Alt+L, opens it.`);
    this.labels.listen(() => {
      this.revision += 1;
      const there = this.selection.filter((key) => this.labels.get(key)?.content);
      if (there.length !== this.selection.length) this.select(there);
    });
  }

  /** Has it a place there, and so map tiles? */
  get onEarth(): boolean {
    return this.extent !== null || this.scenes.some(({ bounds }) => bounds !== null);
  }

  /** Labels came by another way than this page: count and load anew. */
  async refresh(): Promise<void> {
    this.project = await api.project(this.project.id);
    await this.palette.recount(this.project);
    this.loader.reset();
  }

  /** The selected labels, as the user sees them. */
  selected(): LiveLabel[] {
    return this.selection.map((key) => this.labels.get(key)).filter((label): label is LiveLabel => !!label?.content);
  }

  /** Labels on screen in order of key, the hidden classes left out. */
  visible(): LiveLabel[] {
    return this.labels.all().filter((label) => !this.palette.hidden.has(label.content.class));
  }

  /** Of those, what may be picked and changed. */
  open(): LiveLabel[] {
    return this.visible().filter((label) => !this.palette.locked.has(label.content.class));
  }

  bounds(): Bounds | null {
    return unite(this.selected().map((label) => boundsOf(label.content.geometry)));
  }

  /** Much has changed elsewhere: what is shown is read again, and the numbers beside the classes. */
  async #reload(): Promise<void> {
    this.loader.reset();
    this.reloads += 1;
    await this.palette.recount();
  }

  /** Somebody has changed the classes, the guidelines or the like. */
  async #renew(): Promise<void> {
    const now = await api.project(this.project.id).catch(() => null); // the next change brings it
    if (!now) return;
    const before = this.project;
    this.project = now;
    if (!this.palette.named(this.className)) this.className = now.classes[0]?.name ?? "";
    if (now.scenes.join() !== before.scenes.join()) {
      this.say("This project has other scenes now. Load the page again to see them.");
    } else if (JSON.stringify(now.classes) !== JSON.stringify(before.classes)) {
      this.say("Somebody has changed the classes.");
    }
  }

  /** "Building #1101", or "Building" until the server has given a number. */
  nameOf(label: Label): string {
    const name = (label.content ?? label.saved)?.class ?? "Label";
    return label.id === null ? name : `${name} #${label.id}`;
  }

  /** Read labels that are not known here, by id. */
  async learn(ids: number[]): Promise<void> {
    const found = await Promise.allSettled(ids.map((id) => this.items.one(id)));
    this.labels.take(found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
  }

  // Selection, tools and classes

  select(keys: number[]): void {
    if (keys.length !== this.selection.length || keys.some((key, i) => key !== this.selection[i])) this.hand.end();
    this.amount.end();
    this.vertex = null;
    this.preview = null;
    this.selection = keys;
  }

  /** A click: the topmost label, or the one below when that is selected already. */
  pick(keys: number[], add: boolean): void {
    const [top] = keys;
    if (top === undefined) {
      if (!add) this.select([]);
      return;
    }
    if (add) {
      const on = this.selection.includes(top);
      this.select(on ? this.selection.filter((key) => key !== top) : [...this.selection, top]);
      return;
    }
    const [only, more] = this.selection;
    const at = only === undefined || more !== undefined ? -1 : keys.indexOf(only);
    const next = keys[(at + 1) % keys.length];
    if (next !== undefined) this.select([next]);
  }

  /** Pick a class: of what is drawn next, of the draft, and of the selection. */
  pickClass(name: string): void {
    const kind = isDrawing(this.tool) ? KIND_OF[this.tool] : null;
    if (kind && this.palette.named(name)?.geometries.includes(kind) === false) {
      return this.say(`${name} is not drawn as a ${kind}. ${this.className} stays picked.`);
    }
    this.className = name;
    if (this.tool === "select" && this.selection.length > 0) this.edits.setClass(name);
  }

  pickTool(tool: Tool): void {
    this.hand.end();
    this.measured = null;
    if (isDrawing(tool)) {
      const allowed = this.palette.named(this.className)?.geometries ?? [];
      const kind = KIND_OF[tool];
      if (!allowed.includes(kind)) {
        const other = this.project.classes.find((c) => c.geometries.includes(kind));
        if (!other) {
          return this.say(
            this.project.classes.length > 0
              ? `No class of this project is drawn as a ${kind}.`
              : "This project has no classes yet: there is nothing to draw.",
          );
        }
        this.say(`${this.className} is not drawn as a ${kind}. Picked ${other.name}.`);
        this.className = other.name;
      }
      this.select([]);
    }
    this.tool = tool;
  }

  /** Let go of the selected labels of a class. */
  release(name: string): void {
    this.select(
      this.selected()
        .filter((label) => label.content.class !== name)
        .map((label) => label.key),
    );
  }

  /** Labels by class that wait to be saved. */
  get waiting(): Readonly<Record<string, number>> {
    return this.desk.more;
  }

  say(text: string, undo = false): void {
    clearTimeout(this.#toastTimer);
    this.toast = { text, undo };
    this.#toastTimer = setTimeout(() => {
      this.toast = null;
    }, TOAST_MS);
  }

  /** Changes that the server does not have. */
  get unsaved(): number {
    return saving.entries.filter((entry) => entry.project === this.project.id).length;
  }

  stop(): void {
    clearTimeout(this.#toastTimer);
    this.#unfollow();
    this.people.stop();
    this.others.stop();
    this.palette.close();
    this.desk.close();
  }
}
