import { expect, test } from "vitest";
import { asCommand, asQuery, outcomeOf, PLAIN, readExport, readSplit } from "./exporting";

const FIELDS = { ...PLAIN, formats: ["coco"], size: "256", stride: "", split: "" };

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
  const { request, problems } = readExport({ ...PLAIN, formats: [], size: "-3", stride: "x", split: "all" });
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

test("a field says its name when it is wrong, also beside another", () => {
  const { problems } = readExport({ ...FIELDS, size: "1e3", stride: "0" });
  expect(problems.size).toBe("Size: expected a whole number from 1 to 16384, got 1e3.");
  expect(problems.stride).toBe("Stride: expected a whole number from 1 to 16384, got 0.");
});

test("a finished export says what is in it", () => {
  const result = { chips: { train: 8, val: 16, test: 0 }, exported: 1, notes: ["Split test has no chips."] };
  expect(outcomeOf(result)).toEqual({
    text: "24 chips with 1 label: 8 train, 16 val, 0 test.",
    notes: ["Split test has no chips."],
  });
  expect(outcomeOf(null)).toBeNull();
});

test("what is left at its plain value is not asked for; the rest goes to the preview as well", () => {
  const { request } = readExport({
    ...FIELDS,
    overlap: "20",
    edges: "drop",
    negatives: "none",
    split: "70/15/15",
    block: "4",
    buffer: "1",
  });
  expect(request?.chips).toMatchObject({
    edges: "drop",
    min_overlap: 0.2,
    negatives: "none",
    split_block: 4,
    split_buffer: 1,
  });
  expect(request && asQuery(request).get("split")).toBe("0.7,0.15,0.15");
  expect(readExport({ ...FIELDS, block: "4" }).request?.chips.split_block).toBeUndefined();
  expect(readExport({ ...FIELDS, overlap: "120" }).problems.overlap).toContain("got 120");
});
