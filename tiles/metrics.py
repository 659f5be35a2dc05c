"""What is counted, for Prometheus. Several processes of one server add up, when `PROMETHEUS_MULTIPROC_DIR` names a folder that they share."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = ["CONTENT_TYPE_LATEST", "forget", "render"]

REQUESTS: Final = Counter("geolabel_http_requests_total", "Requests answered.", ("method", "route", "status"))
LATENCY: Final = Histogram(
    "geolabel_http_request_seconds",
    "Time from a request to the end of its answer.",
    ("route",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CACHE: Final = Counter("geolabel_tile_cache_total", "Tiles looked for in a cache.", ("cache", "result"))
MEMORY_HIT: Final = CACHE.labels("memory", "hit")
MEMORY_MISS: Final = CACHE.labels("memory", "miss")
FETCHES: Final = Counter("geolabel_remote_requests_total", "Range requests to servers and buckets that have rasters.")
FETCHED: Final = Counter("geolabel_remote_bytes_total", "Bytes of rasters that came from servers and buckets.")
READ: Final = Gauge(
    "geolabel_read_bytes", "Bytes that the processes have read, of files and sockets.", multiprocess_mode="livesum"
)
HANDLES: Final = Gauge("geolabel_open_rasters", "Rasters that are open.", multiprocess_mode="livesum")
WAITING: Final = Gauge("geolabel_waiting", "Tiles that wait to be drawn.", multiprocess_mode="livesum")
LOST: Final = Gauge("geolabel_lost_threads", "Threads that draw what was given up.", multiprocess_mode="livesum")
REFUSED: Final = Counter("geolabel_refused_total", "Tiles that were refused because too many waited.")
MEMORY: Final = Gauge("geolabel_resident_bytes", "Memory of a process.", multiprocess_mode="liveall")

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OBSERVED_S: Final = 1.0
_last = 0.0


def fetched(count: int) -> None:
    """Count a range request and the bytes that came."""
    FETCHES.inc()
    FETCHED.inc(count)


@cache
def _of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), LATENCY.labels(route)


def count_request(method: str, route: str, status: int, took_s: float) -> None:
    """Count a request that was answered."""
    count, latency = _of_route(method if method in _METHODS else "other", route, status)
    count.inc()
    latency.observe(took_s)


def observe_process() -> None:
    """Note memory and bytes read of this process; at most once a second."""
    global _last  # noqa: PLW0603 - one process, one note
    now = time.monotonic()
    if now - _last < _OBSERVED_S:
        return
    _last = now
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        MEMORY.set(pages * os.sysconf("SC_PAGE_SIZE"))
        first = Path("/proc/self/io").read_text(encoding="ascii").split("\n", 1)[0]
        READ.set(int(first.split()[1]))
    except (OSError, IndexError, ValueError):  # not Linux
        return


def render() -> bytes:
    """All of it, as Prometheus reads it; of every process of the server."""
    global _last  # noqa: PLW0603
    _last = 0.0
    observe_process()
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget(pid: int) -> None:
    """A process of the server has ended: what it had open is open no longer."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
