"""Draw, change and delete a label over HTTP, as any OGC API Features client does.

geolabel serve -w WORKSPACE &
python examples/03_ogc_api.py http://127.0.0.1:8000 PROJECT CLASS
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from email.message import Message


def call(method: str, url: str, body: object = None, **headers: str) -> tuple[int, Message, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/geo+json", **headers}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def main(server: str, project: str, class_name: str) -> None:
    items = f"{server}/api/collections/{project}/items"
    _, _, collection = call("GET", f"{server}/api/collections/{project}")
    west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
    x, y, step = (west + east) / 2, (south + north) / 2, (east - west) / 50
    square = [[x, y], [x + step, y], [x + step, y + step], [x, y + step], [x, y]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "properties": {"class": class_name},
    }
    status, headers, made = call("POST", items, feature)
    print("created", status, headers["Location"], headers["ETag"])
    item = f"{items}/{made['id']}"

    patch = {"properties": {"note": "checked in the field"}}
    status, headers, _ = call("PATCH", item, patch, **{"If-Match": '"1"'})
    print("changed", status, headers["ETag"])

    # Somebody who still holds version 1 cannot overwrite version 2.
    status, _, problem = call("PATCH", item, patch, **{"If-Match": '"1"'})
    print("refused", status, problem["detail"])

    status, _, _ = call("DELETE", item, **{"If-Match": '"2"'})
    print("deleted", status)


if __name__ == "__main__":
    main(*sys.argv[1:])
