/** What each command does to labels and drawings: for keys, buttons and menus alike. */
import type { Command } from "../keys";
import type { MapView } from "../map/view";
import type { LiveLabel, Session } from "../session.svelte";
import type { Tool } from "./draft";
import { pickClassmates, pickToReview, step, stepFar } from "./picking";
import { duplicate, explode, fillHoles, rejoin, smooth, square } from "./whole";

export interface Stage {
  readonly session: Session;
  readonly view: MapView | null;
  /** Bring a label onto the screen. */
  reveal(label: LiveLabel): void;
  /** Close what lies over the map; false when nothing does. */
  closePanel(): boolean;
  /** Look at one picture again; false when that is so. */
  endComparing(): boolean;
}

/** Do what a command says. Returns false when it is not about labels. */
export function work(command: Command, stage: Stage): boolean {
  const { session } = stage;
  const { hand } = session;
  if (command.startsWith("tool:")) {
    pickTool(command.slice(5) as Tool, stage);
    return true;
  }
  const selected = (act: () => unknown) => () => {
    hand.settle();
    if (session.tool !== "select") session.pickTool("select");
    if (session.selection.length === 0) session.say("Select a label first: press V, then click one.");
    else act();
  };
  const acts: Partial<Record<Command, () => unknown>> = {
    "label:vertices": selected(() => {
      hand.toggleVertices();
      stage.view?.focus();
    }),
    "label:turn": selected(() => {
      hand.toggleTurning();
      stage.view?.focus();
    }),
    "label:merge": selected(() => session.work.merge()),
    "label:square": selected(() => square(session)),
    "label:duplicate": selected(() => duplicate(session, stage.view?.frame.pixel ?? 0)),
    "label:smooth": selected(() => smooth(session)),
    "label:simplify": selected(() => session.amount.ask("simplify")),
    "label:buffer": selected(() => session.amount.ask("buffer")),
    "label:fill": selected(() => fillHoles(session)),
    "label:explode": selected(() => explode(session)),
    "label:rejoin": selected(() => rejoin(session)),
    "label:subtract": selected(() => session.work.withNeighbours("subtract")),
    "label:union": selected(() => session.work.withNeighbours("union")),
    "label:clip": selected(() => session.work.withNeighbours("clip")),
    "vertex:next": () => hand.stepVertex(1),
    "vertex:previous": () => hand.stepVertex(-1),
    "vertex:insert": () => hand.insertVertex(),
    trace: () => {
      hand.tracing = !hand.tracing;
    },
    finish: () => finish(stage),
    back: () => (stage.view?.drawing ? stage.view.back() : remove(session)),
    escape: () => leave(stage),
    delete: () => remove(session),
    undo: () => undo(stage),
    redo: () => stage.view?.forward() || stage.view?.drawing || session.edits.redo(),
    next: () => go(1, stage),
    previous: () => go(-1, stage),
    "next:add": () => go(1, stage, true),
    "previous:add": () => go(-1, stage, true),
    review: () => review(stage),
    "class:lock": () => session.palette.toggleLock(session.selected()[0]?.content.class ?? session.className),
    "class:all": () => {
      if (session.tool !== "select") session.pickTool("select");
      void classmates(stage);
    },
  };
  const act = acts[command];
  act?.();
  return act !== undefined;
}

/** Take a tool in hand; the map gets the focus, so that its keys are the tool's. */
export function pickTool(tool: Tool, { session, view, closePanel }: Stage): void {
  closePanel();
  if (tool !== "select") view?.focus();
  session.pickTool(tool);
}

function finish({ session, view }: Stage): void {
  if (session.tool !== "select") view?.finish();
  else session.hand.end();
}

function remove(session: Session): void {
  if (session.tool !== "select") return;
  session.hand.settle();
  if (session.vertex) session.hand.removeVertex(session.vertex);
  else session.edits.remove();
}

function undo({ session, view }: Stage): void {
  if (view?.drawing) view.back();
  else if (session.hand.nudge.x !== 0 || session.hand.nudge.y !== 0) session.hand.cancel();
  else if (!view?.revive()) session.edits.undo();
}

function leave({ session, view, closePanel, endComparing }: Stage): void {
  if (session.amount.end() || view?.cancel() || closePanel() || session.hand.cancel() || endComparing()) return;
  if (session.vertex) session.vertex = null;
  else if (session.tool !== "select") session.pickTool("select");
  else session.select([]);
}

/** Steps that are under way: each goes on from where the one before it led. */
let steps: Promise<void> = Promise.resolve();

function go(by: 1 | -1, { session, view, reveal }: Stage, add = false): void {
  if (session.tool !== "select") session.pickTool("select");
  steps = steps.then(async () => {
    const label = view?.labels.tiled ? await stepFar(session, by, add, view.labels.exact) : step(session, by, add);
    if (label) reveal(label);
  });
}

async function classmates({ session, view }: Stage): Promise<void> {
  const name = session.selected()[0]?.content.class ?? session.className;
  if (!view || (await view.labels.learn(view.frame.bounds(), "view", name))) pickClassmates(session, name);
}

async function review({ session, reveal }: Stage): Promise<void> {
  if (session.tool !== "select") session.pickTool("select");
  const label = await pickToReview(session);
  if (label) reveal(label);
}
