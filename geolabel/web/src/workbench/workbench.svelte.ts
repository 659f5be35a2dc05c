/** The editor of one project as a whole: what is open over the map, and what was asked of it. */
import { tick } from "svelte";
import { Backdrops } from "../backdrops.svelte";
import { Comparing, type Way } from "../comparing.svelte";
import type { Stage } from "../editor/commands";
import { isDrawing } from "../editor/draft";
import type { Box } from "../editor/editMode";
import { boundsOf } from "../editor/geometry";
import { pickIds } from "../editor/picking";
import type { Camera, Padding } from "../map/frame";
import { type Show, showsOf } from "../map/look";
import type { Point } from "../map/steer";
import type { MapView } from "../map/view";
import { Places } from "../places.svelte";
import { prefs } from "../prefs.svelte";
import { isFor } from "../schema";
import { Seeing } from "../seeing.svelte";
import { type LiveLabel, Session } from "../session.svelte";
import type { Trouble } from "../sync/saving.svelte";
import type { Bounds, FileLook, Geometry, Project, Scene } from "../types";

export class Workbench {
  readonly session: Session;
  readonly seeing: Seeing;
  readonly places: Places;
  readonly comparing: Comparing;
  readonly backdrops = new Backdrops();
  /** Null until the map can be drawn on. */
  view = $state.raw<MapView | null>(null);
  root = $state.raw<HTMLElement | null>(null);

  // What the map tells
  idle = $state(false);
  pointer = $state.raw<{ lng: number; lat: number } | null>(null);
  camera = $state.raw<Camera | null>(null);
  box = $state.raw<Box | null>(null);
  steered = $state.raw<Point | null>(null);
  loadFailure = $state<string | null>(null);
  notice = $state<string | null>(null);

  // What is open
  exporting = $state(false);
  /** A file of labels that is to be imported. */
  dropped = $state.raw<File | null>(null);
  seeking = $state(false);
  /** Is the list of the labels in view unfolded? */
  listing = $state(false);
  queueing = $state(false);
  #decided = $state<{ seq: number; key: number } | null>(null);
  /** The label that was changed twice, and is being decided. */
  readonly deciding = $derived.by(() =>
    this.session.desk.troubles.find((t) => t.seq === this.#decided?.seq && t.key === this.#decided.key),
  );

  readonly wide = $derived(this.exporting || this.dropped !== null || this.deciding !== undefined);
  readonly asking = $derived.by(() => {
    const { tool, className } = this.session;
    return isDrawing(tool) && this.project.attributes.some((a) => isFor(a, className)) && !this.wide;
  });
  readonly inspecting = $derived.by(
    () => (this.session.tool === "select" && this.session.selection.length > 0 && !this.wide) || this.asking,
  );
  readonly teaching = $derived.by(
    () => this.session.palette.total === 0 && this.session.project.classes.length > 0 && !prefs.welcomed,
  );

  /** For the commands of labels and drawings. */
  readonly stage: Stage;

  constructor(
    readonly project: Project,
    readonly scenes: Scene[],
    extent: Bounds | null,
  ) {
    this.session = new Session(project, scenes, extent);
    this.seeing = new Seeing(scenes);
    this.places = new Places(project.id);
    this.comparing = new Comparing(this.seeing);
    this.stage = this.#stage();
    // Where nothing lies on the Earth, no map of it fits.
    if (this.session.onEarth) void this.backdrops.load();
  }

  #stage(): Stage {
    const view = () => this.view;
    return {
      session: this.session,
      get view() {
        return view();
      },
      reveal: (label) => view()?.frame.reveal(boundsOf(label.content.geometry), this.padding()),
      closePanel: () => {
        const was = this.exporting;
        this.exporting = false;
        return was;
      },
      endComparing: () => {
        view()?.flag(null);
        const was = this.comparing.on;
        if (was) this.comparing.stop();
        return was;
      },
    };
  }

  /** What the panels cover of the map, and some air. */
  padding(): Padding {
    const style = getComputedStyle(document.documentElement);
    const px = (name: string) => Number.parseFloat(style.getPropertyValue(name)) || 0;
    const air = 32;
    if (!prefs.panels) return { top: air, right: air, bottom: air, left: air };
    const crowded = (this.wide || this.inspecting) && matchMedia("(max-width: 960px)").matches;
    const right = this.wide ? 428 : this.inspecting ? px("--w-right") : 0;
    return { top: 64, right: right + air, bottom: air, left: px("--w-rail") + (crowded ? 0 : px("--w-left")) + air };
  }

  // Where to

  /** To what is selected, or to the scenes. */
  zoom(): void {
    const bounds = this.session.bounds();
    if (bounds) this.view?.frame.fit(bounds, this.padding());
    else this.view?.frame.fitScenes(this.padding());
  }

  pickScene(id: string): void {
    this.session.scene = id;
    this.seeing.active = id;
    const found = this.scenes.find((s) => s.id === id);
    if (!found) return;
    this.seeing.change(id, { visible: true });
    this.view?.pictures.order();
    this.view?.frame.fitScenes(this.padding(), found);
  }

  /** Show a place or a shape that was asked for; Esc takes the mark away. */
  found(geometry: Geometry): void {
    const { view } = this;
    view?.flag(geometry);
    const [w, s, e, n] = boundsOf(geometry);
    if (w === e && s === n) view?.map.jumpTo({ center: [w, s], zoom: Math.max(view.map.getZoom(), 16) });
    else view?.frame.fit([w, s, e, n], this.padding(), false);
  }

  async goToLabel(id: number): Promise<void> {
    const bounds = await pickIds(this.session, [id]);
    if (bounds) this.view?.frame.fit(bounds, this.padding());
  }

  /** Show a change that was not saved, and decide it when the label was changed twice. */
  show(trouble: Trouble): void {
    const { session } = this;
    this.queueing = false;
    this.#decided = trouble.kind === "conflict" ? { seq: trouble.seq, key: trouble.key } : null;
    const label = session.labels.get(trouble.key);
    const content = label?.content ?? label?.saved;
    session.pickTool("select");
    this.exporting = false;
    const there = trouble.kind === "refused" && session.labels.get(trouble.key)?.content;
    session.select(there ? [trouble.key] : []);
    if (content) this.view?.frame.fit(boundsOf(content.geometry), this.padding());
  }

  endDeciding(): void {
    this.#decided = null;
  }

  /** Select a label of the list, and bring it onto the screen. */
  pickLabel(label: LiveLabel): void {
    if (this.session.palette.locked.has(label.content.class))
      return this.session.say(`${label.content.class} is locked.`);
    if (this.session.tool !== "select") this.session.pickTool("select");
    this.session.select([label.key]);
    this.stage.reveal(label);
  }

  /** Pick a class; in the middle of a drawing the keys stay with the map. */
  pickClass(name: string): void {
    this.session.pickClass(name);
    if (this.session.tool !== "select") this.view?.focus();
  }

  /** Unfold the list of the labels in view, and go there; or fold it. */
  toggleList(): void {
    this.listing = !this.listing;
    if (!this.listing) return this.view?.focus();
    prefs.panels = true;
    void tick().then(() => this.root?.querySelector<HTMLElement>("[data-testid=label-item]")?.focus());
  }

  // Export and import

  toggleExport(): void {
    this.exporting = !this.exporting;
    this.dropped = null;
    this.comparing.stop();
    if (!this.exporting) return;
    this.view?.frame.fitScenes(
      this.padding(),
      this.scenes.find((s) => s.id === this.session.scene),
    );
  }

  take(file: File): void {
    this.exporting = false;
    this.comparing.stop();
    this.dropped = file;
  }

  /** Show what is in a file before it is imported. */
  previewed(look: FileLook | null): void {
    this.view?.flag(look && { type: "GeometryCollection", geometries: look.shapes });
    if (look?.bounds) this.view?.frame.fit(look.bounds, this.padding());
  }

  imported(): void {
    void this.session.refresh().then(() => this.view?.labels.load());
  }

  // Seeing

  /** Compare what is in hand with another date or rendering; what is selected or exported steps back. */
  compare(way?: Way): void {
    this.exporting = false;
    if (way) this.comparing.way = way;
    this.comparing.start(this.session.scene);
  }

  /** Show the scene in hand by a preset; while comparing, the right side. */
  async look(show: Show): Promise<void> {
    const { comparing, session } = this;
    const scene = comparing.on ? comparing.scene("right") : this.scenes.find((s) => s.id === session.scene);
    if (!scene) return;
    if (!showsOf(scene).includes(show)) {
      return session.say(`${scene.id} has no band that is known to see near infrared.`);
    }
    if (comparing.on) comparing.show("right", show);
    else await this.seeing.show(scene.id, show);
  }
}
