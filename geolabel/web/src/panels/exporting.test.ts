import { expect, test } from "vitest";
import { asCommand, readExport, readSplit } from "./exporting";

const FIELDS = { formats: ["coco"], size: "256", stride: "", split: "" };

test("the stride is the size unless it is given", () => {
  expect(readExport(FIELDS).request).toEqual({ formats: ["coco"], chips: { size: 256, stride: 256 } });
  expect(readExport({ ...FIELDS, stride: "128" }).request?.chips.stride).toBe(128);
});

test("a split is shares of a hundred, or of one", () => {
  expect(readSplit("70/20/10")).toEqual([0.7, 0.2, 0.1]);
  expect(readSplit("0.8, 0.1, 0.1")).toEqual([0.8, 0.1, 0.1]);
  expect(readSplit("70/20")).toBeNull();
  expect(readSplit("70/20/20")).toBeNull();
});

test("each field that cannot be read has its sentence", () => {
  const { request, problems } = readExport({ formats: [], size: "-3", stride: "x", split: "all" });
  expect(request).toBeNull();
  expect(problems.formats).toBe("Pick at least one format.");
  expect(problems.size).toContain("got -3");
  expect(problems.split).toContain("got all");
});

test("the same on the command line", () => {
  const { request } = readExport({ ...FIELDS, formats: ["coco", "geojson"], split: "70/20/10" });
  expect(request && asCommand("landuse", request)).toBe(
    "geolabel export landuse out/ --format coco,geojson --size 256 --stride 256 --split 0.7,0.2,0.1",
  );
});
