"""A scene of known ground, a dataset of overlapping chips of it, and what a model would say of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from shapely.geometry import box

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geolabel.store.store import Store

TRANSFORM = rasterio.Affine(2, 0, 400_000, 0, -2, 5_000_000)
CLASSES = ["house", "tree"]


@dataclass
class Lab:
    """A project with one label of a person, and the dataset that a model was tried on.

    Attributes:
        out: chips of 100 px every 80 px, of a scene of 260 x 180 px; 2 m a pixel.
    """

    store: Store
    project: str
    out: Path
    folder: Path
    chips: list[dict[str, Any]] = field(default_factory=list)

    def number(self, col: int, row: int) -> int:
        """The image id of a chip."""
        return next(i for i, c in enumerate(self.chips, start=1) if (c["col"], c["row"]) == (col, row))

    def results(self, *records: dict[str, Any], name: str = "pred.json") -> Path:
        file = self.folder / name
        file.write_text(json.dumps(list(records)))
        return file

    def place(self, path: Path, **options: Any) -> Any:
        options.setdefault("model", "unet@3")
        options.setdefault("manifest", self.out / "manifest.json")
        return workflows.import_predictions(self.store, self.project, path, **options)

    def suggestions(self) -> list[Any]:
        return [a for a in self.store.query(self.project) if a.provenance.source.startswith("model:")]

    def pixels(self) -> list[tuple[float, ...]]:
        """The bounds of the suggestions, in pixels of the scene."""
        found = []
        for a in self.suggestions():
            x0, y0, x1, y1 = a.geometry.bounds
            c0, r0 = ~TRANSFORM @ (x0, y1)
            c1, r1 = ~TRANSFORM @ (x1, y0)
            found.append(tuple(float(round(v, 6)) for v in (c0, r0, c1, r1)))
        return sorted(found)


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    with rasterio.open(
        folder / "scene.tif",
        "w",
        driver="GTiff",
        width=260,
        height=180,
        count=1,
        dtype="uint8",
        crs="EPSG:32633",
        transform=TRANSFORM,
    ) as target:
        target.write(np.full((1, 180, 260), 90, dtype=np.uint8))
    with open_store(folder / "ws", create=True) as store:
        scene = workflows.add_scene(store, folder / "scene.tif")
        project = workflows.create_project(store, "Town", scenes=[scene.id], classes=CLASSES)
        store.create(project.id, [NewAnnotation(box(400_010, 4_999_900, 400_030, 4_999_920), "house")])
        workflows.export(store, project.id, folder / "out", ["coco"], ChipSpec(size=100, stride=80, edges="shift"))
    return folder


@pytest.fixture
def lab(_made: Path, tmp_path: Path) -> Iterator[Lab]:
    shutil.copytree(_made / "ws", tmp_path / "ws")
    with open_store(tmp_path / "ws") as store:
        chips = pq.read_table(_made / "out" / "chips.parquet").to_pylist()
        yield Lab(store, "town", _made / "out", tmp_path, chips)
