"""The report of a dataset: every number again, from the files that were written."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from shapely.geometry import Polygon

from geolabel.geo import crs as crs_

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.formats.conftest import Exported


def rows(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "chips.parquet").to_pylist()


def coco(out: Path, split: str) -> dict[str, Any]:
    return json.loads((out / f"coco/{split}.json").read_bytes())


@pytest.mark.parametrize("name", ["kampala", "swellendam", "elkton"])
def test_statistics_are_those_of_the_written_pixels(name: str, exported: Callable[[str], Exported]) -> None:
    done = exported(name)
    report = json.loads((done.out / "report.json").read_bytes())
    statistics = report["statistics"]
    pixels = valid = 0
    values: dict[str, list[np.ndarray]] = {}
    with rasterio.open(done.raster) as scene:
        colors = [color.name for color in scene.colorinterp]
        for row in rows(done.out):
            with rasterio.open(done.out / row["image"]) as chip:
                image = chip.read()
            # What is real, by the source file alone: the part on the scene, by its own mask.
            real = np.zeros(image.shape[1:], dtype=bool)
            height, width = min(row["height"], scene.height - row["row"]), min(row["width"], scene.width - row["col"])
            window = rasterio.windows.Window(row["col"], row["row"], width, height)
            real[:height, :width] = scene.dataset_mask(window=window) > 0
            pixels += real.size
            valid += int(real.sum())
            values.setdefault(row["split"], []).append(image[:, real])
    assert (statistics["pixels"], statistics["valid"], statistics["hidden"]) == (pixels, valid, 0)
    for split, parts in values.items():
        every = np.concatenate(parts, axis=1).astype(float)
        for band, color, ours in zip(every, colors, statistics["bands"][split], strict=True):
            if color == "alpha":
                assert ours is None
                continue
            assert ours["count"] == band.size
            assert ours["mean"] == pytest.approx(band.mean(), rel=1e-9)
            assert ours["std"] == pytest.approx(band.std(), rel=1e-9)
            assert (ours["min"], ours["max"]) == (band.min(), band.max())


@pytest.mark.parametrize("name", ["kampala", "beaufort"])
def test_counts_are_those_of_the_written_labels(name: str, exported: Callable[[str], Exported]) -> None:
    done = exported(name)
    report = json.loads((done.out / "report.json").read_bytes())
    table = rows(done.out)
    assert report["chips"] == {s: n for s in report["chips"] if (n := sum(r["split"] == s for r in table)) is not None}
    assert report["chips_with_labels"] == {
        s: sum(r["split"] == s and r["labels"] > 0 for r in table) for s in report["chips"]
    }
    bins = np.zeros(15, dtype=int)
    on: set[int] = set()
    shares = []
    for split in report["chips"]:
        found = coco(done.out, split)
        names = {c["id"]: c["name"] for c in found["categories"]}
        counts = Counter(names[a["category_id"]] for a in found["annotations"])
        assert {n: c for n, c in report["labels"][split].items() if c} == counts
        on |= {a["geo"]["annotation"] for a in found["annotations"]}
        for a in found["annotations"]:
            bins[min(int(np.log2(max(a["area"] ** 0.5, 1))), 14)] += 1
        if counts:
            shares.append([counts[n] / sum(counts.values()) for n in names.values()])
    assert report["exported"] == len(on)
    assert np.sum(list(report["statistics"]["object_sizes"]["counts"].values()), axis=0).tolist() == bins.tolist()
    gap = np.ptp(np.array(shares), axis=0).max() if len(shares) > 1 else None
    assert report["proof"]["class_gap"] == (None if gap is None else pytest.approx(gap, abs=1e-9))


@pytest.mark.parametrize("name", ["kampala", "swellendam", "beaufort"])
def test_no_ground_is_shared_by_the_transforms_that_were_written(
    name: str, exported: Callable[[str], Exported]
) -> None:
    """Footprints from chips.parquet alone, on the ground in degrees: nothing of how chips were split is known here."""
    done = exported(name)
    report = json.loads((done.out / "report.json").read_bytes())
    assert report["shared_ground"] == 0
    outlines, splits = [], []
    for row in rows(done.out):
        a, b, c, d, e, f = row["transform"]
        w, h = row["width"], row["height"]
        outlines.append(Polygon([(a * x + b * y + c, d * x + e * y + f) for x, y in ((0, 0), (w, 0), (w, h), (0, h))]))
        splits.append(row["split"])
    crs = {row["crs"] for row in rows(done.out)}.pop()
    degrees = crs_.transform_geometries(np.array(outlines, dtype=object), crs, "OGC:CRS84")
    for one in set(splits):
        for other in set(splits) - {one}:
            of = [np.array([s == name for s in splits]) for name in (one, other)]
            shared = shapely.intersection(*(shapely.union_all(degrees[which]) for which in of)).area
            assert shared <= 1e-6 * float(shapely.area(degrees).min()) * len(splits)


class _Page(HTMLParser):
    """What a page asks for, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: Counter[str] = Counter()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.asked += [value or "" for name, value in attrs if name in {"src", "href", "data", "srcset", "action"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_the_numbers_and_asks_for_nothing(exported: Callable[[str], Exported]) -> None:
    done = exported("kampala")
    source = (done.out / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(source)
    assert all(value.startswith("data:image/jpeg;base64,") for value in page.asked)
    assert not re.search(r"url\((?!#)|@import|<script", source)
    assert page.tags["svg"] == 1
    report = json.loads((done.out / "report.json").read_bytes())
    text = re.sub(r"\s+", " ", page.text)
    for split, count in report["chips"].items():
        assert f"{split}{count:,}" in text.replace(" ", "")
    assert "Shared ground: 0." in text
    means = [band["mean"] for band in report["statistics"]["bands"]["train"]]
    assert f"mean = [{', '.join(f'{m:.8g}' for m in means)}]" in text
    for note in report["notes"]:
        assert note in page.text or "left out" in note or "fell on no chip" in note
    for reason, count in report["left_out"].items():
        assert not count or re.search(rf"{count:,} (annotations|pieces|chips)", text), reason
    for heading in (
        "Splits",
        "Class balance",
        "Where the chips lie",
        "Object sizes",
        "Pixel values",
        "Left out",
        "Contact sheet",
        "Made from",
    ):
        assert heading in text
    # A chip on the map for each chip of the dataset, and for each that was left out.
    outlines = "".join(re.findall(r' d="([^"]*)"', source[source.index("<svg") :]))
    assert (
        outlines.count("Z")
        == sum(report["chips"].values()) + report["left_out"]["straddling"] + report["left_out"]["unseen"]
    )


def test_names_cannot_break_out_of_the_page(exported: Callable[[str], Exported], tmp_path: Path) -> None:
    from geolabel import workflows
    from geolabel.chips.spec import ChipSpec

    done = exported("elkton")
    nasty = "<script>alert(1)</script>'\"&"
    store = done.store
    made = workflows.create_project(store, nasty, scenes=[s.id for s in store.scenes()], classes=[nasty])
    workflows.export(store, made.id, tmp_path / "out", ["coco"], ChipSpec(size=64))
    source = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in source
    page = _Page()
    page.feed(source)
    assert page.tags["script"] == 0
    assert nasty in page.text
