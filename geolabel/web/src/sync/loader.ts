/** Loads the labels of the view, page by page, with some ground around it so that a small pan asks for nothing. */
import type { Items } from "../api";
import { boundsOf, nearLongitude, within } from "../editor/geometry";
import type { Bounds } from "../types";
import type { Labels } from "./labels";

const PAGE = 2000;
const MOST = 20_000;
const AROUND = 0.3;

export interface Loaded {
  /** In the box that was asked for. */
  matched: number;
  /** False when there are more than a screen can use: zoom in. */
  whole: boolean;
}

export class LabelLoader {
  /** In a project that is drawn from tiles: what is out of sight is forgotten, unless it says so. */
  keeps: ((key: number) => boolean) | null = null;
  #have: Bounds | null = null;
  #abort: AbortController | null = null;

  constructor(
    private readonly items: Pick<Items, "page">,
    private readonly labels: Labels,
  ) {}

  /** Load what a view needs; null when it has it, or when a later call took over. */
  async view(bounds: Bounds): Promise<Loaded | null> {
    const view = clamp(about(bounds, this.labels.home));
    if (this.#have && within(view, this.#have)) return null;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const box = clamp(grow(view));
    const asked = this.labels.writes;
    try {
      const features = [];
      let after = 0;
      for (;;) {
        const page = await this.items.page(lapped(box), after, PAGE, { signal: abort.signal });
        features.push(...page.features);
        const more = page.links.some((link) => link.rel === "next") && features.length < MOST;
        after = page.features.at(-1)?.id ?? 0;
        if (more && after > 0) continue;
        const whole = features.length >= page.numberMatched;
        this.labels.load(features, box, whole, asked);
        this.#have = whole ? box : null;
        const { keeps } = this;
        if (keeps) this.labels.forget(({ key, content }) => !keeps(key) && apart(boundsOf(content.geometry), box));
        return { matched: page.numberMatched, whole };
      }
    } catch (error) {
      if (abort.signal.aborted) return null;
      throw error;
    }
  }

  /** Is everything known that lies in a view? */
  holds(bounds: Bounds): boolean {
    return this.#have !== null && within(clamp(about(bounds, this.labels.home)), this.#have);
  }

  /** Learn what lies in a box, of one class or of all, if it is at most so many labels; gives how many there are. */
  async learn(bounds: Bounds, most: number, of: string | null = null): Promise<number> {
    const page = await this.items.page(lapped(clamp(about(bounds, this.labels.home))), 0, most, { of });
    if (page.numberMatched <= most) this.labels.take(page.features);
    return page.numberMatched;
  }

  /** Ask again at the next view. */
  reset(): void {
    this.#have = null;
  }
}

const apart = (a: Bounds, b: Bounds): boolean => a[2] < b[0] || a[0] > b[2] || a[3] < b[1] || a[1] > b[3];

function grow([w, s, e, n]: Bounds): Bounds {
  const dx = (e - w) * AROUND;
  const dy = (n - s) * AROUND;
  return [w - dx, s - dy, e + dx, n + dy];
}

function clamp([w, s, e, n]: Bounds): Bounds {
  return [w, Math.max(s, -90), e, Math.min(n, 90)];
}

/** The same box in the world copy that the labels lie in. */
function about([w, s, e, n]: Bounds, home: number): Bounds {
  const shift = nearLongitude((w + e) / 2, home) - (w + e) / 2;
  return [w + shift, s, e + shift, n];
}

/** As the server takes it: longitudes of -180 to 180, west > east across the antimeridian. */
function lapped([w, s, e, n]: Bounds): Bounds {
  if (e - w >= 360) return [-180, s, 180, n];
  const west = nearLongitude(w, 0);
  const east = nearLongitude(e, 0);
  return [west, s, east, n];
}
