"""Run the benchmarks on the sample scene and print the table of benchmarks/README.md.

    python -m benchmarks             # all of them
    python -m benchmarks tiles       # one

Everything in one row was measured in one run on one machine, alternating, and is meant to be read as a ratio.
Peers that are not installed are left out and said so: pip install titiler-core rschip.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import chips, coco, import_, label_tiles, queries, tiles, web
from geolabel import __version__, sample

BENCHMARKS = {
    "tiles": tiles.run,
    "chips": chips.run,
    "coco": coco.run,
    "label_tiles": label_tiles.run,
    "import": import_.run,
    "queries": queries.run,
    "web": web.run,
}


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in wanted if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.")
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "sample.tif"
        sample.write_scene(scene)
        print(
            f"{datetime.now(tz=UTC):%Y-%m-%d}, geolabel {__version__}, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores, {platform.machine()}; sample scene of {scene.stat().st_size / 1e6:.0f} MB\n"
        )
        print("| what | geolabel | peer or limit | ratio | peak memory |\n|---|---|---|---|---|")
        for name in wanted:
            for row in BENCHMARKS[name](scene, Path(folder)):
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
