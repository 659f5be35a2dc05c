/** How this person likes the screen; kept in the browser. */

interface Kept {
  theme: "dark" | "light";
  fill: number;
  labels: number;
  welcomed: boolean;
}

const NAME = "geolabel";
const DEFAULTS: Kept = { theme: "dark", fill: 18, labels: 100, welcomed: false };

function read(): Kept {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
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

  /** Opacity of the labels as a whole, percent. */
  get labels() {
    return this.#kept.labels;
  }
  set labels(labels: number) {
    this.#keep({ labels });
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
