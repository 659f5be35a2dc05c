"""Scenes of several files: stacks, STAC items; and those that ground control points place."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from rasterio.control import GroundControlPoint
from rasterio.transform import GCPTransformer

import geolabel
from geolabel.app import create_app
from geolabel.cog import write_cog
from geolabel.errors import AlreadyExists, InvalidInput, InvalidRaster
from geolabel.scenes import find_files, inspect
from geolabel.settings import Settings
from geolabel.stacitem import read_item
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

BANDS = ("B02", "B03", "B04", "B08")


@pytest.fixture(scope="module")
def whole(data: Path) -> Path:
    return data / "pairs/beaufort_s2_landcover/s2b_20181013_b2348_uint8.tif"


@pytest.fixture(scope="module")
def folder(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four single-band files on one grid, one on another, and a STAC item of all."""
    folder = tmp_path_factory.mktemp("item")
    with rasterio.open(whole) as source:
        for index, name in enumerate(BANDS, 1):
            profile = {
                **source.profile,
                "count": 1,
                "compress": "deflate",
                "tiled": True,
                "blockxsize": 256,
                "blockysize": 256,
            }
            profile.pop("photometric", None)
            with rasterio.open(folder / f"T18SUD_20181013_{name}_10m.tif", "w", **profile) as out:
                out.write(source.read(index), 1)
        coarse = {**profile, "width": 1314, "height": 1100, "transform": source.transform @ source.transform.scale(2)}
        with rasterio.open(folder / "T18SUD_20181013_B11_20m.tif", "w", **coarse) as out:
            out.write(source.read(1, out_shape=(1100, 1314)), 1)
    (folder / "item.json").write_text(json.dumps(item()))
    return folder


def item(**changes: Any) -> dict[str, Any]:
    def asset(name: str, meters: int) -> dict[str, Any]:
        href = f"./T18SUD_20181013_{name}_{meters}m.tif"
        return {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"], "gsd": meters}

    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2B_T18SUD_20181013",
        "properties": {"datetime": "2018-10-13T15:53:09Z"},
        "geometry": None,
        "assets": {
            "thumbnail": {"href": "./preview.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
            "swir16": asset("B11", 20),
            **{key: asset(name, 10) for key, name in zip(("blue", "green", "red", "nir"), BANDS, strict=True)},
            "metadata": {"href": "./meta.xml", "type": "application/xml"},
            "visual": {"href": "./tci.tif", "type": "image/tiff", "roles": ["visual"], "gsd": 10},
        },
        **changes,
    }


def command(*arguments: object) -> tuple[int, str, str]:
    run = subprocess.run(
        [sys.executable, "-m", "geolabel", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout, run.stderr


def test_the_command_line_takes_a_stack(folder: Path, whole: Path, tmp_path: Path) -> None:
    files = [folder / f"T18SUD_20181013_{name}_10m.tif" for name in BANDS]
    open_store(tmp_path / "ws", create=True).close()
    code, out, err = command(
        "scene", "add", "-w", tmp_path / "ws", "--stack", *files, "--datetime", "2018-10-13", "--json"
    )
    assert (code, err) == (0, "")
    [scene] = json.loads(out)["scenes"]
    assert scene["id"] == "t18sud_20181013_10m"
    assert [band["name"] for band in scene["bands"]] == list(BANDS)
    assert scene["href"].startswith("stack:")
    with rasterio.open(whole) as source:
        assert (scene["width"], scene["height"]) == (source.width, source.height)
    code, _, err = command(
        "scene", "add", "-w", tmp_path / "ws", "--stack", files[0], folder / "T18SUD_20181013_B11_20m.tif"
    )
    assert code == 1
    assert "'T18SUD_20181013_B11_20m.tif' does not lie on the grid of 'T18SUD_20181013_B02_10m.tif'" in " ".join(
        err.split()
    )
    code, _, err = command("scene", "add", "-w", tmp_path / "ws", "--stack", "--cog", *files)
    assert code == 1
    assert "Several files are not written as one COG" in " ".join(err.split())


def test_chips_of_a_stack_are_those_of_the_raster(folder: Path, whole: Path, tmp_path: Path) -> None:
    files = [folder / f"T18SUD_20181013_{name}_10m.tif" for name in BANDS]
    found = []
    for name, path in (("stack", files), ("whole", whole)):
        with geolabel.open(tmp_path / name, create=True) as workspace:
            scene = workspace.add_scene(path)
            project = workspace.create_project("p", scenes=[scene], classes=["water"])
            west, south, east, north = scene.bounds
            middle = [(west + east) / 2, (south + north) / 2]
            ring = [
                [middle[0] + dx * 0.004, middle[1] + dy * 0.004] for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
            ]
            feature = {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {"class": "water"},
            }
            project.add({"type": "FeatureCollection", "features": [feature]}, class_field="class")
            project.export(
                tmp_path / f"{name}-out", formats=["coco"], chips=geolabel.ChipSpec(size=256, negatives="none")
            )
        images = sorted((tmp_path / f"{name}-out" / "images").rglob("*.tif"))
        assert images
        with rasterio.open(images[0]) as image:
            found.append((image.read(), image.transform, image.crs))
    assert (found[0][0] == found[1][0]).all()
    assert found[0][1:] == found[1][1:]


def test_a_stac_item_is_its_data_on_the_finest_grid(folder: Path, tmp_path: Path) -> None:
    with geolabel.open(tmp_path / "ws", create=True) as workspace:
        scene = workspace.add_scene(folder / "item.json")
        assert (scene.id, scene.datetime) == ("s2b_t18sud_20181013", "2018-10-13T15:53:09Z")
        assert [band.name for band in scene.bands] == ["blue", "green", "red", "nir"]
        again = workspace.add_scene(folder / "item.json")
        assert again.id == scene.id
        chosen = workspace.add_scene(folder / "item.json", assets=["nir", "red"], datetime="2020-01-01")
        assert ([band.name for band in chosen.bands], chosen.datetime) == (["nir", "red"], "2020-01-01T00:00:00Z")
    found = read_item(str(folder / "item.json"))
    assert found.left == ("swir16", "visual")


@pytest.mark.parametrize(
    ("change", "assets", "sentence"),
    [
        (
            {"type": "FeatureCollection"},
            (),
            r"'item.json' cannot be read as a STAC item: expected an item .* got a FeatureCollection",
        ),
        ({"assets": {}}, (), r"'item.json' has no raster that could be a scene"),
        ({"assets": None}, (), r"'item.json' cannot be read as a STAC item"),
        ({}, ("pan",), r"The STAC item 'item.json' has no raster 'pan': it has swir16, blue, green, red, nir, visual"),
        ({}, ("visual",), r"tci.tif'.*cannot be found"),
    ],
)
def test_an_item_that_makes_no_scene_says_why(
    change: dict, assets: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "item.json"
    path.write_text(json.dumps(item(**change)))
    with pytest.raises((InvalidRaster, InvalidInput), match=sentence):
        inspect(find_files(path, assets).href)


def test_what_is_no_item_has_no_assets(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"Assets are those of a STAC item \(.json\), and 's2b_20181013_b2348_uint8.tif' is none"
    ):
        find_files(whole, ["red"])
    with pytest.raises(InvalidInput, match="A stack needs at least one file"):
        find_files([])
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InvalidRaster, match="'a.json' cannot be read as a STAC item"):
        find_files(tmp_path / "a.json")


def test_over_http_each_file_of_a_stack_or_an_item_must_be_allowed(folder: Path, tmp_path: Path, data: Path) -> None:
    files = [str(folder / f"T18SUD_20181013_{name}_10m.tif") for name in BANDS]
    outside = item()
    outside["assets"]["red"]["href"] = str(data / "images/RGB.byte.tif")
    (folder / "outside.json").write_text(json.dumps(outside))
    open_store(tmp_path / "ws", create=True).close()
    with TestClient(
        create_app(Settings(workspace=tmp_path / "ws", imagery_roots=[folder])), base_url="http://127.0.0.1:8000"
    ) as client:
        made = client.post("/api/scenes", json={"stack": files[2::-1]})
        assert made.status_code == 201, made.text
        assert [band["name"] for band in made.json()["bands"]] == ["B04", "B03", "B02"]
        scene = made.json()["id"]
        there = np.load(BytesIO(client.get(f"/api/scenes/{scene}/tiles/native/4/2/3.npy").content))
        with rasterio.open(files[2]) as dataset:
            assert (there[0] == dataset.read(1, window=((768, 1024), (512, 768)))).all()
        assert (
            client.post("/api/scenes", json={"href": str(folder / "item.json"), "assets": ["red"]}).status_code == 201
        )
        for body, status, sentence in (
            ({"href": str(folder / "outside.json")}, 403, "does not lie under the folders of GEOLABEL_IMAGERY_ROOTS"),
            ({"stack": [files[0], str(data / "images/RGB.byte.tif")]}, 403, "does not lie under the folders"),
            ({"stack": ['stack:{"files": ["/etc/passwd"], "names": ["a"]}']}, 403, "Only an absolute path of a file"),
            ({}, 422, "expected one of href and stack"),
            ({"href": files[0], "stack": files}, 422, "expected one of href and stack"),
            ({"stack": []}, 422, "stack"),
        ):
            refused = client.post("/api/scenes", json=body)
            assert refused.status_code == status, refused.text
            assert sentence in refused.text


def test_ground_control_points_are_brought_to_a_grid_once(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "s1.tif"
    path.write_bytes((data / "images/cog_gcps.tif").read_bytes())
    with pytest.raises(
        InvalidRaster,
        match=r"has 210 ground control points and no transform.*--cog.* within 0.06 pixels, the worst to 0.31\), and registers that",
    ):
        inspect(path)
    made = write_cog(path)
    scene = inspect(made)
    assert scene.grid.crs == "EPSG:32643"
    with rasterio.open(path) as source, rasterio.open(made) as cog:
        points, _ = source.gcps
        assert cog.count == 1
        assert cog.overviews(1)
        mask = cog.read_masks(1) > 0
        assert 0.4 < mask.mean() < 0.99
        assert not mask[0, 0]
        values = source.read(1).astype(float)
        # Where the points say that a place is, the values are those of that place.
        rows, columns = (part.ravel() for part in np.mgrid[100:700:40, 100:1100:40])
        with GCPTransformer([GroundControlPoint(p.row, p.col, p.x, p.y) for p in points], tps=True) as fit:
            lon, lat = fit.xy(rows, columns, offset="ul")
        x, y = rasterio.warp.transform("EPSG:4326", cog.crs, lon, lat)
        there = np.array([v[0] for v in cog.sample(zip(x, y, strict=True))], dtype=float)
        here = np.array([values[r - 1 : r + 1, c - 1 : c + 1].mean() for r, c in zip(rows, columns, strict=True)])
    assert np.corrcoef(there, here)[0, 1] > 0.9
    with pytest.raises(AlreadyExists, match=r"s1.cog.tif is already there"):
        write_cog(path)
