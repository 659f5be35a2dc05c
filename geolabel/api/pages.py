"""The web map and the API page: files that the build bundled, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Scope

STATIC = Path(__file__).parent.parent / "web" / "static"

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>geolabel: the web map is not built</title>
<h1>The web map is not built</h1>
<p>This copy of geolabel runs from its source and has no web bundle yet. Build it with <code>pip install -e .</code>
in the source folder, then load this page again. The API works: see <a href="/api">/api</a>.</p>
</html>
"""


class _Hashed(StaticFiles):
    """Files whose name holds a hash of their content: a browser never asks for them twice."""

    async def check_config(self) -> None:
        """A bundle that is not built yet is no mistake: its files are not there."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def add_pages(app: FastAPI, static: Path = STATIC) -> None:
    """Serve the bundle.

    Args:
        app: the application; its other routes come first.
        static: folder of the bundle; read at each request, so that a build shows up without a restart.
    """
    router = APIRouter(include_in_schema=False)

    def page(name: str) -> Response:
        file = static / name
        if not file.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        return FileResponse(file, headers={"Cache-Control": "no-cache"})

    @router.get("/")
    def index() -> Response:
        return page("index.html")

    @router.get("/api/docs")
    def docs() -> Response:
        return page("docs.html")

    app.include_router(router)
    app.mount("/assets", _Hashed(directory=static / "assets", check_dir=False), name="assets")
