from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import geopandas as gpd
import shapely

from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

# In a process of its own: GDAL keeps the interpreter while it waits for the server, which is in this one.
READ = """
import json, sys, pyogrio
frame = pyogrio.read_dataframe(sys.argv[1], layer="atlanta", PAGE_SIZE=7, fid_as_index=True)
print(json.dumps({"crs": frame.crs.to_string(), "ids": [int(i) for i in frame.index],
                  "class": list(frame["class"]), "wkb": [g.wkb_hex for g in frame.geometry]}))
"""


def test_gdal_reads_a_collection_page_by_page_to_the_last_bit(
    workspace: Path, server: httpx.Client, data: Path
) -> None:
    buildings = gpd.read_file(data / "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson").geometry
    with open_store(workspace) as store:
        store.create("atlanta", [NewAnnotation(geometry, "building") for geometry in buildings])
    url = f"OAPIF:{server.base_url}/api"
    done = subprocess.run([sys.executable, "-c", READ, url], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert read["crs"] == "EPSG:32616"
    assert len(read["ids"]) == len(buildings)
    assert set(read["class"]) == {"building"}
    assert all(
        shapely.equals_identical(shapely.from_wkb(wkb), stored)
        for wkb, stored in zip(read["wkb"], buildings, strict=True)
    )
