/** Where the pointer is in the project's CRS and in pixels, for the view that is on the screen. */
import * as api from "./api";
import { within } from "./editor/geometry";
import { between, gridOver, type Positions } from "./places";
import type { Bounds, Position } from "./types";

/** Wider views have no coordinates of the project: a polynomial does not hold over a continent. */
const WIDEST = 20;
const AROUND = 0.5;

export interface Place {
  crs: string;
  project: Position;
  pixel: Position | null;
}

export class Places {
  #found = $state.raw<{ box: Bounds; scene: string | null; positions: Positions } | null>(null);
  #asked = "";

  constructor(private readonly project: string) {}

  /** Have what a view needs; asks the server only when what is there does not do. */
  async around(view: Bounds, scene: string | null): Promise<void> {
    const [w, s, e, n] = view;
    const have = this.#found;
    const fits = have && have.scene === scene && within(view, have.box) && (e - w) * 16 > have.box[2] - have.box[0];
    if (fits) return;
    if (e - w > WIDEST || n - s > WIDEST) {
      this.#found = null;
      return;
    }
    const [dx, dy] = [(e - w) * AROUND, (n - s) * AROUND];
    const box: Bounds = [w - dx, Math.max(s - dy, -90), e + dx, Math.min(n + dy, 90)];
    const asked = `${box} ${scene}`;
    this.#asked = asked;
    try {
      const positions = await api.positions(this.project, gridOver(box), { scene });
      if (this.#asked === asked) this.#found = { box, scene, positions };
    } catch {
      if (this.#asked === asked) this.#found = null; // the status bar has longitude and latitude still
    }
  }

  at(lng: number, lat: number): Place | null {
    if (!this.#found) return null;
    const { box, positions } = this.#found;
    const project = between(positions.project, box, [lng, lat]);
    if (!project) return null;
    return { crs: positions.crs, project, pixel: positions.pixel && between(positions.pixel, box, [lng, lat]) };
  }
}
