/** Two renderings on one map, parted by a line: what is drawn and edited lies above both. */
import type { CustomLayerInterface, Map as MapLibre } from "maplibre-gl";
import * as api from "../api";
import type { Scene } from "../types";
import { addScene, removeScene, styleScene } from "./imagery";
import type { Look } from "./look";

export interface Side {
  scene: Scene;
  look: Look;
}

const SIDES = ["compare:left", "compare:right"] as const;
const FROM = "compare:from";
const TO = "compare:to";

export class Swipe {
  readonly #shown: [string | null, string | null] = [null, null];
  #right = true;
  #divider = 0.5;

  /** @param below the layer that both are put under. */
  constructor(
    private readonly map: MapLibre,
    private readonly below: string | undefined,
  ) {
    // Between these two layers WebGL draws right of the line only.
    map.addLayer(
      this.#custom(FROM, (gl) => this.#cut(gl)),
      below,
    );
    map.addLayer(
      this.#custom(TO, (gl) => gl.disable(gl.SCISSOR_TEST)),
      below,
    );
  }

  #custom(id: string, render: (gl: WebGL2RenderingContext) => void): CustomLayerInterface {
    return { id, type: "custom", renderingMode: "2d", render: (gl) => render(gl as WebGL2RenderingContext) };
  }

  #cut(gl: WebGL2RenderingContext): void {
    const from = Math.round(gl.drawingBufferWidth * this.#divider);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(from, 0, Math.max(gl.drawingBufferWidth - from, 0), gl.drawingBufferHeight);
  }

  /** Show a left and a right side; a scene that is there already is only drawn anew. */
  async show(left: Side, right: Side): Promise<void> {
    await Promise.all([this.#side(0, left), this.#side(1, right)]);
    this.#order();
  }

  async #side(i: 0 | 1, { scene, look }: Side): Promise<void> {
    const id = SIDES[i];
    const whole = { ...look, visible: i === 0 || this.#right };
    if (this.#shown[i] === scene.id && this.map.getLayer(id)) return styleScene(this.map, scene, whole, id);
    this.#shown[i] = scene.id;
    const tiles = await api.tileJson(scene.id);
    if (this.#shown[i] !== scene.id) return; // another one was asked for meanwhile
    removeScene(this.map, id);
    addScene(this.map, scene, tiles, whole, this.below, id);
  }

  #order(): void {
    for (const id of [SIDES[0], FROM, SIDES[1], TO]) if (this.map.getLayer(id)) this.map.moveLayer(id, this.below);
  }

  /** @param share of the map's width that is the left side. */
  divide(share: number): void {
    this.#divider = share;
    this.map.triggerRepaint();
  }

  /** Show the right side, or the left one alone. */
  showRight(visible: boolean): void {
    this.#right = visible;
    if (this.map.getLayer(SIDES[1])) {
      this.map.setLayoutProperty(SIDES[1], "visibility", visible ? "visible" : "none");
    }
  }

  remove(): void {
    this.#shown.fill(null);
    for (const id of SIDES) removeScene(this.map, id);
    for (const id of [FROM, TO]) if (this.map.getLayer(id)) this.map.removeLayer(id);
  }
}
