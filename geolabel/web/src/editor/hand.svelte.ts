/** What the hand does with the selected labels: vertices, borders, turning; and what is odd about what it makes. */
import type { Scope } from "../keys";
import { prefs } from "../prefs.svelte";
import type { LiveLabel, Session } from "../session.svelte";
import type { Bounds, Geometry, Position } from "../types";
import { insertOnEdge, insertShared, moveShared, removeShared } from "./borders";
import { outline, type Tool } from "./draft";
import type { Shapes } from "./editMode";
import {
  boundsOf,
  edgeAt,
  insertVertex,
  moveVertex,
  type Path,
  removeVertex,
  samePath,
  unrolled,
  vertices,
} from "./geometry";
import type { Handle } from "./hit";
import { fromPlane, plus, toPlane } from "./plane";
import { middleOf } from "./reshape";
import type { Snap } from "./snap";
import { type Nudge, nudged, type Turn } from "./turning";
import { closeGap, type Surroundings, type Warning, warningsOf } from "./warnings";

const METRES_PER_DEGREE = 111_319.49;
/** Labels further away than this many pixels are no neighbours. */
const NEAR_PX = 4;
/** Tools of whose drafts nothing is odd. */
const UNJUDGED: ReadonlySet<Tool> = new Set(["lasso", "split", "freehand", "measure"]);

/** How far two boxes lie apart, along the axis on which they do more. */
const apart = (a: Bounds, b: Bounds): number => Math.max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3]);

export class Hand {
  /** Is the border of a neighbour followed? */
  tracing = $state(false);
  /** What the pointer, or the vertex under it, snaps to. */
  snap = $state.raw<Snap | null>(null);
  /** Are the vertices of the selected label edited, also by keys? */
  vertexing = $state(false);
  turning = $state.raw<Turn | null>(null);
  /** How far the arrow keys have gone; kept as an edit by `settle`. */
  #nudge = $state.raw<Nudge>({ x: 0, y: 0 });
  #nudged: { title: string; shapes: Shapes } | null = null;

  constructor(private readonly session: Session) {}

  /** What the keyboard works on. */
  get scope(): Scope {
    const { tool, selection } = this.session;
    if (tool !== "select") return "drawing";
    if (this.turning) return "turning";
    if (this.vertexing) return "vertices";
    return selection.length > 0 ? "selected" : "idle";
  }

  get nudge(): Nudge {
    return this.#nudge;
  }

  // Vertices

  /** The shapes, of all labels that share it, with a vertex moved, or put in. */
  withVertex(key: number, { kind, path, position }: Pick<Handle, "kind" | "path" | "position">, to: Position): Shapes {
    const geometry = this.session.labels.get(key)?.content?.geometry;
    if (!geometry) return new Map();
    const all = prefs.sharing ? this.#shared() : [];
    if (kind === "midpoint") {
      const edge = edgeAt(geometry, path);
      const shared = edge ? insertShared(all, edge, to) : new Map<number, Geometry>();
      return shared.set(key, insertVertex(geometry, path, to));
    }
    const moved = moveShared(all, position, to);
    return moved.has(key) ? moved : moved.set(key, moveVertex(geometry, path, to));
  }

  /** A vertex was put where it is to be; the edge that it lies on gets one, too. */
  commitVertex({ kind }: Pick<Handle, "kind">, shapes: Shapes, snap: Snap | null): void {
    const all = new Map(shapes);
    if (snap?.kind === "edge" && prefs.sharing) this.#insert(all, snap.key, snap.position);
    this.session.edits.reshape(kind === "vertex" ? "Move vertex" : "Add vertex", all);
    if (all.size > 1)
      this.session.say(`${kind === "vertex" ? "Moved" : "Added"} a vertex of ${all.size} labels.`, true);
  }

  /** The labels that a vertex may be moved, put in or taken out of together. */
  #shared(): LiveLabel[] {
    const { labels, palette } = this.session;
    return labels.all().filter(({ content }) => !palette.locked.has(content.class));
  }

  #insert(shapes: Map<number, Geometry>, key: number, at: Position): void {
    if (this.session.palette.locked.has(this.session.labels.get(key)?.content?.class ?? "")) return;
    const geometry = shapes.get(key) ?? this.session.labels.get(key)?.content?.geometry;
    const more = geometry && insertOnEdge(geometry, at);
    if (more && more !== geometry) shapes.set(key, more);
  }

  /** What neighbours become when a new label lies on their edges. */
  neighboursWith(edges: { key: number; at: Position }[]): Shapes {
    const shapes = new Map<number, Geometry>();
    if (prefs.sharing) for (const { key, at } of edges) this.#insert(shapes, key, at);
    return shapes;
  }

  removeVertex(path: Path): void {
    const { session } = this;
    const [label, more] = session.selected();
    if (!label || more) return;
    const { geometry } = label.content;
    const own = removeVertex(geometry, path);
    if (!own) return session.say("Nothing would be left of this shape. Delete the label to remove it.");
    const at = vertices(geometry).find((vertex) => samePath(vertex.path, path))?.position;
    const shapes = prefs.sharing && at ? removeShared(this.#shared(), at) : new Map<number, Geometry>();
    session.edits.reshape("Delete vertex", shapes.set(label.key, own));
    if (shapes.size > 1) session.say(`Deleted a vertex of ${shapes.size} labels.`, true);
  }

  /** Edit the vertices of the one selected label by keys; a second time ends it. */
  toggleVertices(): void {
    this.settle();
    const [only, more] = this.session.selected();
    this.turning = null;
    this.vertexing = !this.vertexing && !!only && !more;
    if (!this.vertexing) {
      this.session.vertex = null;
      if (!only || more) this.session.say("Select one label to edit its vertices.");
    } else if (only) this.session.vertex ??= vertices(only.content.geometry)[0]?.path ?? null;
  }

  stepVertex(by: 1 | -1): void {
    this.settle();
    const [only] = this.session.selected();
    const all = only ? vertices(only.content.geometry) : [];
    const { vertex } = this.session;
    const at = vertex ? all.findIndex(({ path }) => samePath(path, vertex)) : -1;
    this.session.vertex = all[(at + by + all.length) % all.length]?.path ?? null;
  }

  /** Put a vertex in after the picked one, half way to the next. */
  insertVertex(): void {
    this.settle();
    const { vertex } = this.session;
    const [only] = this.session.selected();
    if (!only || !vertex || vertex.length === 0) return;
    const path = [...vertex.slice(0, -1), (vertex.at(-1) ?? 0) + 1];
    const edge = edgeAt(only.content.geometry, path);
    if (!edge) return;
    const [a, b] = edge.map(toPlane);
    const at = a && b ? fromPlane([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]) : edge[0];
    this.commitVertex(
      { kind: "midpoint" },
      this.withVertex(only.key, { kind: "midpoint", path, position: at }, at),
      null,
    );
    this.session.vertex = path;
  }

  // Turning

  /** Rotate, then scale, then move, then end. */
  toggleTurning(): void {
    this.settle();
    const kinds = ["rotate", "scale", "move"] as const;
    const next = kinds[this.turning ? kinds.indexOf(this.turning.kind) + 1 : 0];
    if (next) this.turn(next);
    else this.turning = null;
  }

  turn(kind: Turn["kind"]): void {
    this.settle();
    const shapes = this.session.selected().map((label) => label.content.geometry);
    if (shapes.length === 0) return this.session.say("Select a label to rotate, scale or move it.");
    this.vertexing = false;
    this.session.vertex = null;
    this.turning = { kind, about: middleOf(shapes) };
  }

  // Arrow keys

  /**
   * Move the picked vertex, or turn the selection, by a key.
   *
   * @param pixel side of a screen pixel in degrees of the plane.
   * @returns whether there was something to move.
   */
  press(key: string, shift: boolean, pixel: number): boolean {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    const { vertex } = this.session;
    if (!step || !(this.turning || (this.vertexing && vertex))) return false;
    const by = shift ? 10 : 1;
    this.#nudge = { x: this.#nudge.x + by * (step[0] ?? 0), y: this.#nudge.y + by * (step[1] ?? 0) };
    const selected = this.session.selected();
    const start = new Map(selected.map((label) => [label.key, label.content.geometry]));
    if (this.turning) {
      const verb = { rotate: "Rotate", scale: "Scale", move: "Move" }[this.turning.kind];
      const title = start.size > 1 ? `${verb} ${start.size} labels` : `${verb} label`;
      this.#nudged = { title, shapes: nudged(this.turning, start, this.#nudge, pixel) };
    } else {
      const [only] = selected;
      const at = only && vertices(only.content.geometry).find(({ path }) => vertex && samePath(path, vertex));
      if (!only || !at) return false;
      const to = fromPlane(plus(toPlane(at.position), [this.#nudge.x * pixel, this.#nudge.y * pixel]));
      this.#nudged = { title: "Move vertex", shapes: this.withVertex(only.key, { kind: "vertex", ...at }, to) };
    }
    this.session.preview = this.#nudged.shapes;
    return true;
  }

  /** Keep what the arrow keys have moved. Returns whether there was something. */
  settle(): boolean {
    const done = this.#nudged;
    const { vertex } = this.session;
    this.#drop();
    if (!done) return false;
    this.session.edits.reshape(done.title, done.shapes);
    this.session.vertex = vertex;
    if (this.vertexing && done.shapes.size > 1) this.session.say(`Moved a vertex of ${done.shapes.size} labels.`, true);
    return true;
  }

  /** Put back what the arrow keys have moved, or end the mode. Returns whether there was one. */
  cancel(): boolean {
    if (this.#nudged) {
      this.#drop();
      return true;
    }
    const was = this.vertexing || this.turning !== null;
    this.end();
    return was;
  }

  end(): void {
    this.settle();
    this.vertexing = false;
    this.turning = null;
    this.session.vertex = null;
  }

  #drop(): void {
    if (!this.#nudged) return;
    this.#nudged = null;
    this.#nudge = { x: 0, y: 0 };
    this.session.preview = null;
  }

  // Warnings

  /** What is odd about the one selected label, or about the draft. */
  readonly warnings: readonly Warning[] = $derived.by(() => {
    const { draft, tool, revision, preview } = this.session;
    if (revision < 0) return [];
    if (draft) {
      const corners = outline(draft);
      const [first] = corners;
      if (UNJUDGED.has(tool) || !first || corners.length < 3) return [];
      const shape: Geometry =
        tool === "line"
          ? { type: "LineString", coordinates: corners }
          : { type: "Polygon", coordinates: [[...corners, first]] };
      return warningsOf(shape, this.#surroundings(shape, this.session.className, null));
    }
    const [only, more] = this.session.selected();
    if (!only || more || tool !== "select") return [];
    const shape = preview?.get(only.key) ?? only.content.geometry;
    return warningsOf(shape, this.#surroundings(shape, only.content.class, only.key));
  });

  #surroundings(shape: Geometry, className: string, own: number | null): Surroundings {
    const { session } = this;
    const kind = session.palette.named(className)?.kind ?? "thing";
    const pixel = this.pixelAt(vertices(shape)[0]?.position ?? [0, 0]);
    const around = boundsOf(shape);
    const neighbours = session
      .visible()
      .filter(({ key, content }) => key !== own && apart(boundsOf(content.geometry), around) <= NEAR_PX * pixel)
      .filter(({ content }) => (session.palette.named(content.class)?.kind ?? "thing") === kind)
      .map(({ key, content }) => ({ key, content: { geometry: session.preview?.get(key) ?? content.geometry } }));
    return {
      neighbours,
      gaps: kind === "stuff" && prefs.sharing,
      scenes: session.scenes.flatMap(({ bounds }) => (bounds ? [this.#home(unrolled(bounds))] : [])),
      pixel,
    };
  }

  #home([w, s, e, n]: Bounds): Bounds {
    const shift = 360 * Math.round((this.session.labels.home - (w + e) / 2) / 360);
    return [w + shift, s, e + shift, n];
  }

  /** Side of the finest scene's pixel at a place, in degrees of the plane. */
  pixelAt([, lat = 0]: Position): number {
    const metres = Math.min(...this.session.scenes.map((scene) => scene.resolution ?? Number.POSITIVE_INFINITY));
    return (Number.isFinite(metres) ? metres : 0.1) / METRES_PER_DEGREE / Math.cos((lat * Math.PI) / 180);
  }

  /** Close the gap between the selected label and a neighbour; the neighbour gets the vertices that it needs. */
  closeGap(key: number): void {
    const [only] = this.session.selected();
    const other = this.session.labels.get(key)?.content;
    if (!only || !other) return;
    const pixel = this.pixelAt(vertices(only.content.geometry)[0]?.position ?? [0, 0]);
    const closed = closeGap(only.content.geometry, other.geometry, pixel);
    this.session.edits.reshape(
      "Close gap",
      new Map([
        [only.key, closed.geometry],
        [key, closed.other],
      ]),
    );
  }
}
