/** How this person likes the screen; kept in the browser. */

import { type Changes, readChanges } from "./keymap";

interface Kept {
  theme: "dark" | "light";
  fill: number;
  labels: number;
  guide: boolean;
  welcomed: boolean;
  snapping: boolean;
  sharing: boolean;
  basemap: string | null;
  keys: Changes;
}

const NAME = "geolabel";
const DEFAULTS: Kept = {
  theme: "dark",
  fill: 18,
  labels: 100,
  guide: false,
  welcomed: false,
  snapping: true,
  sharing: true,
  basemap: null,
  keys: {},
};

function read(): Kept {
  try {
    const kept = { ...DEFAULTS, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
    return { ...kept, keys: readChanges(kept.keys) };
  } catch {
    return DEFAULTS; // the browser keeps nothing for us
  }
}

class Prefs {
  #kept = $state(read());
  panels = $state(true);

  get theme() {
    return this.#kept.theme;
  }
  set theme(theme: Kept["theme"]) {
    this.#keep({ theme });
    document.documentElement.dataset.theme = theme;
  }

  /** Opacity of the labels' fill, percent. */
  get fill() {
    return this.#kept.fill;
  }
  set fill(fill: number) {
    this.#keep({ fill });
  }

  /** Are the guidelines beside the map? */
  get guide() {
    return this.#kept.guide;
  }
  set guide(guide: boolean) {
    this.#keep({ guide });
  }

  /** Opacity of the labels as a whole, percent. */
  get labels() {
    return this.#kept.labels;
  }
  set labels(labels: number) {
    this.#keep({ labels });
  }

  /** Do vertices snap to those of neighbours, and to their edges? */
  get snapping() {
    return this.#kept.snapping;
  }
  set snapping(snapping: boolean) {
    this.#keep({ snapping });
  }

  /** Is a vertex that belongs to several labels moved in all of them? */
  get sharing() {
    return this.#kept.sharing;
  }
  set sharing(sharing: boolean) {
    this.#keep({ sharing });
  }

  /** Address of the backdrop that is shown; null for none. */
  get basemap() {
    return this.#kept.basemap;
  }
  set basemap(basemap: string | null) {
    this.#keep({ basemap });
  }

  /** Which keys were changed. */
  get keys() {
    return this.#kept.keys;
  }
  set keys(keys: Changes) {
    this.#keep({ keys });
  }

  /** Has the card for the first label been put away? */
  get welcomed() {
    return this.#kept.welcomed;
  }
  set welcomed(welcomed: boolean) {
    this.#keep({ welcomed });
  }

  #keep(change: Partial<Kept>): void {
    this.#kept = { ...this.#kept, ...change };
    try {
      localStorage.setItem(NAME, JSON.stringify(this.#kept));
    } catch {
      // not kept: it holds until the page is closed
    }
  }
}

export const prefs = new Prefs();
