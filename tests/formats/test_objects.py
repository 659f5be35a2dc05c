"""Datasets in object storage, beside a server that speaks S3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import boto3
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from moto.server import ThreadedMotoServer

from geolabel import workflows
from geolabel.chips.spec import ChipSpec
from geolabel.errors import AlreadyExists, Cancelled, InvalidSpec, NotAllowed
from geolabel.model import NewAnnotation
from geolabel.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATS = ("coco", "yolo", "mask-semantic", "geojson", "geoparquet")
SPEC = ChipSpec(size=32)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    for name, value in (settings | {"AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"], region_name="us-east-1")
    # What servers hold is one for all of a process.
    urlopen(Request(f"{settings['AWS_ENDPOINT_URL']}/moto-api/reset", method="POST")).close()
    client.create_bucket(Bucket="data")
    yield client
    client.close()
    server.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    pixels = np.random.default_rng(1).integers(1, 255, (3, 200, 300), dtype=np.uint8)
    options = {"driver": "GTiff", "width": 300, "height": 200, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(tmp_path / "scene.tif", "w", transform=Affine(1, 0, 0, 0, -1, 200), **options) as target:
        target.write(pixels)
    with open_store(tmp_path / "ws", create=True) as opened:
        scene = workflows.add_scene(opened, tmp_path / "scene.tif")
        workflows.create_project(opened, "Land", scenes=[scene.id], classes=["water"])
        lot = np.random.default_rng(2).uniform(10, 190, (60, 2))
        opened.create("land", [NewAnnotation(shapely.Point(at).buffer(6), "water") for at in lot])
        yield opened


def objects(client: object, prefix: str = "") -> dict[str, bytes]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="data", Prefix=prefix)  # type: ignore[attr-defined]
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    return {key.removeprefix(prefix): client.get_object(Bucket="data", Key=key)["Body"].read() for key in keys}  # type: ignore[attr-defined]


@pytest.mark.parametrize("engine", ["serial", "processes:2"])
def test_a_bucket_gets_what_a_folder_would(engine: str, store: Store, bucket: object, tmp_path: Path) -> None:
    here = workflows.export(store, "land", tmp_path / "out", FORMATS, SPEC)
    there = workflows.export(store, "land", "s3://data/sets/one", FORMATS, SPEC, engine=engine)
    assert here == there
    folder = {
        str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    assert objects(bucket, "sets/one/") == folder
    with pytest.raises(AlreadyExists, match="s3://data/sets/one holds a dataset already"):
        workflows.export(store, "land", "s3://data/sets/one/", FORMATS, SPEC)


def test_the_manifest_is_the_last(store: Store, bucket: object) -> None:
    """What a killed export leaves has no manifest, is no dataset, and goes on."""

    def stop(share: float, _message: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workflows.export(store, "land", "s3://data/one", FORMATS, SPEC, engine="serial", resume=True, progress=stop)
    left = objects(bucket, "one/")
    assert ".build/000000.part" in left
    assert "manifest.json" not in left
    workflows.export(store, "land", "s3://data/one", FORMATS, SPEC, engine="serial", resume=True)
    workflows.export(store, "land", "s3://data/two", FORMATS, SPEC)
    assert objects(bucket, "one/") == objects(bucket, "two/")
    assert json.loads(objects(bucket, "one/")["manifest.json"])["project"] == "land"


def test_cancel_leaves_nothing(store: Store, bucket: object) -> None:
    def stop(share: float, _message: str) -> None:
        if share > 0.5:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        workflows.export(store, "land", "s3://data/one", FORMATS, SPEC, progress=stop)
    assert objects(bucket) == {}


def test_what_is_not_ours_is_left_alone(store: Store, bucket: object) -> None:
    bucket.put_object(Bucket="data", Key="one/precious.txt", Body=b"mine")  # type: ignore[attr-defined]
    with pytest.raises(AlreadyExists, match="s3://data/one is not empty: precious.txt is there"):
        workflows.export(store, "land", "s3://data/one", FORMATS, SPEC)
    assert objects(bucket) == {"one/precious.txt": b"mine"}


@pytest.mark.parametrize(
    "url", ["s3://data", "http://data/x", "file:///tmp/x", "s3:///x", "s3://me:secret@data/x", "s3://data/x?y=1"]
)
def test_a_url_that_is_none_is_refused(url: str, store: Store) -> None:
    with pytest.raises(InvalidSpec, match="A dataset goes to a folder, or to s3://BUCKET/FOLDER"):
        workflows.export(store, "land", url, FORMATS, SPEC)


def test_no_bucket_of_that_name_is_a_sentence(store: Store, bucket: object) -> None:
    del bucket
    with pytest.raises(NotAllowed, match="s3://nobody/one cannot be used"):
        workflows.export(store, "land", "s3://nobody/one", FORMATS, SPEC)
