/** The map follows what happens to labels, selection, scenes and preferences. */
import { prefs } from "../prefs.svelte";
import { saving } from "../sync/saving.svelte";
import type { Workbench } from "./workbench.svelte";

/** To be called while a component is made. */
export function follow(bench: Workbench): void {
  const { session, seeing } = bench;
  followSession(bench);
  $effect(() => bench.view?.classes(session.project.classes));
  $effect(() => bench.view?.hideClasses(session.hidden));
  $effect(() => bench.view?.showLabels(seeing.labelsShown));
  $effect(() => bench.view?.fill(prefs.fill, prefs.labels, seeing.drawn));
  $effect(() => {
    for (const s of bench.scenes) bench.view?.styleScene(s, $state.snapshot(seeing.look(s.id)));
  });
}

function followSession(bench: Workbench): void {
  const { session, places } = bench;
  $effect(() => {
    bench.view?.setTool(session.tool);
  });
  $effect(() => {
    session.revision;
    session.tool;
    session.selection;
    session.vertex;
    session.preview;
    session.hand.turning;
    bench.view?.drawSelection();
  });
  $effect(() => bench.view?.drawSnap());
  $effect(() => bench.view?.panByKeys(["idle", "selected"].includes(session.hand.scope)));
  $effect(() => {
    session.revision;
    session.people.others;
    bench.view?.drawPeople();
  });
  $effect(() => {
    session.revision;
    const ids = session.selection.map((key) => session.labels.get(key)?.id ?? 0).filter((id) => id > 0);
    session.people.select(ids);
  });
  $effect(() => {
    if (session.reloads > 0) {
      void bench.view?.refreshTiles(true);
      void bench.view?.load();
    }
  });
  $effect(() => {
    session.preview;
    saving.entries;
    session.others.settle();
  });
  $effect(() => {
    session.draft;
    session.className;
    bench.view?.drawDraft();
  });
  $effect(() => {
    session.desk.troubles;
    session.revision;
    bench.view?.drawTroubles();
  });
  $effect(() => {
    if (bench.view) void places.around(bench.view.bounds(), session.scene);
  });
}
