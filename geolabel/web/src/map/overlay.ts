/** What is being worked on: the selected labels, their handles, the draft, and the place of a problem. */
import type { ExpressionSpecification, GeoJSONSource, Map as MapLibre, SymbolLayerSpecification } from "maplibre-gl";
import { type Draft, isClosed, outline, PLANS } from "../editor/draft";
import { chains, midpoints, type Path, samePath, type Vertex, vertices, within } from "../editor/geometry";
import { hasRoom } from "../editor/hit";
import type { Snap } from "../editor/snap";
import type { Bounds, Geometry, Position } from "../types";
import { CASING, pattern as hatch } from "./labelStyle";

export interface Shown {
  geometry: Geometry;
  color: string;
  /** Does another class have its colour? */
  hatched: boolean;
  /** As it was before the drag that is under way. */
  before: Geometry | null;
  /** It is not selected, and changes with what is. */
  neighbour: boolean;
}

const SOURCES = ["selection", "draft", "snap", "handles", "mark"] as const;
type Source = (typeof SOURCES)[number];
type Features = GeoJSON.Feature[];

const feature = (geometry: Geometry, properties: Record<string, unknown>): GeoJSON.Feature => ({
  type: "Feature",
  geometry,
  properties,
});

const ROUND = { "line-join": "round", "line-cap": "round" } as const;
/** Handles past this number are not drawn: the shape is too fine for this zoom. */
const MOST_HANDLES = 3000;
const SNAP = "#ff4fd8";

export class Overlay {
  constructor(private readonly map: MapLibre) {
    for (const source of SOURCES) {
      map.addSource(source, {
        type: "geojson",
        data: { type: "FeatureCollection", features: [] },
        maxzoom: 24,
        // Of a very fine outline only what can be seen is drawn.
        tolerance: source === "selection" ? 0.2 : 0,
      });
    }
    const selected: ExpressionSpecification = ["==", ["get", "role"], "now"];
    const chain: ExpressionSpecification = ["all", selected, ["!=", ["get", "kind"], "point"]];
    this.#line("selection-casing", "selection", chain, CASING, 7, 0.7);
    this.#line("selection-white", "selection", chain, "#ffffff", 4.5, 1);
    this.#line("selection-line", "selection", chain, null, 2, 1);
    map.addLayer(
      {
        id: "selection-fill",
        type: "fill",
        source: "selection",
        filter: ["all", selected, ["==", ["get", "kind"], "ring"]],
        paint: { "fill-color": ["get", "color"], "fill-opacity": 0.1, "fill-antialias": false },
      },
      "selection-casing",
    );
    map.addLayer(
      {
        id: "selection-hatch",
        type: "fill",
        source: "selection",
        filter: ["all", selected, ["==", ["get", "hatched"], true]],
        paint: { "fill-pattern": hatch(["get", "color"]), "fill-opacity": 0.3, "fill-antialias": false },
      },
      "selection-casing",
    );
    map.addLayer({
      id: "selection-before",
      type: "line",
      source: "selection",
      filter: ["==", ["get", "role"], "before"],
      layout: ROUND,
      paint: { "line-color": "#ffffff", "line-width": 1.5, "line-dasharray": [0.1, 2.4] },
    });
    map.addLayer({
      id: "selection-point",
      type: "circle",
      source: "selection",
      filter: ["all", selected, ["==", ["get", "kind"], "point"]],
      paint: {
        "circle-radius": 5.5,
        "circle-color": ["get", "color"],
        "circle-stroke-color": "#ffffff",
        "circle-stroke-width": 2.5,
      },
    });
    map.addLayer({
      id: "draft-fill",
      type: "fill",
      source: "draft",
      filter: ["==", ["get", "role"], "fill"],
      paint: { "fill-color": ["get", "color"], "fill-opacity": 0.14, "fill-antialias": false },
    });
    this.#line("draft-casing", "draft", ["in", ["get", "role"], ["literal", ["line", "band"]]], CASING, 5, 0.7);
    this.#line("draft-line", "draft", ["==", ["get", "role"], "line"], null, 2, 1);
    map.addLayer({
      id: "draft-band",
      type: "line",
      source: "draft",
      filter: ["==", ["get", "role"], "band"],
      layout: { "line-join": "round" },
      paint: { "line-color": "#ffffff", "line-width": 1.5, "line-dasharray": [3.3, 2.7] },
    });
    const also: ExpressionSpecification = ["==", ["get", "role"], "neighbour"];
    this.#line("neighbour-casing", "selection", also, CASING, 4, 0.7);
    this.#line("neighbour-line", "selection", also, null, 1.75, 1);
    map.addLayer({
      id: "snap-outline",
      type: "line",
      source: "snap",
      filter: ["==", ["get", "role"], "outline"],
      layout: ROUND,
      paint: { "line-color": SNAP, "line-width": 1.75 },
    });
    const icons: Omit<SymbolLayerSpecification, "id" | "source"> = {
      type: "symbol",
      layout: {
        "icon-image": ["get", "icon"],
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "symbol-sort-key": ["get", "order"],
      },
    };
    map.addLayer({ id: "handles", source: "handles", ...icons });
    map.addLayer({
      id: "snap-ring",
      type: "circle",
      source: "snap",
      filter: ["==", ["get", "role"], "ring"],
      paint: { "circle-radius": 8.5, "circle-opacity": 0, "circle-stroke-color": SNAP, "circle-stroke-width": 2 },
    });
    map.addLayer({
      id: "mark-casing",
      type: "circle",
      source: "mark",
      paint: { "circle-radius": 11, "circle-opacity": 0, "circle-stroke-color": CASING, "circle-stroke-width": 5 },
    });
    map.addLayer({
      id: "mark",
      type: "circle",
      source: "mark",
      paint: { "circle-radius": 12, "circle-opacity": 0, "circle-stroke-color": "#f2bd55", "circle-stroke-width": 2.5 },
    });
  }

  #line(
    id: string,
    source: Source,
    filter: ExpressionSpecification,
    color: string | null,
    width: number,
    opacity: number,
  ): void {
    this.map.addLayer({
      id,
      type: "line",
      source,
      filter,
      layout: ROUND,
      paint: { "line-color": color ?? ["get", "color"], "line-width": width, "line-opacity": opacity },
    });
  }

  #set(source: Source, features: Features): void {
    (this.map.getSource(source) as GeoJSONSource | undefined)?.setData({ type: "FeatureCollection", features });
  }

  selection(shown: Shown[]): void {
    this.#set(
      "selection",
      shown.flatMap(({ geometry, color, hatched, before, neighbour }) => [
        ...(before ? [feature(before, { role: "before" })] : []),
        feature(geometry, {
          role: neighbour ? "neighbour" : "now",
          color,
          hatched: hatched && chains(geometry)[0]?.kind === "ring",
          kind: chains(geometry)[0]?.kind ?? "point",
        }),
      ]),
    );
  }

  /** Handles of the one selected label; of a very fine one those in view, when they are few enough. */
  handles(geometry: Geometry | null, active: Path | null, view: Bounds): void {
    if (!geometry || geometry.type === "Point") return this.#set("handles", []);
    const all = vertices(geometry);
    const seen = ({ position: [x = 0, y = 0] }: Vertex) => within([x, y, x, y], view);
    const corners = all.length > MOST_HANDLES ? all.filter(seen) : all;
    const onScreen = ([lng = 0, lat = 0]: Position) => this.map.project([lng, lat]);
    const between = all.length > MOST_HANDLES ? [] : midpoints(geometry).filter((middle) => hasRoom(middle, onScreen));
    const shown = corners.length > MOST_HANDLES ? [] : corners;
    const point = (position: Position, icon: string, order: number) =>
      feature({ type: "Point", coordinates: position }, { icon, order });
    this.#set("handles", [
      ...between.map(({ position }) => point(position, "midpoint", 0)),
      ...shown.map(({ path, position }) =>
        active && samePath(path, active) ? point(position, "vertex-active", 2) : point(position, "vertex", 1),
      ),
    ]);
  }

  draft(draft: Draft | null, color: string): void {
    if (!draft) {
      this.#set("draft", []);
      return this.#set("handles", []);
    }
    const { tool, fixed, way, cursor } = draft;
    const { stroke, most } = PLANS[tool];
    const closed = PLANS[tool].closed || isClosed(draft);
    const all = outline(draft);
    const [first] = all;
    const line = (coordinates: Position[], role: string) =>
      feature({ type: "LineString", coordinates }, { role, color });
    const features: Features = [];
    if (closed && all.length >= 3 && first) {
      features.push(feature({ type: "Polygon", coordinates: [[...all, first]] }, { role: "fill", color }));
    }
    // What takes a set number of places is seen as it will be; of the others the next edge is a rubber band.
    if (stroke || Number.isFinite(most))
      features.push(line(closed && !stroke && first ? [...all, first] : all, "line"));
    else {
      const last = fixed.at(-1);
      if (fixed.length >= 2) features.push(line([...fixed], "line"));
      const ahead = [...way, ...(cursor ? [cursor] : [])];
      if (last && ahead.length > 0) {
        features.push(line([last, ...ahead, ...(closed && fixed.length >= 2 && first ? [first] : [])], "band"));
      }
    }
    this.#set(
      "draft",
      features.filter(({ geometry }) => geometry.type !== "LineString" || geometry.coordinates.length > 1),
    );
    const corners = stroke ? [] : tool === "rectangle" || tool === "angled" ? all : fixed;
    this.#set(
      "handles",
      corners.map((position, i) =>
        feature(
          { type: "Point", coordinates: position },
          { icon: corners === fixed && i === corners.length - 1 ? "vertex-active" : "vertex", order: i },
        ),
      ),
    );
  }

  /** What the pointer snaps to: a ring, and the outline of whose it is. */
  snap(snap: Snap | null, neighbour: Geometry | null): void {
    if (!snap) return this.#set("snap", []);
    this.#set("snap", [
      ...(neighbour && chains(neighbour)[0]?.kind !== "point" ? [feature(neighbour, { role: "outline" })] : []),
      feature({ type: "Point", coordinates: snap.position }, { role: "ring" }),
    ]);
  }

  /** Ring the places that the server named. */
  mark(positions: Position[]): void {
    this.#set(
      "mark",
      positions.map((position) => feature({ type: "Point", coordinates: position }, {})),
    );
  }
}
