"""OGC API Features at the edge: documents against the schemas of OGC, methods, compression, filters, reasons for QGIS."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import jsonschema
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from geolabel.attributes import make_attributes
from geolabel.model import NewAnnotation
from geolabel.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Api

REPO = Path(__file__).resolve().parents[2]
UTM = "http://www.opengis.net/def/crs/EPSG/0/32616"
LATLON = "http://www.opengis.net/def/crs/EPSG/0/4326"
ITEMS = "/api/collections/atlanta/items"
COLLECTION = "/api/collections/atlanta"


@pytest.fixture
def filled(workspace: Path, data: Path) -> Path:
    """The buildings of Atlanta, with attributes and times."""
    buildings = gpd.read_file(data / "pairs/atlanta_pan16_buildings/buildings_epsg32616.geojson").geometry
    attributes = make_attributes(
        [
            {"name": "floors", "kind": "number", "minimum": 0, "maximum": 99, "title": "Floors"},
            {"name": "roof", "kind": "enum", "values": ["flat", "gable"]},
            {"name": "checked", "kind": "boolean"},
        ]
    )
    with open_store(workspace) as store:
        store.change_project("atlanta", lambda p: replace(p, attributes=attributes))
        store.create(
            "atlanta",
            [
                NewAnnotation(
                    shape,
                    "building",
                    note=f"No. {i}" if i % 2 else None,
                    attributes={"floors": i % 5, "roof": ["flat", "gable"][i % 2], "checked": i % 3 == 0},
                    valid_from="2019-01-01" if i % 4 == 0 else None,
                    valid_to="2020-06-30" if i % 4 < 2 else None,
                )
                for i, shape in enumerate(buildings)
            ],
        )
    return workspace


@pytest.fixture
def labels(filled: Path, start: Callable[..., Api]) -> Api:
    return start(filled)


def ids(api: Api, **query: str) -> list[int]:
    parameters = {
        name.replace("_", "-") if name.endswith(("_crs", "_lang")) else name: text for name, text in query.items()
    }
    answer = api("GET", ITEMS, params=parameters).json()
    assert answer["numberMatched"] == answer["numberReturned"]
    return [feature["id"] for feature in answer["features"]]


@pytest.fixture(scope="module")
def schema_of(data: Path) -> Callable[[str], Any]:
    """Validators of the OGC schemas, by name."""
    folder = data / "formats/ogcapi_features/core/openapi/schemas"
    base = "https://schemas.opengis.net/"
    resources = [
        (f"{base}{f.name}", DRAFT202012.create_resource(as_json_schema(yaml.safe_load(f.read_text()))))
        for f in folder.glob("*.yaml")
    ]
    registry: Registry[Any] = Registry().with_resources(resources)

    def validator(name: str) -> Any:
        return jsonschema.Draft202012Validator({"$ref": f"{base}{name}.yaml"}, registry=registry)

    return validator


def as_json_schema(node: Any) -> Any:
    """The schemas mean the type "null" where they say null, which YAML takes for no value."""
    if isinstance(node, list):
        return ["null" if item is None else as_json_schema(item) for item in node]
    if isinstance(node, dict):
        return {key: "null" if value is None else as_json_schema(value) for key, value in node.items()}
    return node


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api", "landingPage"),
        ("/api/conformance", "confClasses"),
        ("/api/collections", "collections"),
        (COLLECTION, "collection"),
        (ITEMS, "featureCollectionGeoJSON"),
        (f"{ITEMS}?limit=3&filter=floors=1", "featureCollectionGeoJSON"),
        (f"{ITEMS}/1", "featureGeoJSON"),
    ],
)
def test_documents_conform_to_the_schemas_of_ogc(
    labels: Api, schema_of: Callable[[str], Any], path: str, name: str
) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in schema_of(name).iter_errors(labels("GET", path).json())]
    assert errors == []


def test_answers_are_what_the_api_description_says(labels: Api) -> None:
    described = labels("GET", "/api/openapi.json").json()
    feature = labels("GET", f"{ITEMS}/1").json()
    own = {"type": "Feature", "geometry": feature["geometry"], "properties": {"class": "building"}}
    template = ITEMS.replace("atlanta", "{project}")
    for method, path, at, status, body in (
        ("get", template, ITEMS, 200, None),
        ("get", f"{template}/{{id}}", f"{ITEMS}/1", 200, None),
        ("post", template, ITEMS, 201, own),
        ("put", f"{template}/{{id}}", f"{ITEMS}/1", 200, own),
        ("patch", f"{template}/{{id}}", f"{ITEMS}/1", 200, {"properties": {"note": None}}),
        ("get", template, f"{ITEMS}?colour=red", 400, None),
    ):
        answer = labels(method.upper(), at, status, json=body)
        responses = described["paths"][path][method]["responses"]
        [schema] = responses.get(str(status), responses["default"])["content"].values()
        whole = {**schema["schema"], "components": described["components"]}
        assert [e.message for e in jsonschema.Draft4Validator(whole).iter_errors(answer.json())] == []
        assert answer.headers["Content-Type"] in responses.get(str(status), responses["default"])["content"]


def test_features_conform_to_the_schema_of_their_collection(labels: Api) -> None:
    for path in ("schema", "queryables"):
        described = labels("GET", f"{COLLECTION}/{path}").json()
        jsonschema.Draft202012Validator.check_schema(described)
        assert described["$id"] == f"http://127.0.0.1:8000{COLLECTION}/{path}"
    schema = labels("GET", f"{COLLECTION}/schema").json()
    order = [member["x-ogc-propertySeq"] for member in schema["properties"].values()]
    assert order == list(range(1, len(order) + 1))
    assert schema["properties"]["floors"] == {
        "title": "Floors", "type": "number", "minimum": 0, "maximum": 99, "x-ogc-propertySeq": schema["properties"]["floors"]["x-ogc-propertySeq"],
    }  # fmt: skip
    members = {name: member for name, member in schema["properties"].items() if name != "geometry"}
    validator = jsonschema.Draft202012Validator(
        {
            **schema,
            "properties": {n: {k: v for k, v in m.items() if k != "readOnly"} for n, m in members.items()},
            "required": ["class"],
        }
    )
    for feature in labels("GET", ITEMS).json()["features"]:
        values = {name: value for name, value in feature["properties"].items() if value is not None}
        assert [e.message for e in validator.iter_errors({"id": feature["id"], **values})] == []


def test_every_property_of_a_feature_can_be_asked_for(labels: Api) -> None:
    known = labels("GET", f"{COLLECTION}/queryables").json()["properties"]
    feature = labels("GET", f"{ITEMS}/2").json()
    computed = {"area_m2", "length_m", "external"}
    assert set(feature["properties"]) - computed <= set(known)
    for name, value in feature["properties"].items():
        if value is not None and name not in computed:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            assert 2 in ids(labels, limit="100", **{name: text}), name
            literal = f"'{text}'" if isinstance(value, str) else text
            assert 2 in ids(labels, limit="100", filter=f'"{name}" = {literal}'), name


def test_what_is_declared(labels: Api) -> None:
    declared = labels("GET", "/api/conformance").json()["conformsTo"]
    assert len(declared) == len(set(declared))
    for name in (
        "ogcapi-features-1/1.0/conf/core", "ogcapi-features-1/1.0/conf/oas30", "ogcapi-features-2/1.0/conf/crs",
        "ogcapi-features-3/1.0/conf/filter", "ogcapi-features-3/1.0/conf/features-filter", "cql2/1.0/conf/cql2-text",
        "cql2/1.0/conf/cql2-json", "cql2/1.0/conf/basic-cql2", "cql2/1.0/conf/spatial-functions",
        "ogcapi-features-4/1.0/conf/create-replace-delete", "ogcapi-features-5/1.0/conf/schemas",
    ):  # fmt: skip
        assert f"http://www.opengis.net/spec/{name}" in declared


def test_head_is_get_without_the_body(labels: Api) -> None:
    for path in (
        "/api",
        "/api/conformance",
        "/api/openapi.json",
        "/api/collections",
        COLLECTION,
        ITEMS,
        f"{ITEMS}/1",
        "/healthz",
    ):
        head, get = labels("HEAD", path), labels("GET", path)
        assert head.content == b""
        for name in ("Content-Type", "Content-Length", "ETag", "Content-Crs", "Link"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
    missing = labels("HEAD", f"{ITEMS}/999", 404)
    assert missing.content == b""
    assert labels("HEAD", f"{ITEMS}?colour=red", 400).content == b""


def test_options_tell_the_methods(labels: Api) -> None:
    for path, methods in (
        (ITEMS, {"GET", "HEAD", "POST", "OPTIONS"}),
        (f"{ITEMS}/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
        (COLLECTION, {"GET", "HEAD", "OPTIONS"}),
    ):
        answer = labels("OPTIONS", path, 204)
        assert set(answer.headers["Allow"].split(", ")) == methods
    assert labels("OPTIONS", "/api/nowhere", 404)


def test_preflights_of_other_origins_still_work(filled: Path, start: Callable[..., Api]) -> None:
    api = start(filled, cors_origins=["https://map.example"])
    headers = {"Origin": "https://map.example", "Access-Control-Request-Method": "PUT"}
    answer = api("OPTIONS", f"{ITEMS}/1", headers=headers)
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://map.example"


def test_large_answers_are_compressed_when_asked_for(labels: Api) -> None:
    plain = labels("GET", ITEMS, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    with labels.client.stream("GET", ITEMS, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(raw) < len(plain.content) / 2
    assert len(gzip.decompress(raw)) == len(plain.content)
    small = labels("GET", f"{ITEMS}/1", headers={"Accept-Encoding": "gzip"})
    assert small.headers["ETag"] == '"1"'
    assert "Content-Encoding" not in labels("GET", "/api/conformance", headers={"Accept-Encoding": "gzip"}).headers
    tile = labels(
        "GET", "/api/scenes/atlanta_pan/tiles/WebMercatorQuad/15/8693/13148.png", headers={"Accept-Encoding": "gzip"}
    )
    assert "Content-Encoding" not in tile.headers


def test_qgis_is_told_the_reason_in_the_form_that_it_shows(labels: Api) -> None:
    agent = {"User-Agent": "Mozilla/5.0 QGIS/34006/Debian"}
    body = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [-84.48, 33.638]},
        "properties": {"class": "<x>"},
    }
    refused = labels("POST", ITEMS, 422, json=body, headers=agent)
    assert refused.headers["Content-Type"] == "application/xml"
    report = ET.fromstring(refused.content)
    assert report.tag == "ExceptionReport"
    [text] = report.iter("ExceptionText")
    assert text.text == labels("POST", ITEMS, 422, json=body).json()["detail"]
    assert "'<x>'" in str(text.text)
    assert labels("GET", ITEMS, headers=agent).headers["Content-Type"] == "application/geo+json"
    assert labels("HEAD", f"{ITEMS}/999", 404, headers=agent).content == b""
    assert (
        labels("GET", ITEMS, 421, headers={**agent, "Host": "evil.example"}).headers["Content-Type"]
        == "application/xml"
    )


def test_properties_as_parameters(labels: Api) -> None:
    everything = ids(labels)
    assert ids(labels, roof="gable") == everything[1::2]
    assert ids(labels, floors="2", checked="true") == [i for i in everything if (i - 1) % 5 == 2 and (i - 1) % 3 == 0]
    assert ids(labels, note="No. 7") == [8]
    assert ids(labels, **{"class": "building", "status": "labelled", "id": "3"}) == [3]
    for name, value, message in (
        ("roof", "thatch", "expected one of flat, gable; got 'thatch'"),
        ("floors", "many", "expected a number, got 'many'"),
        ("colour", "red", "no such parameter here, and no such property; properties are class, note"),
        ("geometry", "x", "no such property"),
        ("class", "field", "expected one of building, road, tree, water; got 'field'"),
    ):
        refused = labels("GET", ITEMS, 400, params={name: value}).json()
        assert message in refused["detail"]
        assert refused["errors"][0]["pointer"] == f"/{name}"
    assert "more than once" in labels("GET", f"{ITEMS}?floors=1&floors=2", 400).json()["detail"]


def test_datetime_is_the_time_for_which_labels_hold(labels: Api) -> None:
    everything = ids(labels)
    from_2019, until_2020 = {i for i in everything if (i - 1) % 4 == 0}, {i for i in everything if (i - 1) % 4 < 2}
    assert ids(labels, datetime="2018-05-05T00:00:00Z") == [i for i in everything if i not in from_2019]
    assert ids(labels, datetime="2019-01-01") == everything
    assert ids(labels, datetime="2020-06-30T23:00:00Z/..") == everything  # the last day is a whole one
    assert ids(labels, datetime="2020-07-01/..") == [i for i in everything if i not in until_2020]
    assert ids(labels, datetime="2018-01-01/2018-12-31") == [i for i in everything if i not in from_2019]
    assert ids(labels, datetime="../2018-12-31T23:59:59Z") == [i for i in everything if i not in from_2019]
    for text in ("2018", "..", "../..//", "2020-01-01/2019-01-01"):
        assert "datetime" in labels("GET", ITEMS, 400, params={"datetime": text}).json()["detail"]


def test_filters_in_both_languages_and_any_crs(labels: Api) -> None:
    box = ids(labels, bbox="733700,3724800,733900,3725000", bbox_crs=UTM)
    assert 3 < len(box) < 40
    assert ids(labels, filter="S_INTERSECTS(geometry, BBOX(733700, 3724800, 733900, 3725000))", filter_crs=UTM) == box
    as_json = '{"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [733700, 3724800, 733900, 3725000]}]}'
    assert ids(labels, filter=as_json, filter_lang="cql2-json", filter_crs=UTM) == box
    degrees = "-84.4805,33.6355,-84.4785,33.637"
    assert ids(labels, filter=f"S_INTERSECTS(geometry, BBOX({degrees}))") == ids(labels, bbox=degrees)
    assert ids(
        labels, filter="S_INTERSECTS(geometry, BBOX(33.6355,-84.4805,33.637,-84.4785))", filter_crs=LATLON
    ) == ids(labels, bbox=degrees)
    everything = ids(labels)
    assert ids(labels, filter="S_INTERSECTS(geometry, BBOX(-180, -90, 180, 90))") == everything
    assert ids(labels, filter="S_DISJOINT(geometry, BBOX(-180, -90, 180, 90))") == []
    assert ids(labels, filter="S_INTERSECTS(geometry, POLYGON((10 10, 20 10, 20 20, 10 10)))") == []
    assert ids(labels, filter="S_TOUCHES(geometry, POINT(500 0))") == []  # nowhere at all
    assert ids(labels, filter="roof = 'flat' AND floors > 2", bbox=degrees, roof="flat", limit="50") == [
        i for i in ids(labels, bbox=degrees) if (i - 1) % 2 == 0 and (i - 1) % 5 > 2
    ]


def test_refusals_of_filters_name_the_parameter(labels: Api) -> None:
    for query, pointer, message in (
        ({"filter": "colour = 'red'"}, "/filter", "There is no property 'colour'"),
        ({"filter": "floors = "}, "/filter", "cannot be read at character 10"),
        ({"filter": "floors = 1", "filter-lang": "ecql"}, "/filter-lang", "expected 'cql2-text' or 'cql2-json'"),
        ({"filter": "floors = 1", "filter-crs": "EPSG:2056"}, "/filter-crs", "is served in"),
        ({"filter": "{", "filter-lang": "cql2-json"}, "/filter", "is not JSON"),
        ({"bbox": "1,2,3,4,5"}, "/bbox", "four numbers"),
    ):
        refused = labels("GET", ITEMS, 400, params=query).json()
        assert refused["errors"][0]["pointer"] == pointer
        assert message in refused["detail"]


def test_pages_of_a_filter_by_their_links(labels: Api) -> None:
    expected = ids(labels, filter="roof = 'gable' OR floors = 0")
    url: str | None = f"{ITEMS}?limit=4&filter=roof%20%3D%20%27gable%27%20OR%20floors%20%3D%200&crs={UTM}"
    found, pages = [], 0
    while url is not None:
        page = labels("GET", url).json()
        assert page["numberMatched"] == len(expected)
        found += [feature["id"] for feature in page["features"]]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        pages += 1
    assert found == expected
    assert pages == -(-len(expected) // 4)


def test_long_filters_do_not_come_back_in_the_headers(labels: Api) -> None:
    points = ", ".join(f"-84.4{i:05d} 33.63{i:04d}" for i in range(2000))
    answer = labels("GET", ITEMS, params={"filter": f"S_DISJOINT(geometry, MULTIPOINT({points}))"})
    assert len(answer.headers["Link"]) < 1000
    assert "queryables" in answer.headers["Link"]
    assert max(map(len, answer.headers.values())) < 4096


def test_six_numbers_are_a_box_with_heights(labels: Api) -> None:
    assert ids(labels, bbox="-84.4805,33.6355,-100,-84.4785,33.637,100") == ids(
        labels, bbox="-84.4805,33.6355,-84.4785,33.637"
    )


def test_an_answer_does_without_a_count_that_takes_too_long(labels: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from geolabel.api import filters

    slow = " OR ".join(["CASEI(note) LIKE CASEI('%x%y%z%q')"] * 200)
    monkeypatch.setattr(filters, "COUNT_SECONDS", 0.0)
    page = labels("GET", ITEMS, params={"filter": f"{slow} OR id > 0", "limit": "2"}).json()
    assert page["numberReturned"] == 2
    assert "numberMatched" not in page
    monkeypatch.setattr(filters, "SEARCH_SECONDS", 0.0)
    refused = labels("GET", ITEMS, 503, params={"filter": slow, "limit": "2"}).json()
    assert "took longer than it may" in refused["detail"]
    assert labels("GET", ITEMS, params={"limit": "2"}).status_code == 200


DOCUMENT = (REPO / "docs/ogc.md").read_text(encoding="utf-8")


def test_the_filters_of_the_documentation_work(labels: Api) -> None:
    [texts] = re.findall(r"```cql2\n(.*?)```", DOCUMENT, re.DOTALL)
    chosen = {text: len(ids(labels, filter=text)) for text in texts.strip().splitlines()}
    everything = len(ids(labels))
    assert len(chosen) > 10
    assert {text for text, n in chosen.items() if n in {0, everything}} <= {
        "class = 'building' AND status <> 'rejected'",
        "note LIKE '100\\% sure'",
        "note IS NOT NULL OR confidence IS NULL",
        "created_at >= DATE('2024-05-01')",
        "updated_at > TIMESTAMP('2024-05-01T12:00:00Z')",
        "S_DISJOINT(geometry, POINT(-84.48 33.635))",
    }
    [as_json] = re.findall(r"```cql2-json\n(.*?)```", DOCUMENT, re.DOTALL)
    expected = ids(labels, bbox="-84.49,33.63,-84.47,33.64")
    assert ids(labels, filter=as_json, filter_lang="cql2-json") == expected


def test_the_documentation_names_what_is_declared(labels: Api) -> None:
    for uri in labels("GET", "/api/conformance").json()["conformsTo"]:
        assert f"`{uri.rsplit('/', 1)[-1]}`" in DOCUMENT, uri
    for name in labels("GET", f"{COLLECTION}/queryables").json()["properties"]:
        assert f"`{name}`" in DOCUMENT, name
