import { describe, expect, it } from "vitest";
import type { Scene } from "../types";
import { channelsOf, nextShow, PLAIN, queryOf, readLook, shortLook, showing, showsOf } from "./look";

const scene = (...names: string[]): Scene =>
  ({ id: "s", bands: names.map((name, i) => ({ index: i + 1, name, dtype: "uint8", color: "undefined" })) }) as Scene;
const RGB = scene("Band 1", "Band 2", "Band 3");
const FOUR = scene("Band 1", "Band 2", "Band 3", "Band 4");

describe("the rendering of a scene", () => {
  it("offers infrared only where there is some", () => {
    expect(showsOf(RGB)).toEqual(["natural", "bands", "expression"]);
    expect(showsOf(FOUR)).toContain("ndvi");
    expect(showsOf(scene("B02", "B03", "B04", "B08", "B11"))).toContain("false-color");
  });

  it("asks the server for what is not its own way", () => {
    expect(queryOf(PLAIN, FOUR)).toBe("");
    const ndvi = showing(PLAIN, "ndvi", FOUR);
    expect(queryOf(ndvi, FOUR)).toBe("preset=ndvi&colormap=rdylgn");
    const bands = {
      ...showing(PLAIN, "bands", FOUR),
      bands: [4, 3, 2],
      gamma: 1.2,
      range: [[0, 90] as [number, number]],
    };
    expect(queryOf(bands, FOUR)).toBe("bidx=4%2C3%2C2&rescale=0%2C90&gamma=1.2");
    expect(channelsOf(bands, FOUR)).toBe(3);
  });

  it("has no colormap for a picture in colours", () => {
    expect(queryOf({ ...PLAIN, colormap: "viridis" }, RGB)).toBe("");
    expect(queryOf({ ...PLAIN, colormap: "viridis" }, scene("pan"))).toBe("colormap=viridis");
  });

  it("goes round with one key", () => {
    expect(nextShow(PLAIN, FOUR, 1)).toBe("false-color");
    expect(nextShow(PLAIN, FOUR, -1)).toBe("ndwi");
    expect(nextShow(PLAIN, RGB, 1)).toBe("natural");
  });

  it("goes into an address and back", () => {
    const look = { ...showing(PLAIN, "ndvi", FOUR), opacity: 40, gamma: 1.3 };
    expect(readLook(shortLook(look))).toEqual(look);
    expect(shortLook(PLAIN)).toBe("");
  });

  it("takes nothing from an address that cannot be", () => {
    expect(readLook("not json")).toEqual(PLAIN);
    expect(readLook('{"opacity":"<b>","gamma":99,"show":"toString","range":[1],"colormap":"x"}')).toEqual(PLAIN);
  });
});
