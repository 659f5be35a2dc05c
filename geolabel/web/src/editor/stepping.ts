/** The label before or after another one, in order of id, among labels that the page has not read. */
import type { LabelFeature, LabelPage } from "../types";

export interface Ordered {
  /** Labels in order of id, after one; of the whole project when there is no box. */
  page(bounds: null, after: number, limit: number): Promise<LabelPage>;
}

const PAGE = 40;
/** How much further back is looked each time that nothing was found. */
const FURTHER = 8;

/**
 * @param id from which one; null for the first, or the last.
 * @param open which labels may be stepped to.
 */
export async function nextOf(
  items: Ordered,
  id: number | null,
  by: 1 | -1,
  open: (label: LabelFeature) => boolean,
): Promise<LabelFeature | null> {
  return by === 1 ? await first(items, id ?? 0, open) : await last(items, id ?? (await lastId(items)) + 1, open);
}

async function first(items: Ordered, after: number, open: (label: LabelFeature) => boolean) {
  for (let from = after; ; ) {
    const { features } = await items.page(null, from, PAGE);
    const found = features.find(open);
    if (found || features.length < PAGE) return found ?? null;
    from = features.at(-1)?.id ?? from;
  }
}

/** The server counts upwards only: look at a stretch of numbers before it, then at a longer one before that. */
async function last(items: Ordered, before: number, open: (label: LabelFeature) => boolean) {
  let found: LabelFeature | null = null;
  for (let [to, span] = [before, PAGE]; to > 1 && !found; span *= FURTHER) {
    const start = Math.max(0, to - 1 - span);
    for (let from = start; from < to - 1; ) {
      const { features } = await items.page(null, from, PAGE);
      for (const label of features) if (label.id < to && open(label)) found = label;
      if (features.length < PAGE) break;
      from = features.at(-1)?.id ?? to;
    }
    to = start + 1;
  }
  return found;
}

async function lastId(items: Ordered): Promise<number> {
  let [low, high] = [0, 1];
  const beyond = async (id: number) => (await items.page(null, id, 1)).features.length === 0;
  while (!(await beyond(high))) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await beyond(middle)) high = middle;
    else low = middle;
  }
  return high;
}
