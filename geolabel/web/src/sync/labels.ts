/** The labels that this page knows: what the server has, and over it what waits to be saved. */
import { boundsOf, within } from "../editor/geometry";
import type { Bounds, LabelFeature, LabelProperties } from "../types";
import { Changes } from "./changes";
import { type Content, contentOf, sameContent } from "./content";
import type { Change, Result } from "./entry";

export type { Content };

/** A change of one label, as a tool asks for it. */
export interface Edit {
  /** Which label; for one that is drawn, `labels.newKey()`. */
  readonly key: number;
  /** What it is to be; null deletes it. */
  readonly after: Content | null;
}

/** A change of one label, as it was made. */
export interface Step extends Edit {
  readonly before: Content | null;
}

/** Replaced, never altered in place, so that who holds one sees no change. */
export interface Label {
  /** Names the label in this page, from before it has an id; equal to the id of a label that came from the server. */
  readonly key: number;
  /** Given by the server; null until the first save. */
  readonly id: number | null;
  /** Of the server's state; 0 when it is not known. */
  readonly version: number;
  /** What the user sees: what waits to be saved, else what the server has. Null when deleted. */
  readonly content: Content | null;
  /** What the server has; null when there is nothing, or it is deleted. */
  readonly saved: Content | null;
  /** The other properties, as last served. */
  readonly info: LabelProperties | null;
}

export type LiveLabel = Label & { readonly content: Content };

/** Boxes of labels as they were before a change, by id; null where it is not known. */
export type Before = ReadonlyMap<number, Bounds | null>;

const boxOf = (content: Content | null | undefined): Bounds | null => (content ? boundsOf(content.geometry) : null);

const isLive = (label: Label): label is LiveLabel => label.content !== null;

export class Labels {
  readonly #byKey = new Map<number, Label>();
  readonly #keyOfId = new Map<number, number>();
  readonly #listeners = new Set<() => void>();
  #pending: ReadonlyMap<number, Change> = new Map();
  readonly #changes = new Changes();
  /** Keeps what was committed; set by who owns the labels. */
  onCommit: (name: string, steps: Step[]) => void = () => {};
  /** Is a label not to be changed for now? */
  locks: (content: Content) => boolean = () => false;
  /** Hears of an edit that was not made, as it concerns such a label. */
  onLocked: (content: Content) => void = () => {};
  /** When a write of a label was last answered, in writes. */
  readonly #written = new Map<number, number>();
  #writes = 0;

  /** @param home longitude that the labels lie about. */
  constructor(readonly home = 0) {}

  /** Grows with every write that the server answered. */
  get writes(): number {
    return this.#writes;
  }

  contentOf(feature: LabelFeature): Content {
    return contentOf(feature, this.home);
  }

  /** Called after every change. Returns the way to stop it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  get(key: number): Label | undefined {
    return this.#byKey.get(key);
  }

  /** The key of a label of the server, as far as this page knows it. */
  keyOf(id: number): number | undefined {
    return this.#keyOfId.get(id);
  }

  /** Labels that are there for the user, in order of key. */
  all(): LiveLabel[] {
    return [...this.#byKey.values()].filter(isLive);
  }

  /** Labels that came to be something else while this page was open, by whomever; deleted ones, too. */
  changed(): Label[] {
    return this.#changes.keys.map((key) => this.#byKey.get(key)).filter((label) => label !== undefined);
  }

  /** A moment, for `settled`. */
  get moment(): number {
    return this.#changes.moment;
  }

  /** The boxes of what has changed and is saved, as it was and as it is; null when nobody knows all of them. */
  touched(): Bounds[] | null {
    return this.#changes.boxes((key) => !this.waits(key));
  }

  /** Is there a change that is saved, and that whatever shows labels from elsewhere may not have? */
  get unsettled(): boolean {
    return this.#changes.keys.some((key) => !this.waits(key));
  }

  /** Whatever shows labels from elsewhere has those of a moment now: what changed before is not different any more. */
  settled(moment: number): void {
    this.#changes.settle(moment, (key) => !this.waits(key));
    this.#tell();
  }

  /** @param before where it was; undefined when nobody knows. */
  #note(key: number, ...before: (Bounds | null | undefined)[]): void {
    this.#changes.note(key, ...before, boxOf(this.#byKey.get(key)?.content));
  }

  /** A key for a label that is about to be drawn: negative, so that it never meets an id, and no other tab's. */
  newKey(): number {
    const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
    return -1 - ((high & 0xfffff) * 2 ** 32 + low);
  }

  /**
   * The one way to change labels: the edits are shown at once, saved together (all of them or none), and undone together.
   *
   * @param edits one for each label; those that change nothing are left out.
   * @param name what was done, as the undo button says it: "Move vertex".
   */
  commit(edits: Edit[], name: string): void {
    const steps = edits
      .map(({ key, after }) => ({ key, before: this.get(key)?.content ?? null, after }))
      .filter(({ before, after }) => !sameContent(before, after));
    const locked = steps.find(({ before }) => before && this.locks(before))?.before;
    if (locked) this.onLocked(locked);
    else if (steps.length > 0) this.onCommit(name, steps);
  }

  /** Does the label have changes that the server does not have? */
  waits(key: number): boolean {
    return this.#pending.has(key);
  }

  /** Show what waits to be saved over what the server has. */
  setPending(pending: ReadonlyMap<number, Change>): void {
    const here = new Map([...pending.values()].map((change) => [this.#keyHere(change.key, change.id), change]));
    const before = this.#pending;
    this.#pending = here;
    let changed = false;
    for (const [key, change] of here) {
      if (before.get(key)?.after === change.after && this.#byKey.has(key)) continue;
      const { id, version, before: saved, after: content } = change;
      const known = this.#byKey.get(key);
      this.#byKey.set(key, known ? { ...known, content } : { key, id, version, saved, info: null, content });
      if (id !== null) this.#keyOfId.set(id, key);
      this.#note(key, boxOf(known ? known.content : saved));
      changed = true;
    }
    for (const key of before.keys()) {
      const label = this.#byKey.get(key);
      if (here.has(key) || !label) continue;
      if (label.id === null) this.#byKey.delete(key);
      else this.#byKey.set(key, { ...label, content: label.saved });
      this.#note(key, boxOf(label.content));
      changed = true;
    }
    if (changed) this.#tell();
  }

  #keyHere(key: number, id: number | null): number {
    return this.#byKey.has(key) || id === null ? key : (this.#keyOfId.get(id) ?? key);
  }

  /** Take what the server made of changes. */
  adopt(results: Result[]): void {
    for (const { key: there, id, version, feature } of results) {
      const key = this.#keyHere(there, id);
      const other = this.#keyOfId.get(id);
      if (other !== undefined && other !== key) this.#byKey.delete(other); // it was heard of before the answer came
      this.#writes += 1;
      this.#written.set(key, this.#writes);
      this.#keyOfId.set(id, key);
      const saved = feature ? this.contentOf(feature) : null;
      const label = this.#byKey.get(key);
      this.#byKey.set(key, {
        key,
        id,
        version,
        saved,
        info: feature?.properties ?? label?.info ?? null,
        content: this.#pending.get(key)?.after ?? saved,
      });
      this.#note(key, boxOf(label?.content ?? label?.saved));
    }
    this.#tell();
  }

  /**
   * Take what the server has of labels, where it is newer than what is known.
   *
   * @param news when they have just changed: where those were that were there before.
   */
  take(features: LabelFeature[], news?: Before): void {
    for (const feature of features) {
      const was = this.#byKey.get(this.#keyOfId.get(feature.id) ?? feature.id);
      const key = this.#take(feature);
      if (news) this.#note(key, was ? boxOf(was.content) : this.#told(feature.id, news));
    }
    this.#tell();
  }

  /** Where somebody says that a label was: null when it was not there, undefined when they do not know. */
  #told(id: number, news: Before): Bounds | null | undefined {
    return news.has(id) ? (news.get(id) ?? undefined) : null;
  }

  #take(feature: LabelFeature): number {
    const key = this.#keyOfId.get(feature.id) ?? feature.id;
    const known = this.#byKey.get(key);
    const { version } = feature.properties;
    if (known && known.version >= version) return key;
    const saved = this.contentOf(feature);
    const waiting = this.#pending.get(key);
    this.#keyOfId.set(feature.id, key);
    this.#byKey.set(key, {
      key,
      id: feature.id,
      version,
      saved,
      info: feature.properties,
      content: waiting ? waiting.after : saved,
    });
    return key;
  }

  /**
   * Somebody deleted labels, with the version of the delete.
   *
   * @param news where they were.
   */
  gone(deleted: { id: number; version: number }[], news: Before): void {
    for (const { id, version } of deleted) {
      const key = this.#keyOfId.get(id) ?? id;
      const label = this.#byKey.get(key);
      if (label && label.version >= version) continue;
      const content = this.#pending.get(key)?.after ?? null;
      this.#keyOfId.set(id, key);
      this.#byKey.set(key, { info: null, ...label, key, id, version, saved: null, content });
      this.#note(key, label ? boxOf(label.content) : (news.get(id) ?? undefined));
    }
    this.#tell();
  }

  /**
   * Take what the server has in a box.
   *
   * @param bounds of the box; labels known to lie in it that did not come are gone.
   * @param whole false when there was more than came.
   * @param asked how many writes were answered when the server was asked: it may not have known of later ones.
   */
  load(features: LabelFeature[], bounds: Bounds, whole: boolean, asked = this.#writes): void {
    const seen = new Set(features.map((feature) => this.#take(feature)));
    if (whole) {
      for (const [key, { content, id }] of this.#byKey) {
        if (content === null || id === null || seen.has(key) || this.waits(key)) continue;
        if ((this.#written.get(key) ?? 0) > asked) continue;
        if (within(boundsOf(content.geometry), bounds)) this.#byKey.delete(key);
      }
    }
    this.#tell();
  }

  /** Forget labels that are not looked at any more; what was changed while the page was open stays. */
  forget(away: (label: LiveLabel) => boolean): void {
    for (const label of this.all()) {
      if (!this.waits(label.key) && !this.#changes.has(label.key) && !this.#written.has(label.key) && away(label))
        this.#byKey.delete(label.key);
    }
    this.#tell();
  }
}
