/** The map follows what happens to labels, selection, scenes and preferences. */
import { prefs } from "../prefs.svelte";
import { saving } from "../sync/saving.svelte";
import type { Workbench } from "./workbench.svelte";

/** To be called while a component is made. */
export function follow(bench: Workbench): void {
  const { session, seeing } = bench;
  followSession(bench);
  $effect(() => bench.view?.labels.classes(session.project.classes));
  $effect(() => bench.view?.labels.hide(session.palette.hidden));
  $effect(() => bench.view?.labels.show(seeing.labelsShown));
  $effect(() => bench.view?.labels.fill(prefs.fill, prefs.labels, seeing.drawn));
  $effect(() => {
    const { backdrop } = bench.view?.pictures ?? {};
    if (!backdrop) return;
    backdrop.onFailure = (sentence) => {
      bench.backdrops.failure = sentence;
    };
    backdrop.onCredit = (text) => {
      bench.backdrops.credit = text;
    };
    backdrop.show(bench.backdrops.shown, bench.backdrops.opacity);
  });
  $effect(() => {
    for (const s of bench.scenes) bench.view?.pictures.style(s, $state.snapshot(seeing.look(s.id)));
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
      void bench.view?.labels.refresh(true);
      void bench.view?.labels.load();
    }
  });
  $effect(() => {
    session.preview;
    saving.entries;
    session.others.settle();
  });
  $effect(() => {
    session.draft;
    session.measured;
    session.className;
    bench.view?.drawDraft();
  });
  $effect(() => {
    session.desk.troubles;
    session.revision;
    bench.view?.drawTroubles();
  });
  $effect(() => {
    if (bench.view) void places.around(bench.view.frame.bounds(), session.scene);
  });
}
