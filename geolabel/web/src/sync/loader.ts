/** Loads the labels of the view, page by page, with some ground around it so that a small pan asks for nothing. */
import type { Items } from "../api";
import { nearLongitude, within } from "../editor/geometry";
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
        const page = await this.items.page(lapped(box), after, PAGE, abort.signal);
        features.push(...page.features);
        const more = page.links.some((link) => link.rel === "next") && features.length < MOST;
        after = page.features.at(-1)?.id ?? 0;
        if (more && after > 0) continue;
        const whole = features.length >= page.numberMatched;
        this.labels.load(features, box, whole, asked);
        this.#have = whole ? box : null;
        return { matched: page.numberMatched, whole };
      }
    } catch (error) {
      if (abort.signal.aborted) return null;
      throw error;
    }
  }

  /** Ask again at the next view. */
  reset(): void {
    this.#have = null;
  }
}

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
