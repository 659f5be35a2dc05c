/** The labels that this page knows: what the user sees beside what the server has. */
import { boundsOf, within } from "../editor/geometry";
import type { Bounds, LabelFeature, LabelProperties } from "../types";
import { type Content, contentOf, sameContent } from "./content";

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
  /** What the user sees; null when deleted. */
  readonly content: Content | null;
  /** What the server has; null when there is nothing, or it is deleted. */
  readonly saved: Content | null;
  /** The other properties, as last served. */
  readonly info: LabelProperties | null;
}

export class Labels {
  readonly #byKey = new Map<number, Label>();
  readonly #keyOfId = new Map<number, number>();
  readonly #listeners = new Set<() => void>();
  /** Keeps what was committed; set by who owns the labels. */
  onCommit: (name: string, steps: Step[]) => void = () => {};
  /** When a write of a label was last answered, in writes. */
  readonly #written = new Map<number, number>();
  #writes = 0;

  /** @param home longitude that the labels lie about. */
  constructor(readonly home = 0) {}

  /** Grows with every write that the server answered. */
  get writes(): number {
    return this.#writes;
  }

  #wrote(key: number): void {
    this.#writes += 1;
    this.#written.set(key, this.#writes);
  }

  contentOf(feature: LabelFeature): Content {
    return contentOf(feature, this.home);
  }

  /** Called after every change. Returns the way to stop it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  get(key: number): Label | undefined {
    return this.#byKey.get(key);
  }

  /** Labels that are there for the user, in order of key. */
  all(): (Label & { content: Content })[] {
    return [...this.#byKey.values()].filter((label): label is Label & { content: Content } => label.content !== null);
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
    if (steps.length === 0) return;
    for (const { key, after } of steps) this.show(key, after);
    this.onCommit(name, steps);
  }

  #put(key: number, change: Partial<Label>): void {
    const label = this.#byKey.get(key);
    if (label) this.#byKey.set(key, { ...label, ...change });
    this.changed();
  }

  /** Show a state; the label is made when it is new. Does not save. */
  show(key: number, content: Content | null): void {
    if (!this.#byKey.has(key)) this.#byKey.set(key, { key, id: null, version: 0, content, saved: null, info: null });
    this.#put(key, { content });
  }

  /** Take what a write gave back. What the user sees follows unless a newer change waits. */
  adopt(key: number, feature: LabelFeature, version: number, follow: boolean): void {
    const saved = this.contentOf(feature);
    this.#wrote(key);
    this.#keyOfId.set(feature.id, key);
    this.#put(key, {
      id: feature.id,
      version,
      saved,
      info: feature.properties,
      ...(follow ? { content: saved } : {}),
    });
  }

  /** Know what the server has, and leave what the user sees: null when someone deleted it. */
  acknowledge(key: number, current: LabelFeature | null): void {
    if (!current) return this.gone(key, 0);
    this.#put(key, { saved: this.contentOf(current), version: current.properties.version, info: current.properties });
  }

  /** The server deleted it, with the version of the delete. */
  gone(key: number, version: number): void {
    this.#wrote(key);
    this.#put(key, { version, saved: null });
  }

  /** A label that never was. */
  forget(key: number): void {
    this.#byKey.delete(key);
    this.changed();
  }

  /**
   * Take what the server has in a box.
   *
   * @param bounds of the box; labels known to lie in it that did not come are gone.
   * @param whole false when there was more than came.
   * @param busy tells which labels have changes under way: those are left alone.
   * @param asked how many writes were answered when the server was asked: it may not have known of later ones.
   */
  load(
    features: LabelFeature[],
    bounds: Bounds,
    whole: boolean,
    busy: (key: number) => boolean,
    asked = this.#writes,
  ): void {
    const seen = new Set<number>();
    for (const feature of features) {
      const key = this.#keyOfId.get(feature.id) ?? feature.id;
      seen.add(key);
      const known = this.#byKey.get(key);
      if (known && (busy(key) || known.version >= feature.properties.version)) continue;
      const content = this.contentOf(feature);
      this.#keyOfId.set(feature.id, key);
      this.#byKey.set(key, {
        key,
        id: feature.id,
        version: feature.properties.version,
        content,
        saved: content,
        info: feature.properties,
      });
    }
    if (whole) {
      for (const [key, label] of this.#byKey) {
        if (label.content === null || label.id === null || seen.has(key) || busy(key)) continue;
        if ((this.#written.get(key) ?? 0) > asked) continue;
        if (within(boundsOf(label.content.geometry), bounds)) this.#byKey.delete(key);
      }
    }
    this.changed();
  }
}
