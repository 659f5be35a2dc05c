"""What a browser has to load."""

from __future__ import annotations

import gzip
import re

from geolabel.api.pages import STATIC

MOST = 600_000


def test_the_page_and_all_that_it_loads_at_once_fit() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)  # the policy allows no script in the page
    loaded = re.findall(r'(?:src|href)="/(assets/[^"]+)"', page)
    workers = [path.relative_to(STATIC).as_posix() for path in (STATIC / "assets").glob("*worker*")]
    assert loaded
    assert workers
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes(), 6)) for name in {*loaded, *workers}}
    assert sum(sizes.values()) <= MOST, sizes
