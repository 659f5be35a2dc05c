/** What lies under the labels: the scenes of the project, and a backdrop under those. */
import type { Map as MapLibre } from "maplibre-gl";
import * as api from "../api";
import type { Session } from "../session.svelte";
import type { Scene } from "../types";
import { Backdrop } from "./backdrop";
import { addScene, raiseScene, styleScene } from "./imagery";
import { LOWEST } from "./labelLayers";
import { type Look, queryOf } from "./look";

export class Pictures {
  readonly backdrop: Backdrop;
  readonly #looks = new Map<string, Look>();
  #shown = true;
  #gone = false;

  constructor(
    private readonly map: MapLibre,
    private readonly session: Session,
  ) {
    this.backdrop = new Backdrop(map);
  }

  async add(scene: Scene, look: Look): Promise<void> {
    const tiles = await api.tileJson(scene.id, queryOf(look, scene));
    if (this.#gone) return;
    if (!this.map.getLayer(`scene:${scene.id}`)) addScene(this.map, scene, tiles, look, LOWEST);
    this.order();
  }

  /** The scene in hand on top, the others below it as the list has them. */
  order(): void {
    const { scene: top, scenes } = this.session;
    for (const { id } of [...scenes].reverse().sort((a, b) => Number(a.id === top) - Number(b.id === top))) {
      raiseScene(this.map, id, LOWEST);
    }
  }

  style(scene: Scene, look: Look): void {
    this.#looks.set(scene.id, look);
    styleScene(this.map, scene, this.#shown ? look : { ...look, visible: false });
  }

  /** The scenes as they are, or none of them: another picture takes their place. */
  show(visible: boolean): void {
    this.#shown = visible;
    for (const scene of this.session.scenes) {
      const look = this.#looks.get(scene.id);
      if (look) this.style(scene, look);
    }
  }

  /** The layer that pictures are put under. */
  get lowest(): string {
    return LOWEST;
  }

  remove(): void {
    this.#gone = true;
  }
}
