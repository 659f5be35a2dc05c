"""Tiles drawn without a server, and the two decoders that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mapbox_vector_tile
import numpy as np
import pyogrio
import pytest
import shapely
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from shapely import affinity
from shapely.geometry import shape

from geolabel.labeltiles.layer import Layer, make_layer
from geolabel.labeltiles.matrix import MatrixSet, matrix_set
from geolabel.labeltiles.placing import place
from geolabel.labeltiles.tile import encode_tile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

UNITS = MatrixSet("one tile", "EPSG:3857", 0, 0, None)
"""A world that is one tile: a metre is a tile unit, and y goes up from its lower edge."""

Box = tuple[float, float, float, float]


class Kit:
    """Draws tiles and reads them again."""

    box: Box = (0.0, 0.0, 4096.0, 4096.0)
    clip = shapely.box(-64, -64, 4160, 4160)
    web = matrix_set("WebMercatorQuad")

    @staticmethod
    def layer_of(
        geometries: Sequence[BaseGeometry],
        *,
        ids: Sequence[int] | None = None,
        crs: str = "EPSG:3857",
        matrices: MatrixSet = UNITS,
    ) -> Layer:
        """Labels of class `c0` with ids from 1 on."""
        shapes = np.empty(len(geometries), dtype=object)
        shapes[:] = geometries
        numbers = np.arange(1, len(shapes) + 1) if ids is None else np.array(ids, dtype=np.int64)
        zeros = np.zeros(len(shapes), dtype=np.int32)
        return make_layer([place(shapes, numbers, zeros, zeros, crs=crs, matrices=matrices)])

    @staticmethod
    def draw(layer: Layer, box: Box = box) -> bytes:
        return encode_tile(layer, box, classes=["c0"], statuses=["draft"])

    @staticmethod
    def decode(tile: bytes) -> dict[int, BaseGeometry]:
        """Geometries by id, by mapbox-vector-tile: y up from the tile's lower edge."""
        if not tile:
            return {}
        layers = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": False})
        return {f["id"]: shape(f["geometry"]) for f in layers["labels"]["features"]}

    @staticmethod
    def raw(tile: bytes) -> Any:
        """The one layer of a tile as its protocol buffer."""
        message = vector_tile_pb2.tile()
        message.ParseFromString(tile)
        assert len(message.layers) == 1
        return message.layers[0]

    @staticmethod
    def in_tile(geometry: BaseGeometry, box: Box) -> BaseGeometry:
        """A shape of the map in the units of a tile, y up."""
        scale = 4096 / (box[2] - box[0])
        return affinity.affine_transform(geometry, [scale, 0, 0, scale, -box[0] * scale, -box[1] * scale])

    @staticmethod
    def mended(geometry: BaseGeometry) -> BaseGeometry:
        """The valid shape that a map fills: a clipped ring may run along the clipping square twice."""
        return shapely.make_valid(geometry, method="structure")

    @staticmethod
    def assert_within_a_unit(drawn: BaseGeometry, wanted: BaseGeometry) -> None:
        # At the very edge of the clipping square a point between two rounded vertices is rounded again.
        inner = shapely.box(-62, -62, 4158, 4158)
        drawn = Kit.mended(drawn)
        assert drawn.intersection(inner).difference(wanted.buffer(1.0)).area < 1e-6
        assert wanted.buffer(-1.0).intersection(inner).difference(drawn).area < 1e-6


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()


@dataclass(frozen=True)
class Gdal:
    """Reads tiles with GDAL's own driver."""

    folder: Path

    def __call__(self, tile: bytes) -> dict[int, BaseGeometry]:
        file = self.folder / "tile.mvt"
        file.write_bytes(tile)
        frame = pyogrio.read_dataframe(f"MVT:{file}", layer="labels", CLIP="NO")
        assert set(frame.columns) == {"mvt_id", "class", "id", "status", "geometry"}
        assert (frame["mvt_id"] == frame["id"]).all()
        return dict(zip(frame["mvt_id"], frame.geometry, strict=True))


@pytest.fixture
def gdal(tmp_path: Path) -> Callable[[bytes], dict[int, BaseGeometry]]:
    return Gdal(tmp_path)
