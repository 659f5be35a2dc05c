/** Takes what others do into the labels of this page: at once, but not under the user's hand. */
import type { Told } from "./feed";
import type { Labels } from "./labels";

export interface Host {
  readonly labels: Labels;
  /** Is one of our own changes on its way, or a label being dragged? Then what is heard waits. */
  busy(): boolean;
  /** Labels of a class became another number. */
  counted(className: string, by: number): void;
  /** Read again what is shown. */
  reload(): void;
}

const LONGEST_MS = 3000;

export class Others {
  #held: Told[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly host: Host) {}

  hear(told: Told): void {
    this.#held.push(told);
    this.settle();
  }

  /** Take what was held, when nothing is in the way any more. */
  settle(): void {
    if (this.#held.length === 0) return;
    if (this.host.busy()) {
      this.#timer ??= setTimeout(() => this.#take(), LONGEST_MS);
      return;
    }
    this.#take();
  }

  #take(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const held = this.#held;
    this.#held = [];
    for (const told of held) this.#apply(told);
  }

  #apply(told: Told): void {
    const { labels } = this.host;
    const { features, gone = [], before = [] } = told;
    if (features === null) return this.host.reload();
    const was = new Map(before.map((label) => [label.id, label.class]));
    const known = (id: number) => labels.get(labels.keyOf(id) ?? id)?.version ?? 0;
    // What we did ourselves is known, and counted, already.
    const news = features.filter(({ id, properties }) => known(id) < properties.version);
    const lost = gone.filter(({ id, version }) => known(id) < version);
    for (const { id, properties } of news) this.#count(was.get(id), properties.class);
    for (const { id } of lost) this.#count(was.get(id), undefined);
    const places = new Map(before.map(({ id, bbox }) => [id, bbox]));
    labels.take(news, places);
    labels.gone(lost, places);
  }

  #count(before: string | undefined, after: string | undefined): void {
    if (before === after) return;
    if (before !== undefined) this.host.counted(before, -1);
    if (after !== undefined) this.host.counted(after, 1);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
