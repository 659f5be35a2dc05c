/** The middle button moves the map, whatever tool is in hand. */
import type { Map as MapLibre } from "maplibre-gl";

export function panByHand(map: MapLibre, down: PointerEvent): void {
  down.preventDefault();
  let { clientX, clientY } = down;
  const move = (event: PointerEvent) => {
    map.panBy([clientX - event.clientX, clientY - event.clientY], { animate: false });
    ({ clientX, clientY } = event);
  };
  const up = () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", up);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", up);
}
