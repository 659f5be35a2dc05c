/** What the server speaks: the same nouns as in Python's model. */
import type { Geometry, Position } from "geojson";

export type Bounds = [west: number, south: number, east: number, north: number];

export interface Scene {
  id: string;
  crs: string | null;
  width: number;
  height: number;
  datetime: string | null;
  /** Longitude and latitude; west > east when it crosses the antimeridian. */
  bounds: Bounds | null;
  /** Ground size of a pixel in metres. */
  resolution: number | null;
  synthetic: boolean;
  warnings: string[];
}

export type GeometryKind = "point" | "line" | "polygon";

export interface LabelClass {
  id: number;
  name: string;
  color: string;
  hotkey: string | null;
  geometries: GeometryKind[];
  description: string;
}

export interface Project {
  id: string;
  title: string;
  crs: string | null;
  classes: LabelClass[];
  scenes: string[];
  /** Labels by class name. */
  counts: Record<string, number>;
}

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
}

export interface LabelFeature {
  type: "Feature";
  id: number;
  geometry: Geometry;
  properties: LabelProperties;
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

export interface ExportRequest {
  formats: string[];
  chips: { size: number; stride: number; split?: number[] };
}

export interface TileJson {
  minzoom: number;
  maxzoom: number;
  bounds: Bounds;
  tiles: string[];
}

export type { Geometry, Position };
