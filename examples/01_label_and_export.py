"""From a raster and some labels to a dataset, in Python.

    python examples/01_label_and_export.py RASTER LABELS CLASS OUT

RASTER is any raster with a CRS; LABELS any vector file; CLASS the class that they all get; OUT a new folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geolabel


def main(raster: str, labels: str, class_name: str, out: str) -> None:
    with geolabel.open(Path(out) / "workspace", create=True) as workspace:
        scene = workspace.add_scene(raster)
        for warning in scene.warnings:
            print("note:", warning)
        project = workspace.create_project("example", scenes=[scene], classes=[class_name])
        report = project.add(labels, class_name=class_name, on_invalid="repair")
        print(f"{report.imported} labels, {report.repaired} of them repaired, {report.outside} outside the scene")

        # A GeoDataFrame with the stored doubles, in the scene's own CRS.
        frame = project.annotations()
        print(f"the largest covers {frame.area.max():.1f} square units of {frame.crs.name}")

        spec = geolabel.ChipSpec(size=128, stride=64, split=(0.7, 0.2, 0.1), split_block=2)
        project.export(Path(out) / "dataset", formats=["coco", "mask-semantic", "geojson"], chips=spec)
    print(f"look at {Path(out) / 'dataset' / 'contact-sheet.png'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
