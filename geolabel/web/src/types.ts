/** What the server speaks: the same nouns as in Python's model. */
import type { Geometry, Position } from "geojson";

export type Bounds = [west: number, south: number, east: number, north: number];

export interface Band {
  /** From 1. */
  index: number;
  name: string;
  dtype: string;
  color: string;
}

export interface Scene {
  id: string;
  crs: string | null;
  bands: Band[];
  width: number;
  height: number;
  datetime: string | null;
  /** Longitude and latitude; west > east when it crosses the antimeridian. */
  bounds: Bounds | null;
  /** Ground size of a pixel in metres: the geometric mean of its two edges. */
  resolution: number | null;
  /** x = a col + b row + c, y = d col + e row + f, in the scene's CRS. */
  transform: [a: number, b: number, c: number, d: number, e: number, f: number];
  synthetic: boolean;
  warnings: string[];
}

export type GeometryKind = "point" | "line" | "polygon";

export interface LabelClass {
  id: number;
  name: string;
  color: string;
  hotkey: string | null;
  /** Ground cover, or a thing that stands on the ground. */
  kind?: "stuff" | "thing";
  parent: string | null;
  geometries: GeometryKind[];
  description: string;
}

export type AttributeValue = string | number | boolean | null;

/** By name; those that are null have no value. */
export type Attributes = Readonly<Record<string, unknown>>;

/** An attribute of the schema: a typed value that labels carry beside their class. */
export interface Attribute {
  name: string;
  kind: "enum" | "number" | "text" | "boolean";
  required: boolean;
  values: string[];
  minimum: number | null;
  maximum: number | null;
  /** Names of the classes whose labels carry it; empty for all. */
  classes: string[];
  title: string;
  description: string;
}

export interface Project {
  id: string;
  title: string;
  crs: string | null;
  classes: LabelClass[];
  attributes: Attribute[];
  /** How to label, in Markdown. */
  guidelines: string;
  scenes: string[];
  /** Labels by class name. */
  counts: Record<string, number>;
}

/** The server's own properties; the project's attributes stand beside them. */
export interface LabelProperties {
  class: string;
  note: string | null;
  status: string;
  source: string;
  confidence: number | null;
  scene: string | null;
  author: string | null;
  created_at: string;
  updated_at: string;
  version: number;
  area_m2?: number | null;
  [attribute: string]: unknown;
}

export interface LabelFeature {
  type: "Feature";
  id: number;
  geometry: Geometry;
  properties: LabelProperties;
}

/** A label as an operation would have it. */
export interface MadeFeature extends Omit<LabelFeature, "id"> {
  id?: number;
  /** Of a new label: which one it is a piece of. */
  from?: number | null;
}

export interface OperationAnswer {
  features: MadeFeature[];
  /** Labels that only got a vertex on their border. */
  neighbours: MadeFeature[];
  deleted: number[];
}

export interface LabelPage {
  features: LabelFeature[];
  numberMatched: number;
  links: { rel: string; href: string }[];
}

export interface HistoryStep {
  operation: "create" | "update" | "delete";
  version: number;
  at: string;
  author: string | null;
  feature: LabelFeature;
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: number;
  kind: string;
  state: JobState;
  /** 0..1 */
  progress: number;
  message: string;
  result: unknown;
}

/** What is in a file of labels. */
export interface FileLook {
  layers: string[];
  crs: string;
  count: number;
  kinds: Record<string, number>;
  fields: { name: string; values: [value: string, count: number][] }[];
  /** The first of its shapes, in longitude and latitude. */
  shapes: Geometry[];
  bounds: Bounds | null;
}

export interface ExportRequest {
  formats: string[];
  chips: {
    size: number;
    stride: number;
    edges?: string;
    min_overlap?: number;
    negatives?: string | number;
    split?: number[];
    split_block?: number;
    split_buffer?: number;
  };
}

/** What an export would make. */
export interface ExportPreview {
  report: {
    chips: Record<string, number>;
    chips_with_labels: Record<string, number>;
    labels: Record<string, Record<string, number>>;
    notes: string[];
    shared_ground: number;
  };
  crs: string | null;
  /** The chips, also those that are left out: `chip split labels left_out color`. */
  grid: GeoJSON.FeatureCollection;
  samples: { chip: string; split: string; labels: number; href: string }[];
}

/** Of one channel of a rendering; null where there is no data. */
export interface ChannelStatistics {
  min: number | null;
  max: number | null;
  percentile_2: number | null;
  percentile_98: number | null;
  histogram: { counts: number[]; edges: number[] } | null;
}

export interface TileJson {
  minzoom: number;
  maxzoom: number;
  bounds: Bounds;
  tiles: string[];
}

/** A backdrop of somebody else's server, which whoever runs this one has named. */
export interface Basemap {
  url: string;
  name: string;
  attribution: string;
  /** Where the attribution leads to. */
  link: string | null;
  min_zoom: number;
  max_zoom: number;
  tile_size: number;
  hosts: string[];
}

export type { Geometry, Position };
