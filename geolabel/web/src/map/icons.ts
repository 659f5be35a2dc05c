/** Handles, drawn here: the style has no sprite. */
import type { Map as MapLibre } from "maplibre-gl";

const RATIO = 2;
const DARK = "#0b0c0e";
const YOU = "#4d8dff";

export function addIcons(map: MapLibre): void {
  draw(map, "vertex", 13, (pen) => square(pen, 13, 9, DARK, "#ffffff", 1));
  draw(map, "vertex-active", 16, (pen) => square(pen, 16, 12, "#ffffff", YOU, 2));
  draw(map, "midpoint", 10, (pen) => {
    pen.globalAlpha = 0.75;
    pen.beginPath();
    pen.arc(5, 5, 3.5, 0, 2 * Math.PI);
    pen.fillStyle = DARK;
    pen.fill();
    pen.beginPath();
    pen.arc(5, 5, 2.5, 0, 2 * Math.PI);
    pen.fillStyle = "#ffffff";
    pen.fill();
  });
}

/** The picture of a hatch in a colour, at 45 degrees; with a dark casing, so that it holds on any ground. */
export const hatchNamed = (color: string): string => `hatch-${color}`;

export function addHatch(map: MapLibre, color: string): void {
  draw(map, hatchNamed(color), 8, (pen) => {
    for (const [stroke, width] of [
      [DARK, 3],
      [color, 1.75],
    ] as const) {
      pen.strokeStyle = stroke;
      pen.lineWidth = width;
      for (const x of [-4, 4, 12]) {
        pen.beginPath();
        pen.moveTo(x - 4, 12);
        pen.lineTo(x + 12, -4);
        pen.stroke();
      }
    }
  });
}

function square(
  pen: CanvasRenderingContext2D,
  size: number,
  side: number,
  edge: string,
  inside: string,
  width: number,
) {
  const start = (size - side) / 2;
  pen.fillStyle = edge;
  pen.fillRect(start - width / 2, start - width / 2, side + width, side + width);
  pen.fillStyle = inside;
  pen.fillRect(start + width / 2, start + width / 2, side - width, side - width);
}

function draw(map: MapLibre, name: string, size: number, paint: (pen: CanvasRenderingContext2D) => void): void {
  const canvas = document.createElement("canvas");
  canvas.width = size * RATIO;
  canvas.height = size * RATIO;
  const pen = canvas.getContext("2d");
  if (!pen || map.hasImage(name)) return;
  pen.scale(RATIO, RATIO);
  paint(pen);
  map.addImage(name, pen.getImageData(0, 0, canvas.width, canvas.height), { pixelRatio: RATIO });
}
