/** The only caller of `fetch`. */
import type { Positions } from "./places";
import type { BatchAnswer } from "./sync/entry";
import type {
  Basemap,
  Bounds,
  ChannelStatistics,
  ExportPreview,
  ExportRequest,
  FileLook,
  Geometry,
  HistoryStep,
  Job,
  LabelFeature,
  LabelPage,
  OperationAnswer,
  Position,
  Project,
  Scene,
  TileJson,
} from "./types";

/** The server answered, and refused: an `application/problem+json` body. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly errors: { pointer: string; message: string }[] = [],
    /** With a 412: what is there now of each label that somebody else changed. */
    readonly current: unknown = null,
    /** Milliseconds that the server wants to be left alone. */
    readonly retryAfter = 0,
  ) {
    super(detail);
    this.name = "Refused";
  }

  /** The server was too busy, or broken: the same request may succeed later. */
  get temporary(): boolean {
    return this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** No answer came. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached.");
    this.name = "Unreachable";
  }
}

export type OperationName = "split" | "merge" | "union" | "subtract" | "clip" | "simplify" | "buffer" | "repair";

/** Labels to work on, as they are stored (`ids`) or as they are here (`features`), and what to work on them with. */
export interface OperationBody {
  ids: number[];
  features: { type: "Feature"; id?: number; geometry: Geometry; properties: { class: string } }[];
  other_ids?: number[];
  geometry?: Geometry;
  scene?: string;
  /** In metres on the ground. */
  tolerance?: number;
  distance?: number;
  /** False: neighbours are left as they are. */
  borders?: boolean;
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" }, ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<Refused> {
  const retryAfter = 1000 * Math.min(Number(response.headers.get("Retry-After")) || 0, 60);
  try {
    const problem = await response.json();
    const detail = typeof problem.detail === "string" ? problem.detail : null;
    return new Refused(
      response.status,
      detail ?? `The server answered ${response.status} ${response.statusText}.`,
      problem.errors ?? [],
      problem.current ?? null,
      retryAfter,
    );
  } catch {
    return new Refused(
      response.status,
      `The server answered ${response.status} ${response.statusText}.`,
      [],
      null,
      retryAfter,
    );
  }
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call(path, signal ? { signal } : {})).json();
}

function write(method: string, path: string, body: unknown, type: string): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = type;
  return call(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

const segment = encodeURIComponent;

export const scenes = async (): Promise<Scene[]> => (await get<{ scenes: Scene[] }>("/api/scenes")).scenes;

const asked = (query: string | URLSearchParams): string => (String(query) ? `?${query}` : "");

/** @param query how the scene is rendered; refused when it cannot be. */
export const tileJson = (scene: string, query = ""): Promise<TileJson> =>
  get(`/api/scenes/${segment(scene)}/WebMercatorQuad/tilejson.json${asked(query)}`);

export const tileUrl = (scene: string, query = ""): string =>
  `${location.origin}/api/scenes/${segment(scene)}/tiles/WebMercatorQuad/{z}/{x}/{y}.png${asked(query)}`;

/** What the channels of a rendering hold, in the whole scene or in a box. */
export async function statistics(
  scene: string,
  query: URLSearchParams,
  bounds: Bounds | null = null,
): Promise<ChannelStatistics[]> {
  const all = new URLSearchParams(query);
  if (bounds) all.set("bbox", bounds.join(","));
  return (await get<{ channels: ChannelStatistics[] }>(`/api/scenes/${segment(scene)}/statistics${asked(all)}`))
    .channels;
}

/** @param crs of the points: `project`, or a name; CRS84 when not given. */
export function positions(
  project: string,
  points: Position[],
  { crs, scene }: { crs?: string; scene?: string | null } = {},
): Promise<Positions> {
  const query = new URLSearchParams({ points: points.map((point) => point.join(",")).join(";") });
  if (crs) query.set("crs", crs);
  if (scene) query.set("scene", scene);
  return get(`/api/projects/${segment(project)}/positions?${query}`);
}

export const projects = async (): Promise<Project[]> => (await get<{ projects: Project[] }>("/api/projects")).projects;

export async function createProject(body: Record<string, unknown>): Promise<Project> {
  return (await write("POST", "/api/projects", body, "application/json")).json();
}

export async function changeProject(id: string, body: Record<string, unknown>): Promise<Project> {
  return (await write("PATCH", `/api/projects/${segment(id)}`, body, "application/json")).json();
}

/** Register a raster that the server can read, by its path there. */
export async function addScene(href: string): Promise<Scene> {
  return (await write("POST", "/api/scenes", { href }, "application/json")).json();
}

export const previewUrl = (scene: string): string => `/api/scenes/${segment(scene)}/preview.png?max_size=112`;

export const basemaps = async (): Promise<Basemap[]> => (await get<{ basemaps: Basemap[] }>("/api/basemaps")).basemaps;

export const project = (id: string): Promise<Project> => get(`/api/projects/${segment(id)}`);

export async function startExport(project: string, request: ExportRequest): Promise<Job> {
  return (await write("POST", `/api/projects/${segment(project)}/exports`, request, "application/json")).json();
}

/** Send a file of labels; gives the name that the server has for it. */
export async function upload(project: string, file: File): Promise<string> {
  const headers = { Accept: "application/json", "Content-Type": "application/octet-stream" };
  const answer = await call(`/api/projects/${segment(project)}/uploads`, { method: "POST", headers, body: file });
  return (await answer.json()).upload;
}

export function lookAt(
  project: string,
  name: string,
  asked: { name: string; layer: string | null; crs: string | null },
): Promise<FileLook> {
  const query = new URLSearchParams({ name: asked.name.slice(0, 200) });
  if (asked.layer) query.set("layer", asked.layer);
  if (asked.crs) query.set("crs", asked.crs);
  return get(`/api/projects/${segment(project)}/uploads/${segment(name)}?${query}`);
}

export async function importUpload(project: string, name: string, body: Record<string, unknown>): Promise<Job> {
  const at = `/api/projects/${segment(project)}/uploads/${segment(name)}/import`;
  return (await write("POST", at, body, "application/json")).json();
}

export const previewExport = (
  project: string,
  chips: URLSearchParams,
  { samples = 10, lot = 0 }: { samples?: number; lot?: number } = {},
  signal?: AbortSignal,
): Promise<ExportPreview> => {
  const query = new URLSearchParams([...chips, ["samples", String(samples)], ["lot", String(lot)]]);
  return get(`/api/projects/${segment(project)}/exports/preview?${query}`, signal);
};

export const job = (id: number): Promise<Job> => get(`/api/jobs/${id}`);

export async function cancelJob(id: number): Promise<void> {
  await write("DELETE", `/api/jobs/${id}`, undefined, "");
}

export const jobResultUrl = (id: number): string => `/api/jobs/${id}/result`;

/** Where the labels of a project lie; null when that is not on the Earth, or when there are none. */
export async function labelExtent(project: string): Promise<Bounds | null> {
  try {
    return (
      (await get<TileJson>(`/api/collections/${segment(project)}/tiles/WebMercatorQuad/tilejson.json`)).bounds ?? null
    );
  } catch (error) {
    if (error instanceof Refused && !error.temporary) return null;
    throw error;
  }
}

/** The labels of one project. */
export class Items {
  readonly #root: string;

  constructor(project: string) {
    this.#root = `/api/collections/${segment(project)}/items`;
  }

  /** One page of the labels that meet a box, or of all, in order of id, after the one given; of one class when it is named. */
  page(
    bounds: Bounds | null,
    after: number,
    limit: number,
    { signal, of = null }: { signal?: AbortSignal; of?: string | null } = {},
  ): Promise<LabelPage> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (of !== null) query.set("class", of);
    if (bounds) query.set("bbox", bounds.join(","));
    if (after > 0) query.set("after", String(after));
    return get(`${this.#root}?${query}`, signal);
  }

  one(id: number): Promise<LabelFeature> {
    return get(`${this.#root}/${id}`);
  }

  async history(id: number): Promise<HistoryStep[]> {
    return (await get<{ history: HistoryStep[] }>(`${this.#root}/${id}/history`)).history;
  }

  /** What an operation would make of labels; nothing is stored. */
  async operate(name: OperationName, body: OperationBody): Promise<OperationAnswer> {
    return (
      await write("POST", `${this.#root.slice(0, -"items".length)}operations/${name}`, body, "application/json")
    ).json();
  }

  /** The first label of a status after an id. */
  async first(status: string, after: number): Promise<LabelFeature | null> {
    const query = new URLSearchParams({ status, limit: "1" });
    if (after > 0) query.set("after", String(after));
    return (await get<LabelPage>(`${this.#root}?${query}`)).features[0] ?? null;
  }
}

const ANSWER_MS = 60_000;

/** Save edits as one change set. Sent again with the same token, it has its effect once and gives the same answer. */
export async function saveBatch(project: string, body: string, token: string, author = ""): Promise<BatchAnswer> {
  const response = await call(`/api/collections/${segment(project)}/batch`, {
    method: "POST",
    body,
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "Idempotency-Key": token,
      ...(author ? { "Geolabel-Author": encodeURIComponent(author) } : {}),
    },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  try {
    return await response.json();
  } catch {
    throw new Unreachable(); // the page of a proxy or a hotel, or half an answer
  }
}

const personUrl = (project: string, id: string): string => `/api/collections/${segment(project)}/people/${segment(id)}`;

/** Say who is at work on a project, and on which labels. */
export async function come(project: string, id: string, name: string, selection: number[]): Promise<void> {
  await write("PUT", personUrl(project, id), { name, selection: selection.slice(0, 50) }, "application/json");
}

/** Say that somebody has gone; also when the page is about to go. */
export function leave(project: string, id: string): void {
  void fetch(personUrl(project, id), { method: "DELETE", keepalive: true }).catch(() => {});
}
