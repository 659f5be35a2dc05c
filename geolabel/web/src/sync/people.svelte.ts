/** Who else has the project open, and what they have selected. */
import * as api from "../api";
import type { Person } from "./feed";
import { me } from "./me.svelte";

const SAY_MS = 300;
const HEARTBEAT_MS = 15_000;
/** Of their outlines and flags; light enough for dark text. */
const COLORS = ["#ff9f43", "#37d0c0", "#c48cff", "#ffd84d", "#7ee081", "#ff8fb1", "#7cc4ff", "#e6a57e"];

export interface Peer extends Person {
  color: string;
  /** As it is shown: "Somebody" without a name. */
  shown: string;
}

export function colorOf(id: string): string {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.charCodeAt(0)) % 9973;
  return COLORS[sum % COLORS.length] ?? "#ff9f43";
}

export const initials = (name: string): string =>
  name
    .split(/\s+/)
    .map((word) => [...word][0] ?? "")
    .slice(0, 2)
    .join("")
    .toUpperCase() || "?";

export class People {
  others = $state.raw<Peer[]>([]);
  #selection: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #heartbeat: ReturnType<typeof setInterval>;

  constructor(private readonly project: string) {
    this.#heartbeat = setInterval(() => this.#say(), HEARTBEAT_MS);
    addEventListener("pagehide", this.#leave);
    document.addEventListener("visibilitychange", this.#visible);
    this.#say();
  }

  readonly #leave = () => {
    clearTimeout(this.#timer);
    api.leave(this.project, me.id);
  };

  readonly #visible = () => this.#say();

  /** Who the server says is there. */
  hear(people: Person[]): void {
    this.others = people
      .filter(({ id }) => id !== me.id)
      .map((person) => ({ ...person, color: colorOf(person.id), shown: person.name || "Somebody" }));
    // Another tab was closed, and said that we had gone.
    if (!people.some(({ id }) => id === me.id)) this.#soon();
  }

  /** Tell the others what is selected here. */
  select(ids: number[]): void {
    if (ids.join() === this.#selection.join()) return;
    this.#selection = ids;
    this.#soon();
  }

  /** Our name is another. */
  rename(): void {
    this.#soon();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#say(), SAY_MS);
  }

  #say(): void {
    if (document.visibilityState === "hidden") return;
    // Not worth a word to the user when it fails: the save state tells of a server that is away.
    api.come(this.project, me.id, me.name, this.#selection).catch(() => {});
  }

  stop(): void {
    this.#leave();
    clearInterval(this.#heartbeat);
    removeEventListener("pagehide", this.#leave);
    document.removeEventListener("visibilitychange", this.#visible);
  }
}
