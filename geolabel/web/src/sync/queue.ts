/**
 * Saves every change at once and in order.
 *
 * An operation says what a label is to be; how to get there (POST, PATCH, PUT, DELETE) follows from what the server has
 * when its turn comes. So an undo, an undo of a delete and an edit of a label that has no id yet are all the same thing.
 * No answer, or a server in trouble: the operation stays at the head and is tried again. Refused, or changed by someone
 * else: the operation is set aside until the user decides, and the other labels go on.
 */
import { type Items, type LabelBody, Refused, Unreachable } from "../api";
import type { LabelFeature } from "../types";
import { type Content, differing, fieldOf, merge } from "./content";
import type { Label, Labels } from "./labels";

export interface Operation {
  key: number;
  content: Content | null;
  /** Of the edit that asked for it; see History. */
  edit: number;
}

/** Why an operation was set aside. */
export interface Trouble {
  kind: "refused" | "conflict";
  key: number;
  content: Content | null;
  edit: number;
  sentence: string;
  /** Of the body that was refused. */
  pointers: string[];
  /** With a conflict: what the server has; null when it was deleted. */
  current: LabelFeature | null;
}

export interface QueueState {
  /** Operations not yet saved, those set aside not counted. */
  waiting: number;
  /** Why the head waits for another try; null when it does not. */
  stalled: string | null;
  troubles: Trouble[];
  savedAt: Date | null;
}

export type Saves = Pick<Items, "create" | "update" | "replace" | "remove">;

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60_000;

export class SaveQueue {
  readonly #operations: Operation[] = [];
  readonly #aside = new Map<number, Trouble>();
  #running = false;
  #stalled: string | null = null;
  #wait = FIRST_WAIT;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #savedAt: Date | null = null;

  constructor(
    private readonly items: Saves,
    private readonly labels: Labels,
    private readonly onState: (state: QueueState) => void = () => {},
  ) {}

  get state(): QueueState {
    return {
      waiting: this.#operations.length,
      stalled: this.#stalled,
      troubles: [...this.#aside.values()],
      savedAt: this.#savedAt,
    };
  }

  /** Does the label have changes that the server does not have? */
  busy(key: number): boolean {
    return this.#aside.has(key) || this.#operations.some((operation) => operation.key === key);
  }

  /** Save a state of a label. It takes the place of one that was set aside. */
  push(operation: Operation): void {
    this.#aside.delete(operation.key);
    this.#operations.push(operation);
    this.#tell();
    void this.#run();
  }

  /** Try again now: what waits for the server, and what was refused. */
  tryNow(): void {
    clearTimeout(this.#timer);
    this.#wait = FIRST_WAIT;
    void this.#run();
  }

  /** Send once more what was refused. */
  retry(key: number): void {
    const trouble = this.#aside.get(key);
    if (trouble) this.push({ key, content: trouble.content, edit: trouble.edit });
  }

  /** After a conflict: write what the user changed over the server's state; what they did not touch stays theirs. */
  keepMine(key: number): void {
    const trouble = this.#aside.get(key);
    const label = this.labels.get(key);
    if (!trouble || !label) return;
    const { content, current } = trouble;
    const mine =
      content && current && label.saved ? merge(label.saved, content, this.labels.contentOf(current)) : content;
    this.labels.acknowledge(key, current);
    this.labels.show(key, mine);
    this.push({ key, content: mine, edit: trouble.edit });
  }

  /** Drop what was set aside: the label is again what the server has. */
  discard(key: number): void {
    const trouble = this.#aside.get(key);
    if (!trouble) return;
    this.#aside.delete(key);
    if (trouble.kind === "conflict") this.labels.acknowledge(key, trouble.current);
    const label = this.labels.get(key);
    if (label?.id === null) this.labels.forget(key);
    else if (label) this.labels.show(key, label.saved);
    this.#tell();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    clearTimeout(this.#timer);
    for (let head = this.#operations[0]; head; head = this.#operations[0]) {
      try {
        await this.#save(head);
        this.#stalled = null;
        this.#wait = FIRST_WAIT;
        this.#savedAt = new Date();
        this.#operations.shift();
      } catch (error) {
        if (error instanceof Unreachable || (error instanceof Refused && error.temporary)) {
          this.#stall(error.message);
          break;
        }
        this.#operations.shift();
        this.#setAside(head, error);
      }
      this.#tell();
    }
    this.#running = false;
  }

  #stall(sentence: string): void {
    this.#stalled = sentence;
    this.#timer = setTimeout(() => void this.#run(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#tell();
  }

  async #save({ key, content }: Operation): Promise<void> {
    const label = this.labels.get(key);
    if (!label) return;
    if (content === null) {
      if (label.id === null) this.labels.forget(key);
      else if (label.saved !== null) this.labels.gone(key, await this.items.remove(label.id, label.version));
      return;
    }
    const answer = await this.#send(label, content);
    if (answer === null) return;
    const newer = this.#operations.some((later, i) => i > 0 && later.key === key);
    this.labels.adopt(key, answer.feature, answer.version, !newer && label.content === content);
  }

  #send(label: Label, content: Content) {
    const whole = { geometry: content.geometry, properties: propertiesOf(content) };
    if (label.id === null) return this.items.create(whole);
    if (label.saved === null) return this.items.replace(label.id, whole, label.version);
    const body = difference(label.saved, content);
    return body ? this.items.update(label.id, body, label.version) : Promise.resolve(null);
  }

  #setAside({ key, content, edit }: Operation, error: unknown): void {
    const label = this.labels.get(key);
    const deleted = error instanceof Refused && error.status === 404 && label?.id !== null;
    if (deleted && content === null) {
      this.labels.gone(key, 0); // someone else deleted it too
      return;
    }
    if (this.#operations.some((later) => later.key === key) && !(error instanceof Refused && error.status === 412)) {
      return; // a newer state of the same label is on its way, and says all that this one said
    }
    const conflict = deleted || (error instanceof Refused && error.status === 412);
    const last = this.#takeLater(key);
    this.#aside.set(key, {
      kind: conflict ? "conflict" : "refused",
      key,
      content: last ? last.content : content,
      edit,
      sentence: error instanceof Error ? error.message : String(error),
      pointers: error instanceof Refused ? error.errors.map((e) => e.pointer) : [],
      current: error instanceof Refused ? error.current : null,
    });
  }

  /** Take the later operations on a label out of the queue; the last one says what it is to be. */
  #takeLater(key: number): Operation | undefined {
    const later = this.#operations.filter((operation) => operation.key === key);
    const others = this.#operations.filter((operation) => operation.key !== key);
    this.#operations.splice(0, this.#operations.length, ...others);
    return later.at(-1);
  }

  #tell(): void {
    this.onState(this.state);
  }
}

function propertiesOf({ class: name, note, attributes }: Content): NonNullable<LabelBody["properties"]> {
  return { ...attributes, class: name, ...(note === null ? {} : { note }) };
}

/** What to send so that the one becomes the other; null when they say the same. */
function difference(saved: Content, wanted: Content): LabelBody | null {
  const fields = differing(saved, wanted);
  if (fields.length === 0) return null;
  const properties = Object.fromEntries(fields.filter((f) => f !== "geometry").map((f) => [f, fieldOf(wanted, f)]));
  return {
    ...(fields.includes("geometry") ? { geometry: wanted.geometry } : {}),
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
  };
}
