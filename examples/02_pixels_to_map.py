"""The way back: where on Earth is a box that a detector found on a chip?

    python examples/02_pixels_to_map.py DATASET

Every image of a COCO file carries the CRS and the transform of its chip, so a pixel needs one line of arithmetic. Here the
boxes of the dataset itself stand in for a detector's, and their places are compared with the GeoTIFF's own georeference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import rasterio


def main(dataset: str) -> None:
    folder = Path(dataset)
    coco = json.loads((folder / "coco" / "train.json").read_text(encoding="utf-8"))
    images = {image["id"]: image for image in coco["images"]}
    for annotation in coco["annotations"][:5]:
        image = images[annotation["image_id"]]
        a, b, c, d, e, f = image["geo"]["transform"]
        x, y, width, height = annotation["bbox"]
        col, row = x + width / 2, y + height / 2
        place = (a * col + b * row + c, d * col + e * row + f)
        with rasterio.open(folder / image["file_name"]) as raster:
            there = raster.transform @ (col, row)
        if max(abs(place[0] - there[0]), abs(place[1] - there[1])) > 1e-6 * abs(a):
            sys.exit(f"{image['file_name']} says {there}, COCO says {place}")
        print(f"{image['file_name']}: {place[0]:.8g}, {place[1]:.8g} in {image['geo']['crs']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
