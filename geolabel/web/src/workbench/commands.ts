/** What each command does: for keys, buttons and menus alike. */
import { work } from "../editor/commands";
import type { Command } from "../keys";
import { nextDrawn } from "../map/drawn";
import type { Show } from "../map/look";
import { prefs } from "../prefs.svelte";
import type { Workbench } from "./workbench.svelte";

export function run(command: Command, bench: Workbench, showHelp: () => void): void {
  if (work(command, bench.stage)) return;
  const { session, seeing, comparing } = bench;
  switch (command) {
    case "zoom":
      return bench.zoom();
    case "outline":
      seeing.drawn = nextDrawn(seeing.drawn);
      return;
    case "list":
      return bench.toggleList();
    case "panels":
      prefs.panels = !prefs.panels;
      return;
    case "goto":
      bench.seeking = true;
      return;
    case "compare":
      return comparing.on ? comparing.stop() : bench.compare();
    case "flicker":
      if (!comparing.on) bench.compare("flicker");
      return comparing.hold(true);
    case "divider:left":
      return comparing.move(-1);
    case "divider:right":
      return comparing.move(1);
    case "show:natural":
    case "show:false-color":
    case "show:ndvi":
    case "show:ndwi":
      return void bench.look(command.slice(5) as Show);
    case "stretch":
      if (session.scene) void seeing.stretch(session.scene, "view", bench.view?.frame.bounds() ?? null);
      return;
    case "help":
      return showHelp();
    case "focus":
      return nextPart(bench.root);
  }
}

const PARTS = [
  ".maplibregl-canvas",
  "[data-part=rail] button",
  "[data-part=panels] button",
  "[data-part=inspector] button",
  "[data-part=export] button",
  "header a",
];

function nextPart(root: HTMLElement | null): void {
  const parts = PARTS.map((part) => root?.querySelector<HTMLElement>(part)).filter((part) => !!part);
  const here = document.activeElement;
  const at = parts.findIndex((part) => part === here || part.closest("[data-part], header")?.contains(here));
  parts[(at + 1) % parts.length]?.focus();
}
