/** One project on the screen: its labels, what is selected, and every edit, which goes to the map, the history and the queue. */
import * as api from "./api";
import { Amount } from "./editor/amount.svelte";
import { type Draft, isDrawing, KIND_OF, type Tool } from "./editor/draft";
import { boundsOf, type Path, unite, unrolled } from "./editor/geometry";
import { Hand } from "./editor/hand.svelte";
import { Work } from "./editor/work.svelte";
import { inSentence, plural } from "./format";
import { hatchedOf } from "./hatch";
import { fitting, isFor, titleOf } from "./schema";
import type { Content } from "./sync/content";
import { Desk, type Retraced, tally } from "./sync/desk.svelte";
import { follow } from "./sync/feed";
import type { Edit, Label, Labels, LiveLabel } from "./sync/labels";
import { LabelLoader } from "./sync/loader";
import { Others } from "./sync/others";
import { People } from "./sync/people.svelte";
import { saving } from "./sync/saving.svelte";
import type { Attribute, Attributes, AttributeValue, Bounds, Geometry, Job, LabelClass, Project, Scene } from "./types";

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
  /** What labels that are drawn next carry: what was last entered. */
  nextAttributes = $state.raw<Attributes>({});
  selection = $state.raw<number[]>([]);
  vertex = $state.raw<Path | null>(null);
  /** What a drag would make of the selected labels. */
  preview = $state.raw<ReadonlyMap<number, Geometry> | null>(null);
  draft = $state.raw<Draft | null>(null);
  /** What was measured last, until another tool is taken in hand. */
  measured = $state.raw<Draft | null>(null);
  hidden = $state.raw<ReadonlySet<string>>(new Set());
  /** Classes whose labels cannot be picked or changed. */
  locked = $state.raw<ReadonlySet<string>>(new Set());
  toast = $state.raw<Toast | null>(null);
  /** Grows with every change of the labels. */
  revision = $state(0);
  /** Grows when all that is shown must be read again. */
  reloads = $state(0);
  readonly #hatched = $derived(hatchedOf(this.project.classes));
  #counts = $state.raw<Record<string, number>>({});
  #toastTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    project: Project,
    readonly scenes: Scene[],
  ) {
    this.project = project;
    this.#counts = { ...project.counts };
    this.className = project.classes[0]?.name ?? "";
    this.scene = scenes[0]?.id ?? null;
    const [w, , e] = unrolled(scenes[0]?.bounds ?? [0, 0, 0, 0]);
    this.desk = new Desk(
      project.id,
      (w + e) / 2,
      () => {
        this.vertex = null;
      },
      (before, after) => this.#count(before, after),
      () => void this.#recount(),
    );
    this.labels = this.desk.labels;
    this.items = new api.Items(project.id);
    this.loader = new LabelLoader(this.items, this.labels);
    this.people = new People(project.id);
    this.others = new Others({
      labels: this.labels,
      busy: () => this.preview !== null || this.desk.sending,
      counted: (name, by) => this.#tally({ [name]: by }),
      reload: () => void this.#reload(),
    });
    this.#unfollow = follow(project.id, {
      changes: (told) => this.others.hear(told),
      reset: () => void this.#reload(),
      project: () => void this.#renew(),
      people: (people) => this.people.hear(people),
    });
    this.labels.locks = (content) => this.locked.has(content.class);
    this.labels.onLocked = ({ class: name }) => this.say(`${name} is locked. Its lock, or Alt+L, opens it.`);
    this.labels.listen(() => {
      this.revision += 1;
      const there = this.selection.filter((key) => this.labels.get(key)?.content);
      if (there.length !== this.selection.length) this.select(there);
    });
  }

  /** Labels by class, with what waits to be saved. */
  get counts(): Record<string, number> {
    const counts = { ...this.#counts };
    for (const [name, by] of Object.entries(this.desk.more)) counts[name] = Math.max(0, (counts[name] ?? 0) + by);
    return counts;
  }

  /** Labels came by another way than this page: count and load anew. */
  async refresh(): Promise<void> {
    this.project = await api.project(this.project.id);
    this.#counts = { ...this.project.counts };
    this.loader.reset();
  }

  get total(): number {
    return Object.values(this.#counts).reduce((sum, n) => sum + n, 0);
  }

  classNamed(name: string): LabelClass | undefined {
    return this.project.classes.find((c) => c.name === name);
  }

  colorOf(name: string): string {
    return this.classNamed(name)?.color ?? "#9098a3";
  }

  /** Is another class drawn in its colour, so that it has a hatch? */
  isHatched(name: string): boolean {
    return this.#hatched.has(name);
  }

  /** The selected labels, as the user sees them. */
  selected(): LiveLabel[] {
    return this.selection.map((key) => this.labels.get(key)).filter((label): label is LiveLabel => !!label?.content);
  }

  /** Labels on screen in order of key, the hidden classes left out. */
  visible(): LiveLabel[] {
    return this.labels.all().filter((label) => !this.hidden.has(label.content.class));
  }

  /** Of those, what may be picked and changed. */
  open(): LiveLabel[] {
    return this.visible().filter((label) => !this.locked.has(label.content.class));
  }

  bounds(): Bounds | null {
    return unite(this.selected().map((label) => boundsOf(label.content.geometry)));
  }

  // Edits

  /** What the server has of a label became another. */
  #count(before: Content | null, after: Content | null): void {
    const more: Record<string, number> = {};
    tally(more, before, after);
    this.#tally(more);
  }

  #tally(more: Record<string, number>): void {
    const counts = { ...this.#counts };
    for (const [name, by] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + by;
    this.#counts = counts;
  }

  /** Much has changed elsewhere: what is shown is read again, and the numbers beside the classes. */
  async #reload(): Promise<void> {
    this.loader.reset();
    this.reloads += 1;
    await this.#recount();
  }

  async #recount(): Promise<void> {
    try {
      this.#counts = { ...(await api.project(this.project.id)).counts };
    } catch {
      // the numbers come right with the next change
    }
  }

  /** Somebody has changed the classes, the guidelines or the like. */
  async #renew(): Promise<void> {
    const now = await api.project(this.project.id).catch(() => null); // the next change brings it
    if (!now) return;
    const before = this.project;
    this.project = now;
    if (!this.classNamed(this.className)) this.className = now.classes[0]?.name ?? "";
    if (now.scenes.join() !== before.scenes.join()) {
      this.say("This project has other scenes now. Load the page again to see them.");
    } else if (JSON.stringify(now.classes) !== JSON.stringify(before.classes)) {
      this.say("Somebody has changed the classes.");
    }
  }

  undo(): void {
    this.#follow(this.desk.undo(), "Undone");
  }

  redo(): void {
    this.#follow(this.desk.redo(), "Done again");
  }

  #follow(retraced: Retraced | null, done: string): void {
    if (!retraced) return;
    const { name, edits, kept } = retraced;
    const there = edits.filter((edit) => edit.after).map((edit) => edit.key);
    // Neighbours that changed with what is selected need no eye of their own.
    const enough = this.selection.length > 0 && this.selection.every((key) => there.includes(key));
    if (this.tool === "select" && !enough) this.select(there);
    const since = `${plural(kept.length, "label stays", "labels stay")} as somebody else has changed it since`;
    if (edits.length === 0) this.say(`Nothing to undo: ${since}.`);
    else this.say(`${done}: ${inSentence(name)}${kept.length > 0 ? `; ${since}` : ""}.`);
  }

  /**
   * A shape was drawn: it is a label of the picked class.
   *
   * @param neighbours what its neighbours become, where it lies on their edges.
   */
  add(geometry: Geometry, scene: string | null, neighbours: ReadonlyMap<number, Geometry> = new Map()): void {
    const attributes = { ...fitting(this.project.attributes, this.className, this.nextAttributes), scene };
    const after: Content = { geometry, class: this.className, note: null, attributes };
    this.reveal(this.className);
    const edits = [{ key: this.labels.newKey(), after }, ...this.#reshaped(neighbours)];
    this.labels.commit(edits, `Draw ${this.className}`);
  }

  reshape(title: string, geometries: ReadonlyMap<number, Geometry>): void {
    this.labels.commit(this.#reshaped(geometries), title);
  }

  #reshaped(geometries: ReadonlyMap<number, Geometry>): Edit[] {
    return [...geometries].flatMap(([key, geometry]) => {
      const content = this.labels.get(key)?.content;
      return content ? [{ key, after: { ...content, geometry } }] : [];
    });
  }

  setClass(name: string): void {
    this.reveal(name);
    const edits = this.selected()
      .filter((label) => label.content.class !== name)
      .map(({ key, content }) => ({
        key,
        after: { ...content, class: name, attributes: fitting(this.project.attributes, name, content.attributes) },
      }));
    this.labels.commit(edits, edits.length > 1 ? `Change class of ${edits.length} labels` : "Change class");
  }

  /** Give an attribute a value: of the selected labels that carry it, and of those that are drawn next. */
  setAttribute(attribute: Attribute, value: AttributeValue): void {
    const { name } = attribute;
    this.nextAttributes = { ...this.nextAttributes, [name]: value };
    const edits = this.selected()
      .filter(({ content }) => isFor(attribute, content.class))
      .map(({ key, content }) => ({
        key,
        after: { ...content, attributes: { ...content.attributes, [name]: value } },
      }));
    this.labels.commit(edits, `Change ${titleOf(attribute)}${edits.length > 1 ? ` of ${edits.length} labels` : ""}`);
  }

  setNote(key: number, text: string): void {
    const content = this.labels.get(key)?.content;
    const note = text.trim() === "" ? null : text;
    if (content) this.labels.commit([{ key, after: { ...content, note } }], "Change note");
  }

  restore(key: number, content: Content): void {
    this.labels.commit([{ key, after: content }], "Restore version");
  }

  remove(): void {
    const gone = this.selected();
    if (gone.length === 0) return;
    const [first] = gone;
    const title = gone.length > 1 ? `Delete ${gone.length} labels` : "Delete label";
    this.labels.commit(
      gone.map(({ key }) => ({ key, after: null })),
      title,
    );
    this.select([]);
    this.say(
      gone.length > 1 ? `${gone.length} labels deleted.` : `${first ? this.nameOf(first) : "Label"} deleted.`,
      true,
    );
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
    if (kind && this.classNamed(name)?.geometries.includes(kind) === false) {
      return this.say(`${name} is not drawn as a ${kind}. ${this.className} stays picked.`);
    }
    this.className = name;
    if (this.tool === "select" && this.selection.length > 0) this.setClass(name);
  }

  pickTool(tool: Tool): void {
    this.hand.end();
    this.measured = null;
    if (isDrawing(tool)) {
      const allowed = this.classNamed(this.className)?.geometries ?? [];
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

  /** What is drawn or made of a hidden class would vanish under the hand: show it. */
  reveal(name: string): void {
    if (this.hidden.has(name)) this.toggleClass(name);
  }

  toggleClass(name: string): void {
    const next = new Set(this.hidden);
    if (!next.delete(name)) next.add(name);
    this.hidden = next;
    this.select(
      this.selected()
        .filter((label) => !next.has(label.content.class))
        .map((label) => label.key),
    );
  }

  /** Keep the labels of a class as they are, or no more: they are seen, and snapped to. */
  toggleLock(name: string): void {
    const next = new Set(this.locked);
    if (!next.delete(name)) next.add(name);
    this.locked = next;
    this.select(
      this.selected()
        .filter((label) => !next.has(label.content.class))
        .map((label) => label.key),
    );
    this.say(next.has(name) ? `${name} is locked: its labels cannot be picked or changed.` : `${name} is open again.`);
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
    this.desk.close();
  }
}
