"""`geolabel copy`: everything comes along, whichever databases the two are in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from shapely.geometry import GeometryCollection, LineString, Point, Polygon

from geolabel.attributes import Attribute
from geolabel.classes import make_classes
from geolabel.errors import AlreadyExists, NotFound, StoreFailed
from geolabel.model import AnnotationPatch, NewAnnotation, Project, Provenance, Status
from geolabel.store import copying, open_store, tables
from geolabel.store.copying import copy_workspace
from geolabel.workflows import copy_workspace as copy_locations

if TYPE_CHECKING:
    from pathlib import Path

    from geolabel.store import Store

KINDS = ["geopackage", pytest.param("postgis", marks=pytest.mark.postgis)]
ROTATED = (
    'PROJCRS["Site",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]]],'
    'CONVERSION["Oblique",METHOD["Hotine Oblique Mercator (variant A)",ID["EPSG",9812]],PARAMETER["Latitude of projection centre",50],'
    'PARAMETER["Longitude of projection centre",10],PARAMETER["Azimuth of initial line",30],'
    'PARAMETER["Angle from Rectified to Skew Grid",30],PARAMETER["Scale factor on initial line",1],PARAMETER["False easting",0],'
    'PARAMETER["False northing",0]],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
)


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where an empty workspace is, or may be made."""
    if request.param == "postgis":
        made: str = request.getfixturevalue("postgis_workspace")()
        return made
    return tmp_path / "copy"


def fill(store: Store) -> None:
    """Everything that a workspace can hold."""
    attributes = (Attribute("height", "number", minimum=0.0), Attribute("certain", "boolean"))
    store.create_project(Project("site", "Site ß", ROTATED, make_classes(["any"]), attributes=attributes))
    store.create_project(Project("pixels", "No ground", None, make_classes(["any"])))
    random = np.random.default_rng(5)
    shapes = shapely.buffer(shapely.points(random.uniform(0, 1e6, (300, 2))), 3.3, quad_segs=3)
    provenance = Provenance("import:a.gpkg", 0.1 + 0.2, "scene-a", "Zoë")
    store.create(
        "landuse", [NewAnnotation(s, "water", "«note»", Status.ACCEPTED, provenance) for s in shapes], author="ann"
    )
    odd = [
        Point(-0.0, 5e-324),
        LineString([(0, 0, -0.0), (1, 1, 1e300)]),
        Polygon([(0, 0), (9, 0), (9, 9)], [[(5, 1), (6, 1), (6, 2)]]),
        GeometryCollection([Point(1, 2), LineString([(0, 0), (1, 1)])]),
        shapely.from_wkt("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))"),
    ]
    new = [NewAnnotation(s, "any", attributes={"height": 1 / 3, "certain": True}) for s in odd]
    store.create("site", new)
    store.create("pixels", [NewAnnotation(s, "any") for s in odd])
    store.create("site.coverage", [NewAnnotation(odd[2], "seen")])
    store.update("site", 2, AnnotationPatch(geometry=Point(3, 3), note="moved"), author="bob")
    store.update("site", 2, AnnotationPatch(class_name="any", note=""))
    store.delete("site", 5)
    store.delete("landuse", 300)
    store.add_job("export", "landuse", {})


def everything(store: Store) -> list[object]:
    """What a user can see of a workspace."""
    found: list[object] = [store.scenes(), store.projects(), store.changes()]
    for project in [p.id for p in store.projects()]:
        for layer in (project, f"{project}.coverage"):
            found += [store.extent(layer), store.counts(layer), store.changes(layer)]
            found += [(a, shapely.to_wkb(a.geometry, flavor="iso")) for a in store.query(layer)]
            found += [store.query(layer, bbox=(0, 0, 5e5, 5e5)) if "pixels" not in layer else None]
            found += [store.history(layer, a.id) for a in store.query(layer)[:20]]
    found.append(store.history("site", 5))
    with store._read() as connection:
        changesets = connection.execute(tables.changesets.select().order_by(tables.changesets.c.number)).all()
    return [*found, [tuple(row) for row in changesets]]


def test_everything_comes_along(store, target):
    fill(store)
    said: list[float] = []
    with open_store(target, create=True) as copy:
        report = copy_workspace(store, copy, progress=lambda share, _: said.append(share))
        assert everything(copy) == everything(store)
        assert report.projects["landuse"] == 299
        assert report.projects["site"] == 4
        assert report.rows["geolabel_history"] >= 4
        assert report.to_json()["sha256"] == report.sha256
        assert copy.jobs() == []
        for where in (copy, store):
            assert where.create("site", [NewAnnotation(Point(0, 0), "any")])[0].id == 6, "5 was deleted"
            assert where.create("landuse", [NewAnnotation(Point(0, 0), "water")])[0].id == 301
            assert where.replace("site", 5, NewAnnotation(Point(0, 0), "any")).version == 3
            where.create_project(Project("later", "Later", ROTATED, ()))
            where.add_scene(replace(where.scene("scene-a"), id="scene-z", href="/z.tif"))
        assert everything(copy)[2] == everything(store)[2]
    assert said == sorted(said)
    assert said[-1] == 1.0


def test_back_again_is_the_same(store, target, tmp_path):
    fill(store)
    there = copy_locations(store.location, target)
    back = copy_locations(target, tmp_path / "back")
    assert (there.sha256, there.rows) == (back.sha256, back.rows)
    with open_store(tmp_path / "back") as returned:
        assert everything(returned) == everything(store)


def test_what_changes_meanwhile_is_not_in_it(store, target):
    fill(store)
    before = everything(store)
    with open_store(target, create=True) as copy:
        changed = []

        def change(*_: object) -> None:
            if len(changed) < 3:
                changed.append(store.create("landuse", [NewAnnotation(Point(1, 1), "water")]))
                store.delete("landuse", 1 + len(changed))

        copy_workspace(store, copy, progress=change)
        assert everything(copy) == before
    assert len(changed) == 3


def test_only_into_an_empty_one(store, target, tmp_path):
    with open_store(target, create=True) as copy:
        copy.add_scene(store.scene("scene-a"))
        with pytest.raises(AlreadyExists, match="is not empty .*: copy into a new one, made by `geolabel init`"):
            copy_workspace(store, copy)
        assert copy.projects() == []
    with pytest.raises(NotFound, match="There is no workspace in"):
        copy_locations(tmp_path / "nowhere", target)
    with pytest.raises(AlreadyExists):
        copy_locations(store.location, store.location)


def test_a_copy_that_is_not_equal_is_not_kept(store, target, monkeypatch):
    """One label is spoilt on its way in."""
    fill(store)
    encoded = copying._Page._encoded

    def spoilt(self, rows):
        done = encoded(self, rows)
        if self.name == "landuse":
            done[7] = {**done[7], "note": "spoilt"}
        return done

    monkeypatch.setattr(copying._Page, "_encoded", spoilt)
    with open_store(target, create=True) as copy:
        with pytest.raises(
            StoreFailed, match="is not what was copied: landuse should hold 299 rows of hash .* Nothing"
        ):
            copy_workspace(store, copy)
        assert copy.projects() == []
        monkeypatch.undo()
        copy_workspace(store, copy)
        assert copy.count("landuse") == 299
