/** Exact operations on labels: the server works them out on the stored doubles, and the answer is one edit. */
import { type OperationBody, type OperationName, Unreachable } from "../api";
import { count, inSentence, plural } from "../format";
import type { Edit, LiveLabel, Session } from "../session.svelte";
import type { Geometry, OperationAnswer } from "../types";
import type { Kind } from "./amount.svelte";
import { boundsOf, within } from "./geometry";
import type { Warning } from "./warnings";

const SAVE_MS = 8000;

interface Asked {
  operation: OperationName;
  /** As the undo button says it. */
  title: string;
  subjects: LiveLabel[];
  more?: Partial<OperationBody>;
  /** What became of it, as a sentence. */
  says: (answer: OperationAnswer) => string;
}

export class Work {
  /** What the server is working on; null for nothing. */
  doing = $state<string | null>(null);

  constructor(private readonly session: Session) {}

  split(line: Geometry): Promise<void> {
    const selected = this.session.selected();
    const subjects = selected.length > 0 ? selected : this.#met(line);
    return this.#run({
      operation: "split",
      title: "Split",
      subjects,
      more: { geometry: line },
      says: ({ features }) => `Split into ${features.length} labels.`,
    });
  }

  cutHole(hole: Geometry): Promise<void> {
    const selected = this.session.selected();
    const subjects = selected.length > 0 ? selected : this.#met(hole).filter((label) => holds(label, hole));
    return this.#run({
      operation: "subtract",
      title: "Cut a hole",
      subjects,
      more: { geometry: hole },
      says: () => "Hole cut.",
    });
  }

  merge(): Promise<void> {
    const subjects = this.session.selected();
    if (subjects.length < 2) {
      this.session.say("Select two labels or more to merge them: Shift adds to the selection.");
      return Promise.resolve();
    }
    return this.#run({
      operation: "merge",
      title: `Merge ${subjects.length} labels`,
      subjects,
      says: () => `${subjects.length} labels merged.`,
    });
  }

  /** The first of the selected labels with the others; one alone with the labels that it meets. */
  withNeighbours(operation: "subtract" | "union" | "clip"): Promise<void> {
    const [first, ...rest] = this.session.selected();
    if (!first) return Promise.resolve();
    const others = (rest.length > 0 ? rest : this.#met(first.content.geometry)).filter(
      (label) => label.key !== first.key && label.id !== null,
    );
    const verb = { subtract: "Subtract", union: "Unite with", clip: "Clip to" }[operation];
    if (others.length === 0) {
      this.session.say(`${this.session.nameOf(first)} has no neighbours to ${inSentence(verb)}.`);
      return Promise.resolve();
    }
    return this.#run({
      operation,
      title: `${verb} ${plural(others.length, "neighbour", "neighbours")}`,
      subjects: [first],
      more: { other_ids: others.flatMap(({ id }) => (id === null ? [] : [id])) },
      says: () =>
        `${this.session.nameOf(first)}: ${{ subtract: "what others cover is taken away", union: "united with", clip: "clipped to" }[operation]}${operation === "subtract" ? "" : ` ${plural(others.length, "label", "labels")}`}.`,
    });
  }

  /** @param metres how far an outline may move; how much wider a label gets. */
  reshape(operation: Kind, metres: number): Promise<void> {
    const subjects = this.session.selected();
    const verb = { simplify: "Simplify", buffer: metres < 0 ? "Narrow" : "Widen" }[operation];
    const done = { simplify: "Simplified to", buffer: `${metres < 0 ? "Narrowed" : "Widened"}, to` }[operation];
    return this.#run({
      operation,
      title: subjects.length > 1 ? `${verb} ${subjects.length} labels` : verb,
      subjects,
      more: amountOf(operation, metres),
      says: ({ features }) => `${done} ${plural(countOf(features.map((f) => f.geometry)), "vertex", "vertices")}.`,
    });
  }

  /** What that would make of the selected labels. */
  async look(operation: Kind, metres: number): Promise<{ shapes: ReadonlyMap<number, Geometry>; says: string }> {
    const { session } = this;
    const subjects = session.selected();
    const shapes = new Map<number, Geometry>();
    try {
      const answer = await session.items.operate(operation, { ...bodyOf(subjects), ...amountOf(operation, metres) });
      const made = answer.features.filter(({ from }) => from === undefined);
      for (const feature of made) {
        const key = feature.id === undefined ? subjects[0]?.key : session.labels.keyOf(feature.id);
        if (key !== undefined) shapes.set(key, session.labels.contentOf({ ...feature, id: feature.id ?? 0 }).geometry);
      }
      const [before, after] = [subjects.map(({ content }) => content.geometry), made.map(({ geometry }) => geometry)];
      return { shapes, says: `${count(countOf(before))} → ${plural(countOf(after), "vertex", "vertices")}` };
    } catch (error) {
      return { shapes, says: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Do away with what is odd about the selected label. */
  repair(warning: Warning): Promise<void> | void {
    const subjects = this.session.selected();
    const [first] = subjects;
    if (!first) return;
    const name = this.session.nameOf(first);
    switch (warning.kind) {
      case "gap":
        return this.session.hand.closeGap(warning.key);
      case "crosses":
        return this.#run({ operation: "repair", title: "Repair", subjects, says: () => `${name} repaired.` });
      case "outside":
        return this.#run({
          operation: "clip",
          title: "Clip to the scene",
          subjects,
          more: this.session.scene ? { scene: this.session.scene } : {},
          says: () => `${name} clipped to the scene.`,
        });
      case "overlap": {
        const other = this.session.labels.get(warning.key);
        if (!other || other.id === null) return this.session.say("The neighbour is not saved yet. Try again.");
        return this.#run({
          operation: "subtract",
          title: "Take away overlap",
          subjects,
          more: { other_ids: [other.id] },
          says: () => `The overlap is taken away from ${name}.`,
        });
      }
    }
  }

  /** The labels on screen whose box a shape meets. */
  #met(shape: Geometry): LiveLabel[] {
    const [w, s, e, n] = boundsOf(shape);
    return this.session.open().filter(({ content }) => {
      const box = boundsOf(content.geometry);
      return box[0] <= e && box[2] >= w && box[1] <= n && box[3] >= s;
    });
  }

  async #run({ operation, title, subjects, more = {}, says }: Asked): Promise<void> {
    const { session } = this;
    if (this.doing) return;
    if (subjects.length === 0) return session.say(`${title}: there is no label there. Select one first.`);
    this.doing = title;
    try {
      const known = operation === "repair" ? subjects : await this.#saved(subjects);
      const answer = await session.items.operate(operation, { ...bodyOf(known), ...more });
      this.#apply(answer, title, known);
      session.say(says(answer), true);
    } catch (error) {
      if (error instanceof Unreachable) {
        session.say(`“${title}” needs the server, which cannot be reached now. Nothing was changed.`);
      } else session.say(error instanceof Error ? error.message : String(error));
    } finally {
      this.doing = null;
    }
  }

  /** The same labels once the server has given each an id. */
  #saved(labels: LiveLabel[]): Promise<LiveLabel[]> {
    const { session } = this;
    const now = () => labels.map(({ key }) => session.labels.get(key)).filter((l): l is LiveLabel => !!l?.content);
    const done = () => now().every(({ id }) => id !== null);
    if (done()) return Promise.resolve(now());
    return new Promise((resolve, reject) => {
      const stop = session.labels.listen(() => {
        if (done()) end(() => resolve(now()));
      });
      const late = setTimeout(
        () => end(() => reject(new Error("A label is not saved yet, and the server needs it. Nothing was changed."))),
        SAVE_MS,
      );
      const end = (then: () => void) => {
        clearTimeout(late);
        stop();
        then();
      };
    });
  }

  #apply({ features, neighbours, deleted }: OperationAnswer, title: string, subjects: LiveLabel[]): void {
    const { labels, palette } = this.session;
    const edits: Edit[] = [];
    const made: number[] = [];
    for (const feature of [...features, ...neighbours]) {
      const fresh = feature.from !== undefined;
      const key = feature.id === undefined ? (fresh ? labels.newKey() : subjects[0]?.key) : labels.keyOf(feature.id);
      const before = key === undefined ? undefined : labels.get(key)?.content;
      if (key === undefined || (!fresh && !before)) continue;
      if (before && palette.locked.has(before.class)) continue;
      const after = labels.contentOf({ ...feature, id: feature.id ?? 0 });
      edits.push({ key, after: before ? { ...before, geometry: after.geometry } : after });
      if (!neighbours.includes(feature)) made.push(key);
    }
    for (const id of deleted) {
      const key = labels.keyOf(id);
      if (key !== undefined) edits.push({ key, after: null });
    }
    labels.commit(edits, title);
    this.session.select(made);
  }
}

const amountOf = (operation: Kind, metres: number): Partial<OperationBody> =>
  operation === "simplify" ? { tolerance: metres } : { distance: metres };

/** Labels by their numbers where the server has them as they are here, else as they are here. */
function bodyOf(labels: LiveLabel[]): OperationBody {
  const stored = (label: LiveLabel) => label.id !== null && label.content === label.saved;
  return {
    ids: labels.filter(stored).flatMap(({ id }) => id ?? []),
    features: labels.filter((label) => !stored(label)).map(featureOf),
  };
}

function featureOf({ id, content }: LiveLabel): OperationBody["features"][number] {
  const properties = { class: content.class };
  return { type: "Feature", ...(id === null ? {} : { id }), geometry: content.geometry, properties };
}

const holds = ({ content }: LiveLabel, hole: Geometry) => within(boundsOf(hole), boundsOf(content.geometry));

/** Vertices of shapes, as people count them. */
function countOf(geometries: Geometry[]): number {
  const count = (value: unknown, ring: boolean): number => {
    const list = value as unknown[];
    if (typeof list[0] === "number") return 1;
    const inner = list.reduce<number>((sum, child) => sum + count(child, ring), 0);
    return ring && typeof (list[0] as unknown[])[0] === "number" ? inner - 1 : inner;
  };
  return geometries.reduce(
    (sum, g) => sum + (g.type === "GeometryCollection" ? 0 : count(g.coordinates, g.type.endsWith("Polygon"))),
    0,
  );
}
