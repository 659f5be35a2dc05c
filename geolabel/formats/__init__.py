"""Formats: what a dataset is written as and what labels are read from, by name.

The registry holds names and where the code is; a format's module is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geolabel import plugins
from geolabel.errors import InvalidInput, InvalidSpec
from geolabel.formats.base import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_VECTOR = "geolabel.formats.vector:open_labels"

_BUILT_IN = (
    Format("coco", "pixel", "COCO object detection, polygons and RLE", writer="geolabel.formats.coco:CocoWriter"),
    Format(
        "coco-panoptic",
        "pixel",
        "COCO panoptic segmentation, things and stuff",
        writer="geolabel.formats.panoptic:PanopticWriter",
    ),
    Format("dota", "pixel", "DOTA, turned boxes by four corners", writer="geolabel.formats.dota:DotaWriter"),
    Format("flatgeobuf", "map", "FlatGeobuf", reader=_VECTOR),
    Format("geojson", "map", "GeoJSON (RFC 7946)", writer="geolabel.formats.geojson:GeoJSONWriter", reader=_VECTOR),
    Format(
        "geoparquet",
        "map",
        "GeoParquet",
        writer="geolabel.formats.geoparquet_writer:GeoParquetWriter",
        reader=_VECTOR,
    ),
    Format("gpkg", "map", "GeoPackage", reader=_VECTOR),
    Format(
        "imagefolder",
        "pixel",
        "chips for classification, a folder a class and a table of all classes",
        writer="geolabel.formats.imagefolder:ImageFolderWriter",
    ),
    Format("kitti", "pixel", "KITTI object detection, 15 columns", writer="geolabel.formats.kitti:KittiWriter"),
    Format("kml", "map", "KML", reader=_VECTOR),
    Format(
        "mask-instance",
        "pixel",
        "one GeoTIFF mask of annotation numbers a chip, with a table",
        writer="geolabel.formats.instances:InstanceWriter",
    ),
    Format(
        "mask-semantic", "pixel", "one GeoTIFF mask of class ids a chip", writer="geolabel.formats.masks:SemanticWriter"
    ),
    Format("shapefile", "map", "Shapefile, also zipped", reader=_VECTOR),
    Format("voc", "pixel", "Pascal VOC, boxes and masks", writer="geolabel.formats.voc:VocWriter"),
    Format("yolo", "pixel", "YOLO detection, upright boxes", writer="geolabel.formats.yolo:YoloWriter"),
    Format("yolo-obb", "pixel", "YOLO turned boxes", writer="geolabel.formats.yolo:YoloObbWriter"),
    Format("yolo-seg", "pixel", "YOLO segmentation, outlines", writer="geolabel.formats.yolo:YoloSegWriter"),
)


@plugins.hookimpl
def register_formats(register: Callable[[Format], None]) -> None:
    """Offer the formats that geolabel brings."""
    for built_in in _BUILT_IN:
        register(built_in)


def registry() -> dict[str, Format]:
    """All formats of this installation, by name, in order of name."""
    found: list[Format] = []
    plugins.manager().hook.register_formats(register=found.append)
    return {f.name: f for f in sorted(found, key=lambda f: f.name)}


def names() -> tuple[str, ...]:
    """Names of the formats that a dataset can be written as."""
    return tuple(name for name, found in registry().items() if found.writer)


def reader_names() -> tuple[str, ...]:
    """Names of the formats that labels can be read from."""
    return tuple(name for name, found in registry().items() if found.reader)


def chosen(wanted: Sequence[str]) -> list[Format]:
    """The formats of these names, each once, in the order given.

    Raises:
        InvalidSpec: no name at all, or one that nothing is written as.
    """
    known = registry()
    writable = ", ".join(names())
    if not wanted:
        raise InvalidSpec(f"An export needs at least one format; there are: {writable}.")
    for name in wanted:
        if name not in known or not known[name].writer:
            raise InvalidSpec(f"Nothing can be written as {name!r}; the formats are: {writable}.")
    return [known[name] for name in dict.fromkeys(wanted)]


def readable(name: str) -> Format:
    """The format of that name, to read labels from.

    Raises:
        InvalidInput: nothing is read by that name.
    """
    found = registry().get(name)
    if found is None or not found.reader:
        raise InvalidInput(f"Labels cannot be read as {name!r}; the formats are: auto, {', '.join(reader_names())}.")
    return found
