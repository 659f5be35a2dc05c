/** What is drawn of a label: its outline, its fill, or both. */
export type Drawn = "both" | "outline" | "fill";

const ORDER: readonly Drawn[] = ["both", "outline", "fill"];
/** A fill that is all there is of a label is at least so strong, in percent. */
const FAINTEST = 18;
const HOVERED = 0.16;
const STRONGEST = 0.8;

export const nextDrawn = (drawn: Drawn): Drawn => ORDER[(ORDER.indexOf(drawn) + 1) % ORDER.length] ?? "both";

export interface Opacity {
  plain: number;
  hover: number;
}

/**
 * How strong the fill of polygons is, 0..1.
 *
 * @param fill 0..60 percent.
 * @param whole of all that is drawn of a label, 0..100 percent.
 */
export function fillOpacity(fill: number, whole: number, drawn: Drawn): Opacity {
  if (drawn === "outline") return { plain: 0, hover: 0 };
  const plain = ((drawn === "fill" ? Math.max(fill, FAINTEST) : fill) / 100) * (whole / 100);
  return { plain, hover: Math.min(plain + HOVERED, STRONGEST) };
}
