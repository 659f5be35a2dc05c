from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tiles.cache import Cache, etag_matches, make_etag


def test_the_least_recently_used_goes_first() -> None:
    made: list[str] = []
    cache: Cache[bytes] = Cache(10, len)

    def get(key: str, size: int = 4) -> None:
        cache.get(key, lambda: made.append(key) or b"." * size)

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert made == ["a", "b", "c", "b"]
    get("too large", 11)
    get("too large", 11)
    get("a")
    assert made[4:] == ["too large", "too large", "a"] or made[4:] == ["too large", "too large"]


def test_what_is_worth_more_stays_longer_but_not_for_ever() -> None:
    made: list[str] = []
    cache: Cache[str] = Cache(4)

    def get(key: str, worth: float) -> None:
        cache.get(key, lambda: made.append(key) or key, worth)

    get("coarse", 8)
    for turn in range(20):
        get(f"fine {turn}", 1)
    get("coarse", 8)
    assert made.count("coarse") == 1  # twenty others went through three places
    for turn in range(20, 60):
        get(f"fine {turn}", 1)
    get("fine 59", 1)
    get("coarse", 8)
    assert made.count("coarse") == 2  # nobody had asked for it for longer than eight such turns
    assert made.count("fine 59") == 1
    assert len(cache._kept) == 4


def test_zero_keeps_nothing() -> None:
    cache: Cache[bytes] = Cache(0, len)
    made = [cache.get("a", lambda: b"x") for _ in range(3)]
    assert made == [b"x"] * 3
    assert not cache._kept


def test_many_threads_make_a_value_once() -> None:
    cache: Cache[int] = Cache(10)
    made: list[int] = []
    all_in = threading.Barrier(8, timeout=10)

    def make() -> int:
        threading.Event().wait(0.05)
        made.append(1)
        return 7

    def ask() -> int:
        all_in.wait()
        return cache.get("a", make)

    with ThreadPoolExecutor(8) as pool:
        assert [f.result() for f in [pool.submit(ask) for _ in range(8)]] == [7] * 8
    assert made == [1]


def test_an_error_is_not_kept() -> None:
    cache: Cache[int] = Cache(10)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0)
    assert cache.get("a", lambda: 5) == 5
    assert not cache._making


def test_etags() -> None:
    etag = make_etag("tile", 1, "a")
    assert etag.startswith('"')
    assert etag.endswith('"')
    assert etag == make_etag("tile", 1, "a") != make_etag("tile", 1, "b")
    assert make_etag("ab", "c") != make_etag("a", "bc")
    for header in (etag, f"W/{etag}", f'"x", {etag}', "*", f' W/"y" , W/{etag} '):
        assert etag_matches(header, etag)
    for header in (None, "", '"x"', etag.strip('"')):
        assert not etag_matches(header, etag)
