/** For tests: a server in memory with the versions, tokens and refusals of the real one. */
import { Refused } from "../api";
import type { LabelFeature } from "../types";
import type { Content } from "./content";
import type { BatchAnswer } from "./entry";

interface Row {
  version: number;
  content: Content | null;
}

interface Sent {
  create: { geometry: Content["geometry"]; properties: Record<string, unknown> }[];
  update: { id: number; version: number; geometry?: Content["geometry"]; properties?: Record<string, unknown> }[];
  delete: { id: number; version: number }[];
}

export class FakeServer {
  readonly rows = new Map<number, Row>();
  /** Every state that a label had, the oldest first. */
  readonly past = new Map<number, Row[]>();
  readonly requests: string[] = [];
  /** What goes wrong next: before the request is done, or after it, when the answer is lost. */
  readonly failures: { error: Error; done: boolean }[] = [];
  readonly #answers = new Map<string, { body: string; answer: BatchAnswer }>();
  #last = 0;

  feature(id: number): LabelFeature {
    const row = this.rows.get(id);
    if (!row?.content) throw new Error(`there is no label ${id}`);
    const { geometry, class: name, note, attributes } = row.content;
    const properties = {
      ...attributes,
      class: name,
      note,
      version: row.version,
    } as unknown as LabelFeature["properties"];
    return { type: "Feature", id, geometry, properties };
  }

  /** A change by somebody else; a new label when there is no id. */
  write(content: Content | null, id?: number): number {
    let at = id;
    if (at === undefined) {
      this.#last += 1;
      at = this.#last;
    }
    const row = { version: (this.rows.get(at)?.version ?? 0) + 1, content };
    this.rows.set(at, row);
    this.past.set(at, [...(this.past.get(at) ?? []), row]);
    return at;
  }

  batch = async (_project: string, body: string, token: string): Promise<BatchAnswer> => {
    this.requests.push(body);
    const failure = this.failures.shift();
    if (failure && !failure.done) throw failure.error;
    const known = this.#answers.get(token);
    if (known && known.body !== body) throw new Refused(422, "The token belongs to another request.");
    const answer = known?.answer ?? this.#apply(JSON.parse(body));
    this.#answers.set(token, { body, answer });
    if (failure) throw failure.error;
    return answer;
  };

  #apply(sent: Sent): BatchAnswer {
    const current = [...this.#conflicts("update", sent.update), ...this.#conflicts("delete", sent.delete)];
    if (current.length > 0) throw new Refused(412, "Somebody else changed it.", [], current);
    for (const [i, { geometry }] of sent.create.entries()) refuseCrossed(geometry, `/create/${i}`);
    for (const [i, { geometry }] of sent.update.entries()) if (geometry) refuseCrossed(geometry, `/update/${i}`);
    const created = sent.create.map((made) => this.write(contentOf(null, made)));
    for (const item of sent.update) {
      const last =
        this.rows.get(item.id)?.content ?? this.past.get(item.id)?.findLast(({ content }) => content)?.content;
      this.write(contentOf(last ?? null, item), item.id);
    }
    for (const { id } of sent.delete) this.write(null, id);
    return {
      created: created.map((id) => this.feature(id)),
      updated: sent.update.map(({ id }) => this.feature(id)),
      deleted: sent.delete.map(({ id }) => ({ id, version: this.rows.get(id)?.version ?? 0 })),
    };
  }

  #conflicts(part: "update" | "delete", items: { id: number; version: number }[]) {
    return items.flatMap(({ id, version }, i) => {
      const row = this.rows.get(id);
      const gone = part === "delete" && row?.content === null;
      if (row?.version === version && !gone) return [];
      const feature = row?.content ? this.feature(id) : null;
      return [{ pointer: `/${part}/${i}`, feature, version: row?.version ?? 0 }];
    });
  }
}

/** A point at x = 13 stands for what the server does not take. */
function refuseCrossed({ type, ...shape }: Content["geometry"], pointer: string): void {
  if (type !== "Point" || (shape as { coordinates: number[] }).coordinates[0] !== 13) return;
  const at = `${pointer}/geometry/coordinates`;
  throw new Refused(422, "Its outline crosses itself.", [{ pointer: at, message: "" }]);
}

function contentOf(old: Content | null, { geometry, properties = {} }: Partial<Sent["create"][0]>): Content {
  const { class: name = old?.class ?? "", note = old?.note ?? null, ...attributes } = properties;
  return {
    geometry: geometry ?? old?.geometry ?? { type: "Point", coordinates: [0, 0] },
    class: String(name),
    note: note as string | null,
    attributes: { ...old?.attributes, ...attributes },
  };
}
