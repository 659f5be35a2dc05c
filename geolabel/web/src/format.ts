/** Numbers, times and places as the screens write them. */

const grouped = (value: number, decimals: number): string =>
  value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

/** Four figures where there are that many: 328.6, 14,745. */
const figures = (value: number): number => (value >= 1000 ? 0 : value >= 10 ? 1 : 2);

export const area = (m2: number): string =>
  m2 >= 1e6 ? `${grouped(m2 / 1e6, figures(m2 / 1e6))} km²` : `${grouped(m2, figures(m2))} m²`;

export const hectares = (m2: number): string => grouped(m2 / 1e4, m2 >= 1e5 ? 1 : m2 >= 1e3 ? 3 : 4);

export const length = (m: number): string =>
  m >= 10_000 ? `${grouped(m / 1000, figures(m / 1000))} km` : `${grouped(m, figures(m))} m`;

export const resolution = (m: number): string =>
  m >= 1000 ? `${grouped(m / 1000, 1)} km` : `${Number(m.toPrecision(m < 1 ? 2 : 3))} m`;

export const count = (n: number): string => grouped(n, 0);

export function place(lng: number, lat: number): string {
  const degrees = (value: number, positive: string, negative: string) =>
    `${Math.abs(value).toFixed(6)}° ${value < 0 ? negative : positive}`;
  return `${degrees(lat, "N", "S")} ${degrees(((((lng + 180) % 360) + 360) % 360) - 180, "E", "W")}`;
}

/** 3 628 402.06, 39 020.26: metres to the centimetre, degrees to a tenth of a metre. */
export function projected([x = 0, y = 0]: number[]): string {
  const degrees = Math.abs(x) <= 360 && Math.abs(y) <= 90;
  const one = (value: number) => (degrees ? value.toFixed(6) : grouped(value, 2).replaceAll(",", "\u202f"));
  return `${one(x)}, ${one(y)}`;
}

/** 14:32:07, local. */
export const clock = (at: Date): string => at.toLocaleTimeString("en-GB");

/** 14:32 today, else 13 Oct 2018. */
export function when(rfc3339: string, now = new Date()): string {
  const at = new Date(rfc3339);
  if (Number.isNaN(at.getTime())) return rfc3339;
  if (at.toDateString() === now.toDateString()) {
    return at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  }
  const year: Intl.DateTimeFormatOptions = at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return at.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
}

/** A round length for the scale bar: the longest of 1, 2, 5 times a power of ten that fits. */
export function scaleBar(metresPerPixel: number, widest: number): { metres: number; pixels: number } {
  const most = metresPerPixel * widest;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = power * (most / power >= 5 ? 5 : most / power >= 2 ? 2 : 1);
  return { metres, pixels: metres / metresPerPixel };
}

export const distance = (m: number): string =>
  m >= 1000 ? `${m / 1000} km` : m >= 1 ? `${m} m` : `${Math.round(m * 100)} cm`;

/** A title inside a sentence: "Undone: delete 2 labels". Names in it keep their capitals. */
export const inSentence = (title: string): string => title.charAt(0).toLowerCase() + title.slice(1);

/** "1 label", "2 labels": a count and its noun. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
