"""Which format a file is of, by what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geolabel.errors import InvalidInput
from geolabel.formats.strict import read_json, read_xml

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS = (
    ("labelTxt", "dota"),
    ("label_2", "kitti"),
    ("Annotations", "voc"),
    ("SegmentationObject", "voc-segmentation"),
    ("coco", "coco"),
    ("annotations", "coco"),
)
_RASTERS = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2"}


def detect(path: Path) -> str:
    """Name of the pixel format of a file or folder; `auto` when it is none, so that a vector format may be.

    Raises:
        InvalidInput: it could be one of several, or is none that labels are read from.
    """
    if path.is_dir():
        return _folder(path)
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return _xml(path)
    if suffix == ".json":
        return _json(path)
    if suffix in {".yaml", ".yml"} and path.stem in {"data", "dataset"}:
        return "yolo"
    if suffix == ".txt":
        raise InvalidInput(
            f"{path.name} does not say of which format it is; name it with --format: yolo, yolo-seg, yolo-obb, yolo-pose, dota or kitti."
        )
    if suffix in _RASTERS:
        raise InvalidInput(
            f"{path.name} is a raster: name the kind of mask that it is with --format: mask-semantic or mask-instance."
        )
    return "auto"


def _folder(path: Path) -> str:
    for name in ("yolo", "yolo-seg", "yolo-obb", "yolo-pose", "dota", "kitti", "voc", "coco", "labelstudio", "cvat"):
        if path.name == name:
            return name
    if any((path / name).is_file() for name in ("data.yaml", "data.yml", "obj.data")):
        return "yolo"
    for name, format_name in _FOLDERS:
        if (path / name).is_dir() or next(path.glob(f"*/{name}"), None) is not None:
            return format_name
    if path.suffix.lower() == ".gdb":
        return "auto"
    suffixes = {p.suffix.lower() for p in path.iterdir() if p.is_file()}
    if suffixes & {".shp", ".tab"}:
        return "auto"
    for suffix in (".xml", ".json"):
        if suffix in suffixes:
            return detect(next(p for p in sorted(path.iterdir()) if p.suffix.lower() == suffix))
    raise InvalidInput(f"The folder {path.name} does not say of which format it is; name it with --format.")


def _xml(path: Path) -> str:
    root = read_xml(path)
    if root.tag == "annotations":
        return "cvat"
    if root.tag == "annotation":
        return "voc" if root.find("imagesize") is None else "labelme"
    return "auto"


def _json(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(2000)
    if b'"FeatureCollection"' in head or b'"Feature"' in head or b'"Topology"' in head:
        return "auto"
    return _of_value(read_json(path)) or "auto"


def _of_value(value: Any) -> str | None:  # noqa: PLR0911 (a kind of JSON each)
    if isinstance(value, list):
        first = next((v for v in value if isinstance(v, dict)), {})
        if "image_id" in first:
            return "coco"
        return (
            "labelstudio"
            if value and first and ("data" in first or "annotations" in first or "image" in first)
            else None
        )
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("annotations"), list) and isinstance(value.get("images"), list):
        panoptic = any(isinstance(a, dict) and "segments_info" in a for a in value["annotations"][:10])
        return "coco-panoptic" if panoptic else "coco"
    if isinstance(value.get("annotations"), list) and any(
        isinstance(a, dict) and "segments_info" in a for a in value["annotations"][:10]
    ):
        return "coco-panoptic"
    if isinstance(value.get("shapes"), list):
        return "labelme"
    return "vott" if isinstance(value.get("assets"), dict) and "tags" in value else None
