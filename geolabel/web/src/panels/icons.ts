/** Icons in a 16 px box, as paths drawn with a stroke of 1.5. */

const circle = (x: number, y: number, r: number) =>
  `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
const box = (x: number, y: number, w: number, h: number) => `M${x} ${y}h${w}v${h}h${-w}z`;

export const ICONS = {
  alert: "M8 2.5L14.5 13.5h-13zM8 6.5v3.5M8 11.8v.1",
  check: "M3 8.5l3.2 3L13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  cloud: "M4.5 12a3 3 0 01.2-6 3.8 3.8 0 017.2 1.2A2.5 2.5 0 0111.5 12z",
  compare: `${box(2, 3, 12, 10)}M8 3v10`,
  copy: `${box(5.5, 5.5, 8, 8)}M10.5 5.5v-3h-8v8h3`,
  down: "M4.5 6.5L8 10l3.5-3.5",
  download: "M8 2.5V10M5 7l3 3 3-3M3 9.5V13h10V9.5",
  export: "M8 10V2.5M5 5.5l3-3 3 3M3 9.5V13h10V9.5",
  eye: `M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z${circle(8, 8, 2)}`,
  eyeOff:
    "M2.5 2.5l11 11M6.5 3.7A6 6 0 018 3.5c4 0 6.5 4.5 6.5 4.5a11 11 0 01-1.7 2.2M4.3 4.8A11 11 0 001.5 8S4 12.5 8 12.5a6 6 0 003-.8",
  help: `${circle(8, 8, 6)}M6.3 6.3A1.8 1.8 0 018 5c1 0 1.8.7 1.8 1.6 0 1.2-1.8 1.3-1.8 2.4M8 11.2v.1`,
  image: `${box(2, 3, 12, 10)}M2 11l3.5-3.5 3 3L11 8l3 3${circle(6, 6, 1)}`,
  keyboard: `${box(1.5, 4, 13, 8.5)}M4 7h.1M6.5 7h.1M9 7h.1M11.5 7h.1M5 10h6`,
  line: `M3.5 12.5L6.5 5l4 4 2.5-5.5${circle(3.5, 12.5, 1.2)}${circle(13, 3.5, 1.2)}`,
  moon: "M13 9.8A5.5 5.5 0 116.2 3a4.5 4.5 0 006.8 6.800z",
  offline: "M2.5 2.5l11 11M5 6a3 3 0 00-.5 6h7M7 4.7A3.5 3.5 0 0111.7 7.5 2.3 2.3 0 0113 11.4",
  point: `M8 14s4.5-4.2 4.5-7.5a4.5 4.5 0 10-9 0C3.5 9.8 8 14 8 14z${circle(8, 6.5, 1.5)}`,
  polygon: "M3 6l5-3.5L13.5 6l-2 7h-7z",
  rectangle: box(2.5, 4, 11, 8),
  redo: "M13 6.5H6.5a3.5 3.5 0 000 7H10M10.5 4L13 6.5 10.5 9",
  restore: "M3 8a5 5 0 105-5H4M6 1L4 3l2 2",
  search: `${circle(7, 7, 4)}M10 10l3.5 3.5`,
  select: "M3.5 2.5l9 4.2-3.8 1.3-1.4 3.9z",
  spark: "M8 2l1.4 4.6L14 8l-4.6 1.4L8 14l-1.4-4.6L2 8l4.6-1.4z",
  sun: `${circle(8, 8, 2.8)}M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.700l.9.9M12.6 3.4l-.9.9M4.3 11.700l-.9.9`,
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 9h5.8l.6-9",
  undo: "M3 6.5h6.5a3.5 3.5 0 010 7H6M5.5 4L3 6.5 5.5 9",
  zoomTo: `M2.5 5.500v-3h3M10.5 2.500h3v3M13.5 10.500v3h-3M5.5 13.500h-3v-3${circle(8, 8, 1.8)}`,
} as const;

export type IconName = keyof typeof ICONS;
