"""A model's predictions come back to the map as suggestions.

    python examples/04_predictions.py DATASET WORKSPACE PROJECT

The "model" marks bright pixels of each chip, so that the example runs anywhere. What it says of a chip is a list of COCO
results, as any detector writes them: the id of the image, a class, an outline in pixels, a score.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features

import geolabel


def predict(image: np.ndarray) -> list[dict[str, object]]:
    """Outlines of what is bright; of the first band, (bands, height, width)."""
    bright = image[0] > np.percentile(image[0], 97)
    found = []
    for shape, value in rasterio.features.shapes(bright.astype(np.uint8), mask=bright):
        outline = shape["coordinates"][0]
        if value and len(outline) > 20:  # not the specks
            found.append({"segmentation": [[v for point in outline[:-1] for v in point]], "score": 0.6})
    return found


def main(dataset: str, workspace: str, project: str) -> None:
    folder = Path(dataset)
    results = []
    for split in sorted((folder / "coco").glob("*.json")):
        coco = json.loads(split.read_text(encoding="utf-8"))
        for image in coco["images"]:
            with rasterio.open(folder / image["file_name"]) as raster:
                found = predict(raster.read())
            results += [{"image_id": image["id"], "category_id": coco["categories"][0]["id"], **f} for f in found]
    file = folder.parent / "results.json"
    file.write_text(json.dumps(results), encoding="utf-8")
    with geolabel.open(workspace) as opened:
        report = opened.project(project).import_predictions(file, manifest=folder, model="bright@1")
        for line in report.lines(project):
            print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
