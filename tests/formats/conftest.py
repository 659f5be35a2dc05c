"""Real pairs of imagery and labels, each exported once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.formats import vector
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from geolabel.formats.report import ExportReport
    from geolabel.store.store import Store


@dataclass(frozen=True)
class Pair:
    """A raster, a file of labels, and how the labels say their class (None: all are `thing`)."""

    raster: str
    labels: str
    layer: str | None = None
    field: str | None = None
    size: int = 256


PAIRS = {
    "kampala": Pair("kampala_rgb_buildings/kampala_z20_rgb.tif", "kampala_rgb_buildings/buildings.geojson"),
    "atlanta": Pair("atlanta_pan16_buildings/atlanta_pan.tif", "atlanta_pan16_buildings/buildings_epsg32616.geojson"),
    "swellendam": Pair(
        "swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif", "swellendam_rgba_osm/osm.gpkg", "buildings", size=512
    ),
    "swellendam-roads": Pair(
        "swellendam_rgba_osm/3420B_2010_328_RGB_LATLNG.tif", "swellendam_rgba_osm/osm.gpkg", "roads", size=512
    ),
    "beaufort": Pair(
        "beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif",
        "beaufort_s2_landcover/rcr_landcover.shp",
        field="Classname",
        size=512,
    ),
    "elkton": Pair(
        "elkton_l8_uint16_landcover/l8_elkton_uint16.tif", "elkton_l8_uint16_landcover/labels.geojson", size=64
    ),
}
FORMATS = ("coco", "geojson", "mask-semantic")


@dataclass(frozen=True)
class Exported:
    """A pair after its export.

    Attributes:
        raster: the source file.
        frame: the labels as geopandas reads them, repaired, in their own CRS, with a column `value`: the class id.
        out: the dataset.
    """

    raster: Path
    frame: gpd.GeoDataFrame
    out: Path
    report: ExportReport
    store: Store
    project: str
    spec: ChipSpec


@pytest.fixture(scope="session")
def exported(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    made: dict[str, Exported] = {}

    def export(name: str) -> Exported:
        if name not in made:
            made[name] = _export(name, PAIRS[name], data / "pairs", tmp_path_factory.mktemp(name))
        return made[name]

    yield export
    for done in made.values():
        done.store.close()


def _export(name: str, pair: Pair, pairs: Path, folder: Path) -> Exported:
    store = open_store(folder / "ws", create=True)
    scene = workflows.add_scene(store, pairs / pair.raster)
    labels = vector.read_labels(pairs / pair.labels, layer=pair.layer)
    frame = gpd.read_file(pairs / pair.labels, layer=pair.layer)
    frame.geometry = frame.geometry.make_valid(method="structure", keep_collapsed=False).where(
        ~frame.geometry.is_valid, frame.geometry
    )
    classes = sorted(set(frame[pair.field])) if pair.field else ["thing"]
    frame["value"] = [classes.index(c) + 1 for c in frame[pair.field]] if pair.field else 1
    project = workflows.create_project(store, name, scenes=[scene.id], classes=classes)
    workflows.import_labels(
        store,
        project.id,
        labels,
        class_field=pair.field,
        class_name=None if pair.field else "thing",
        on_invalid="repair",
    )
    spec = ChipSpec(size=pair.size, stride=pair.size * 3 // 4, split=(0.6, 0.2, 0.2), split_block=2)
    out = folder / "out"
    report = workflows.export(store, project.id, out, FORMATS, spec)
    return Exported(pairs / pair.raster, frame, out, report, store, project.id, spec)


Manifest = Callable[[Path, dict[str, tuple[int, int]]], Path]


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    """Writes a manifest with pictures of these sizes, by name, into a folder; gives the folder."""

    def make(folder: Path, pictures: dict[str, tuple[int, int]]) -> Path:
        """A manifest with these pictures, side by side on the ground."""
        rows = []
        for index, (name, (width, height)) in enumerate(pictures.items()):
            transform = [0.5, 0.0, 500_000.0 + 5000 * index, 0.0, -0.5, 5_000_000.0]
            place = {"col": 0, "row": 0, "width": width, "height": height, "crs": "EPSG:32633", "transform": transform}
            rows.append({"chip": Path(name).stem, "scene": f"s{index}", "split": "train", "image": name, **place})
        pq.write_table(pa.Table.from_pylist(rows), folder / "chips.parquet")
        (folder / "manifest.json").write_text('{"classes": []}')
        return folder

    return make
