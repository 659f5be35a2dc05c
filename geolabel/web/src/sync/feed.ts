/** What others do to a project: server-sent events, over one connection for all tabs of this browser. */
import type { LabelFeature } from "../types";
import { leadAmongTabs } from "./leader";

/** One change set, by whoever and from wherever. */
export interface Told {
  changeset: number;
  kind: string;
  author: string | null;
  created: number;
  updated: number;
  deleted: number;
  /** What was made or changed; null when it is too much to tell. */
  features: LabelFeature[] | null;
  gone?: { id: number; version: number }[];
  /** What was there before. */
  before?: { id: number; class: string; bbox: [number, number, number, number] | null }[];
}

export interface Person {
  id: string;
  name: string;
  selection: number[];
}

export interface Hearer {
  changes(told: Told): void;
  /** Too much happened: read again what is shown. */
  reset(): void;
  /** Its classes, attributes, guidelines, title or scenes may be others now. */
  project(): void;
  people(people: Person[]): void;
}

const NAMES = ["hello", "changes", "reset", "project", "people", "gone"] as const;

type Heard = { name: (typeof NAMES)[number]; data: unknown; seen: number };

const AGAIN_MS = 5000;

/** Listen until told to stop. */
export function follow(project: string, hearer: Hearer): () => void {
  const channel = new BroadcastChannel(`geolabel:events:${project}`);
  const address = `/api/collections/${encodeURIComponent(project)}/events`;
  let seen: number | null = null;
  let people: Person[] = [];
  let greeted = false; // a second time, the line was cut in between

  const hear = ({ name, data, seen: number }: Heard) => {
    if (number > 0 || seen === null) seen = Math.max(seen ?? 0, number);
    if (name === "changes") hearer.changes(data as Told);
    else if (name === "reset") hearer.reset();
    else if (name === "project" || (name === "hello" && greeted)) hearer.project();
    if (name === "hello") greeted = true;
    if (name === "people") {
      people = data as Person[];
      hearer.people(people);
    }
  };
  let leading = false;
  channel.onmessage = ({ data }: MessageEvent<Heard | "who">) => {
    if (data !== "who") hear(data);
    else if (leading) channel.postMessage({ name: "people", data: people, seen: seen ?? 0 } satisfies Heard);
  };
  channel.postMessage("who");

  const end = leadAmongTabs(`geolabel:events:${project}`, () => {
    leading = true;
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const open = () => {
      source = new EventSource(seen === null ? address : `${address}?since=${seen}`);
      for (const name of NAMES) {
        source.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
          const heard: Heard = { name, data: JSON.parse(data), seen: Number(lastEventId) || 0 };
          hear(heard);
          channel.postMessage(heard);
        });
      }
      source.onerror = () => {
        if (source?.readyState !== EventSource.CLOSED) return; // it comes back by itself
        timer = setTimeout(open, AGAIN_MS);
      };
    };
    open();
    return () => {
      leading = false;
      clearTimeout(timer);
      source?.close();
    };
  });
  return () => {
    end();
    channel.close();
  };
}
