/** The backdrops that whoever runs the server offers, and which of them is shown: none, unless somebody wants one. */
import * as api from "./api";
import { prefs } from "./prefs.svelte";
import type { Basemap } from "./types";

export class Backdrops {
  all = $state.raw<Basemap[]>([]);
  opacity = $state(100);
  /** Why the one that is shown cannot be drawn. */
  failure = $state<string | null>(null);
  /** What the one that is shown wants to be written, where the settings do not say it. */
  credit = $state<string | null>(null);
  readonly shown = $derived.by(() => this.all.find(({ url }) => url === prefs.basemap) ?? null);

  async load(): Promise<void> {
    this.all = await api.basemaps().catch(() => []); // the map is whole without
  }

  toggle(basemap: Basemap): void {
    prefs.basemap = this.shown === basemap ? null : basemap.url;
  }
}
