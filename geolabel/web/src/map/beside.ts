/** A second map beside the first: another rendering of the same place, with the same labels. */
import type { Map as MapLibre } from "maplibre-gl";
import * as api from "../api";
import { createMap } from "./create";
import { addIcons } from "./icons";
import { addScene, removeScene, styleScene } from "./imagery";
import { LOWEST } from "./labelLayers";
import type { LabelView } from "./labelView";
import type { Side } from "./swipe";

const LAYER = "compare:beside";

export class Beside {
  readonly #map: MapLibre;
  readonly #stop: (() => void)[] = [];
  #ready = false;
  #shown: string | null = null;
  #wanted: Side | null = null;

  /** @param pointer told where the pointer of the first map is on this one, in pixels. */
  constructor(
    container: HTMLElement,
    private readonly first: MapLibre,
    private readonly labels: LabelView,
    pointer: (at: { x: number; y: number } | null) => void,
  ) {
    this.#map = createMap(container);
    this.#follow(first, this.#map);
    this.#follow(this.#map, first);
    this.#sync(first, this.#map);
    const moved = (event: { point: { x: number; y: number } }) => pointer(event.point);
    const left = () => pointer(null);
    first.on("mousemove", moved);
    first.on("mouseout", left);
    this.#stop.push(
      () => first.off("mousemove", moved),
      () => first.off("mouseout", left),
    );
    this.#map.once("load", () => this.#loaded());
  }

  #loaded(): void {
    addIcons(this.#map);
    this.#stop.push(this.labels.mirror(this.#map));
    this.#ready = true;
    if (this.#wanted) void this.show(this.#wanted);
  }

  #follow(leader: MapLibre, follower: MapLibre): void {
    const move = () => this.#sync(leader, follower);
    leader.on("move", move);
    this.#stop.push(() => leader.off("move", move));
  }

  /** Bring a map to where the other one is; one that is there already is left alone, so that the two do not chase each other. */
  #sync(leader: MapLibre, follower: MapLibre): void {
    const center = leader.getCenter();
    const there = follower.getCenter();
    const zoom = leader.getZoom();
    const same = center.lng === there.lng && center.lat === there.lat && zoom === follower.getZoom();
    if (!same) follower.jumpTo({ center, zoom });
  }

  async show(side: Side): Promise<void> {
    this.#wanted = side;
    if (!this.#ready) return;
    const { scene, look } = side;
    if (this.#shown === scene.id) return styleScene(this.#map, scene, look, LAYER);
    this.#shown = scene.id;
    const tiles = await api.tileJson(scene.id);
    if (this.#shown !== scene.id) return;
    removeScene(this.#map, LAYER);
    addScene(this.#map, scene, tiles, look, LOWEST, LAYER);
  }

  /** Its box on the screen changed. */
  resize(): void {
    this.#map.resize();
    this.#sync(this.first, this.#map);
  }

  remove(): void {
    this.#shown = null; // what is still being asked for is not drawn any more
    for (const stop of this.#stop) stop();
    this.#map.remove();
  }
}
