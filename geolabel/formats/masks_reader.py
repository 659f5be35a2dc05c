"""Read masks: GeoTIFF and PNG of class ids, of numbers of objects, or of probabilities; and COCO panoptic's colors."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.features import rasterize

from geolabel.errors import InvalidInput
from geolabel.formats.cells import unsafe
from geolabel.formats.outlines import areas_of, outline_of
from geolabel.formats.pictures import Guide, Picture, check_mask_size, inside
from geolabel.formats.strict import read_json
from geolabel.geo import crs as crs_
from geolabel.model import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_SUFFIXES = {".tif", ".tiff", ".png"}
_MOST_BANDS = 1000


def read_semantic(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read masks of class ids, or of probabilities: a file, or a folder with some.

    Whole numbers in one band are class ids: 0 is nothing, 255 (65535 in 16 bits) and nodata are to be ignored. Floats
    are probabilities: one band is that of the one class (or of `guide.class_name`); several are those of the classes in
    order of the manifest, with one more in front when it is the background's. A pixel belongs to the likeliest class,
    from `guide.threshold` on; the confidence of an area is the mean over its pixels.
    """
    for file in _files(path, ("semantic", "png")):
        bands, nodata, grid = _open(file)
        picture = Picture(file.stem, file.name, (bands.shape[2], bands.shape[1]), grid)
        if bands.dtype.kind == "f" or len(bands) > 1:
            _put_probabilities(picture, bands, file.name, guide)
        else:
            _put_classes(picture, bands[0], nodata, file.name, guide)
        yield picture


def read_instances(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read masks of numbers of objects: 0 is nothing, 65535 is to be ignored.

    The table beside them (`{split}.csv`: chip, value, class, ...) says of which class an object is; without one,
    `guide.class_name` does.
    """
    files = _files(path, ("instance",))
    tables = {p: _table(p) for p in {c for f in files for c in _tables_beside(f)}}
    rows = {key: row for table in tables.values() for key, row in table.items()}
    for file in files:
        bands, nodata, grid = _open(file)
        if len(bands) > 1 or bands.dtype.kind not in "iu":
            raise InvalidInput(f"{file.name} is no mask of objects: expected one band of whole numbers.")
        mask = bands[0]
        picture = Picture(file.stem, file.name, (mask.shape[1], mask.shape[0]), grid)
        for value in np.unique(mask).tolist():
            if value in {0, 65535} or value == nodata:
                continue
            row = rows.get((file.stem, int(value)))
            name = guide.class_name or (row["class"] if row else None)
            where = f"{file.name}, value {int(value)}"
            if name is None:
                guide.refuse(
                    where,
                    "no table beside the mask says which class it is; say it with --class",
                    reason="its class is not known",
                )
                continue
            shape = outline_of(mask == value)
            assert shape is not None
            picture.add(shape, name, where, key=(row["annotation"] or None) if row else None)
        yield picture


def read_panoptic(path: Path, guide: Guide) -> Iterator[Picture]:
    """Read COCO panoptic: a JSON file with the folder of PNGs of the same name beside it, or a folder with some."""
    folder = path / "masks" / "panoptic" if (path / "masks" / "panoptic").is_dir() else path
    files = sorted(folder.glob("*.json")) if folder.is_dir() else [path]
    if not files:
        raise InvalidInput(f"The folder {path.name} has no JSON file of COCO panoptic.")
    for file in files:
        value = read_json(file)
        listed = value.get("annotations") if isinstance(value, dict) else None
        if not isinstance(listed, list) or not isinstance(value.get("categories"), list):
            raise InvalidInput(
                f"{file.name} is not COCO panoptic: expected the lists 'annotations' and 'categories' (at /)."
            )
        names = {
            c.get("id"): c.get("name") for c in value["categories"] if isinstance(c, dict) and type(c.get("id")) is int
        }
        images = {
            i["id"]: i for i in value.get("images") or [] if isinstance(i, dict) and type(i.get("id")) in {int, str}
        }
        for index, record in enumerate(listed):
            yield _panoptic(record, f"{file.name}/annotations/{index}", file, guide, names=names, images=images)


def _panoptic(
    record: Any, where: str, file: Path, guide: Guide, *, names: dict[Any, Any], images: dict[Any, Any]
) -> Picture:
    segments = record.get("segments_info") if isinstance(record, dict) else None
    if not isinstance(segments, list) or not isinstance(record.get("file_name"), str):
        raise InvalidInput(
            f"{where}: expected an object with 'file_name' and the list 'segments_info'; this is not COCO panoptic."
        )
    mask_file = inside(file.with_suffix(""), record["file_name"])
    if mask_file is None:
        raise InvalidInput(
            f"{where}/file_name: there is no {record['file_name']!r:.80} in the folder {file.stem} beside {file.name}."
        )
    bands, _, _ = _open(mask_file)
    if len(bands) < 3:
        raise InvalidInput(
            f"{mask_file.name} is no panoptic mask: expected colors (R + 256 G + 65536 B), got {len(bands)} bands."
        )
    mask = bands[0].astype(np.int64) + 256 * bands[1].astype(np.int64) + 65536 * bands[2].astype(np.int64)
    number = record.get("image_id")
    image = images.get(number) if type(number) in {int, str} else None
    name = image.get("file_name") if image else None
    picture = Picture(name if isinstance(name, str) else mask_file.stem, where, (mask.shape[1], mask.shape[0]))
    for index, info in enumerate(segments):
        at = f"{where}/segments_info/{index}"
        value = info.get("id") if isinstance(info, dict) else None
        if type(value) is not int:
            guide.refuse(at, "a segment is an object with a whole 'id'", reason="its segment has no id")
            continue
        shape = outline_of(mask == value)
        class_name = guide.class_name or names.get(info.get("category_id"))
        if shape is None:
            guide.refuse(f"{at}/id", f"no pixel of {mask_file.name} has the number {value}", reason="it has no pixel")
        elif not isinstance(class_name, str):
            guide.refuse(
                f"{at}/category_id",
                f"no category has the id {info.get('category_id')!r:.40}",
                reason="its category is not in the file",
            )
        else:
            own = info.get("geo")
            key = own.get("annotation") if isinstance(own, dict) else None
            picture.add(shape, class_name, at, key=str(key) if type(key) is int else None)
    return picture


def read_values(file: Path) -> NDArray[Any]:
    """The numbers of a mask of one band, (height, width): palette indices, not colors."""
    bands, _, _ = _open(file)
    if len(bands) != 1 or bands.dtype.kind not in "iu":
        raise InvalidInput(
            f"{file.name} is no mask: expected one band of whole numbers, got {len(bands)} of {bands.dtype}."
        )
    values: NDArray[Any] = bands[0]
    return values


def read_colors(file: Path) -> tuple[NDArray[np.int64], bool]:
    """The numbers of a mask, (height, width), and False; of one in colors R + 256 G + 65536 B, transparent 0, and True."""
    bands, _, _ = _open(file)
    if bands.dtype != np.uint8 or len(bands) not in {3, 4}:
        return read_values(file).astype(np.int64), False
    colors = sum(band.astype(np.int64) << (8 * place) for place, band in enumerate(bands[:3]))
    return np.asarray(np.where(bands[3] > 0, colors, 0) if len(bands) == 4 else colors), True


def _put_classes(picture: Picture, mask: NDArray[Any], nodata: float | None, name: str, guide: Guide) -> None:
    names = guide.places.class_names()
    ignore = {0, 255 if mask.dtype.itemsize == 1 else 65535}
    if nodata is not None and nodata == int(nodata):
        ignore.add(int(nodata))
    for index, (value, shape) in enumerate(areas_of(mask, frozenset(ignore))):
        class_name = guide.class_name or names.get(value)
        if class_name is None:
            guide.refuse(f"{name}, value {value}", f"no class has the id {value}", reason="its class is not known")
            continue
        picture.add(shape, class_name, f"{name}, area {index}")


def _put_probabilities(picture: Picture, bands: NDArray[Any], name: str, guide: Guide) -> None:
    values = bands.astype(np.float32) / (np.iinfo(bands.dtype).max if bands.dtype.kind in "iu" else 1)
    values = np.nan_to_num(values, nan=0.0)
    if values.size and (values.min() < 0 or values.max() > 1):
        raise InvalidInput(
            f"{name} is no mask of probabilities: expected values from 0 to 1, got {values.min():g} to {values.max():g}."
        )
    names = [known for _, known in guide.places.classes]
    if len(values) == 1 and guide.class_name is not None:
        names = [guide.class_name]
    elif len(values) == len(names) + 1 and len(values) > 1:
        names = ["", *names]
    if len(values) != len(names):
        raise InvalidInput(
            f"{name} has {len(values)} bands of probabilities for {len(names)} classes; expected one a class (and one in front for the background), "
            "or one band and --class."
        )
    best = values.argmax(axis=0)
    likely = np.take_along_axis(values, best[np.newaxis], axis=0)[0]
    chosen = np.where(likely >= guide.threshold, best + 1, 0).astype(np.int32)
    if names[0] == "":
        chosen[chosen == 1] = 0
    areas = list(areas_of(chosen))
    if not areas:
        return
    owner = rasterize(
        ((shape, number) for number, (_, shape) in enumerate(areas, start=1)), out_shape=chosen.shape, dtype="int32"
    )
    flat = owner.ravel()
    sums = np.bincount(flat, weights=likely.ravel(), minlength=len(areas) + 1)[1:]
    means = sums / np.maximum(np.bincount(flat, minlength=len(areas) + 1)[1:], 1)
    for index, ((value, shape), score) in enumerate(zip(areas, means.tolist(), strict=True)):
        picture.add(shape, names[value - 1], f"{name}, area {index}", score=min(1.0, score))


def _files(path: Path, folders: tuple[str, ...]) -> list[Path]:
    if not path.is_dir():
        return [path]
    roots = [path / "masks" / name for name in folders if (path / "masks" / name).is_dir()] or [path]
    found = sorted(
        p for root in roots for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES and p.name != "contact-sheet.png"
    )
    if not found:
        raise InvalidInput(f"The folder {path.name} has no masks: expected .tif or .png files.")
    return found


def _open(file: Path) -> tuple[NDArray[Any], float | None, Grid | None]:
    """All bands, (bands, height, width), nodata, and where the file lies if it says so; only TIFF and PNG are opened."""
    try:
        # PNG: no world file of somebody else's is looked for under another name.
        with rasterio.open(
            file,
            driver=None
            if file.suffix.lower() not in _SUFFIXES
            else ("PNG" if file.suffix.lower() == ".png" else "GTiff"),
        ) as opened:
            if opened.driver not in {"GTiff", "PNG", "COG"}:
                raise InvalidInput(
                    f"{file.name} is no mask: expected GeoTIFF or PNG, GDAL reads it as {opened.driver}."
                )
            check_mask_size(opened.width, opened.height * min(opened.count, _MOST_BANDS), file.name)
            if opened.count > _MOST_BANDS or np.dtype(opened.dtypes[0]).kind not in "iuf":
                raise InvalidInput(f"{file.name} is no mask: {opened.count} bands of {opened.dtypes[0]}.")
            grid = None
            if opened.crs is not None:
                grid = Grid(
                    crs_.normalise(opened.crs.to_wkt()), tuple(opened.transform[:6]), opened.width, opened.height
                )
            return opened.read(), opened.nodata, grid
    except (RasterioError, OSError, TypeError) as error:
        raise InvalidInput(f"{file.name} cannot be read as a mask: {str(error).splitlines()[0]:.200}.") from error


def _tables_beside(file: Path) -> list[Path]:
    """The tables that may speak of a mask: those in its folder and in the one above."""
    return [table for folder in (file.parent, file.parent.parent) for table in folder.glob("*.csv")]


def _table(file: Path) -> dict[tuple[str, int], dict[str, str]]:
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        reader = csv.DictReader(stream)
        if not {"chip", "value", "class"} <= set(reader.fieldnames or ()):
            return {}
        rows = {}
        for row in reader:
            if not (row["value"] or "").isdecimal():
                raise InvalidInput(
                    f"{file.name}, line {reader.line_num}: a value is a whole number, got {row['value']!r:.40}."
                )
            rows[row["chip"], int(row["value"])] = {
                "class": unsafe(row["class"]),
                "annotation": row.get("annotation") or "",
            }
        return rows
