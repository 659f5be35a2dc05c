/** The map of a workbench: opened where the address says, with every scene of the project. */
import { MapView } from "../map/view";
import { readPlace } from "../place";
import type { Workbench } from "./workbench.svelte";

/** Returns what closes it, and ends the session. */
export function openMap(bench: Workbench, container: HTMLElement): () => void {
  let made: MapView | null = null;
  let gone = false;
  const open = async () => {
    const opened = await MapView.open(container, bench.session, {
      pointer: (at) => {
        bench.pointer = at;
      },
      camera: (now) => {
        bench.camera = now;
      },
      box: (now) => {
        bench.box = now;
      },
      steered: (at) => {
        bench.steered = at;
      },
      idle: (now) => {
        bench.idle = now;
      },
      loaded: (matched, whole) => {
        bench.notice = whole ? null : `${matched.toLocaleString("en-GB")} labels in view: zoom in to see them all`;
      },
      failed: (sentence) => {
        bench.loadFailure = sentence;
      },
    });
    if (gone) return opened.remove();
    made = opened;
    goToPlace(bench, opened);
    opened.map.on("moveend", () => {
      void bench.places.around(opened.frame.bounds(), bench.session.scene);
    });
    await addScenes(bench, opened);
    if (gone) return;
    bench.view = opened;
    await opened.labels.load();
  };
  void open();
  return () => {
    gone = true;
    bench.session.stop();
    made?.remove();
  };
}

function goToPlace(bench: Workbench, view: MapView): void {
  const place = readPlace();
  const here = place.project === bench.project.id;
  if (here) bench.seeing.take(place.looks);
  if (place.at && here) view.map.jumpTo(place.at);
  else view.frame.fitScenes(bench.padding());
}

async function addScenes({ scenes, seeing }: Workbench, view: MapView): Promise<void> {
  const added = scenes.map((scene) =>
    view.pictures.add(scene, $state.snapshot(seeing.look(scene.id))).catch((error: Error) => {
      seeing.failures[scene.id] = error.message;
    }),
  );
  await Promise.all(added);
}
