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


_WITH_ATTRIBUTES = {"coco", "cvat", "webdataset"}


def _pixel(name: str, description: str, writer: str | None, pictures: str | None) -> Format:
    found = writer and f"geolabel.formats.{writer}"
    read = pictures and f"geolabel.formats.{pictures}"
    return Format(name, "pixel", description, found, pictures=read, attributes=name in _WITH_ATTRIBUTES)


def _map(name: str, description: str, writer: str) -> Format:
    return Format(name, "map", description, writer=f"geolabel.formats.{writer}", reader=_VECTOR)


_BUILT_IN = (
    _pixel("arcgis", "the layout of ArcGIS Pro's training data", "arcgis:ArcGisWriter", None),
    _pixel("coco", "COCO object detection, polygons and RLE", "coco:CocoWriter", "coco_reader:read_coco"),
    _pixel(
        "coco-panoptic",
        "COCO panoptic segmentation, things and stuff",
        "panoptic:PanopticWriter",
        "masks_reader:read_panoptic",
    ),
    _pixel("coco-keypoints", "COCO keypoints, points", "keypoints:CocoKeypointsWriter", "coco_reader:read_keypoints"),
    _pixel("cvat", "CVAT's XML for images", "cvat:CvatWriter", "cvat_reader:read_cvat"),
    _pixel("dota", "DOTA, turned boxes by four corners", "dota:DotaWriter", "text_readers:read_dota"),
    _map("flatgeobuf", "FlatGeobuf", "ogr_writer:FlatGeobufWriter"),
    _map("geojson", "GeoJSON (RFC 7946)", "geojson:GeoJSONWriter"),
    _map("geoparquet", "GeoParquet", "geoparquet_writer:GeoParquetWriter"),
    _map("gpkg", "GeoPackage", "ogr_writer:GeoPackageWriter"),
    _pixel(
        "imagefolder",
        "chips for classification, a folder a class and a table of all classes",
        "imagefolder:ImageFolderWriter",
        None,
    ),
    _pixel("kitti", "KITTI object detection, 15 columns", "kitti:KittiWriter", "text_readers:read_kitti"),
    _map("kml", "KML", "ogr_writer:KmlWriter"),
    _pixel("labelme", "LabelMe's XML and JSON", None, "labelme_reader:read_labelme"),
    _pixel(
        "labelstudio", "Label Studio's JSON", "labelstudio:LabelStudioWriter", "labelstudio_reader:read_labelstudio"
    ),
    _pixel("mask-boundary", "one GeoTIFF mask of the objects' edges a chip", "edges:BoundaryWriter", None),
    _pixel("mask-distance", "one GeoTIFF of distances to the objects' edges a chip", "edges:DistanceWriter", None),
    _pixel(
        "mask-instance",
        "one GeoTIFF mask of annotation numbers a chip, with a table",
        "instances:InstanceWriter",
        "masks_reader:read_instances",
    ),
    _pixel(
        "mask-png", "one PNG of class ids with a world file a chip", "edges:PngMaskWriter", "masks_reader:read_semantic"
    ),
    _pixel(
        "mask-semantic", "one GeoTIFF mask of class ids a chip", "masks:SemanticWriter", "masks_reader:read_semantic"
    ),
    _pixel("multilabel", "a table of all classes of each chip", "multilabel:MultiLabelWriter", None),
    _map("shapefile", "Shapefile, also zipped", "ogr_writer:ShapefileWriter"),
    _pixel("stac", "STAC items with the label extension and ML-AOI splits", "stac:StacWriter", None),
    _pixel("trainingdml", "TrainingDML-AI, OGC's markup of datasets", "trainingdml:TrainingDmlWriter", None),
    _pixel("voc", "Pascal VOC, boxes and masks", "voc:VocWriter", "voc_reader:read_voc"),
    _pixel("voc-segmentation", "the outlines of Pascal VOC's masks", None, "voc_reader:read_segmentation"),
    _pixel("vott", "VoTT's JSON", None, "labelme_reader:read_vott"),
    _pixel("webdataset", "WebDataset, tar shards of images, masks and labels", "webdataset:WebDatasetWriter", None),
    _pixel("yolo", "YOLO detection, upright boxes", "yolo:YoloWriter", "text_readers:read_yolo"),
    _pixel("yolo-obb", "YOLO turned boxes", "yolo:YoloObbWriter", "text_readers:read_yolo_obb"),
    _pixel("yolo-pose", "YOLO points", "keypoints:YoloPoseWriter", "text_readers:read_yolo_pose"),
    _pixel("yolo-seg", "YOLO segmentation, outlines", "yolo:YoloSegWriter", "text_readers:read_yolo_seg"),
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
    return tuple(name for name, found in registry().items() if found.reader or found.pictures)


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
    if found is None or not (found.reader or found.pictures):
        raise InvalidInput(f"Labels cannot be read as {name!r}; the formats are: auto, {', '.join(reader_names())}.")
    return found
