"""What the server writes to its log: one event a line, as text or as JSON, with the id of the request and without secrets."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from asgi_correlation_id import correlation_id

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

Form = Literal["text", "json"]

_SECRET_NAMES: Final = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|ACCESS_KEY|ACCOUNT_KEY|SAS", re.IGNORECASE)
# `scheme://user:password@`, and what is behind the question mark of an address.
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"(\b[a-z0-9+]+://[^\s?'\"]+)\?[^\s'\"]+", re.IGNORECASE)
_HIDDEN: Final = "***"


class Redaction:
    """Takes secrets out of every text of an event.

    Args:
        secrets: texts that no line may hold, beside the values of the environment's variables that are named like secrets.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = {value for name, value in os.environ.items() if _SECRET_NAMES.search(name)} | set(secrets)
        # The longest first: one may be a part of another. Short ones would take words out of sentences.
        self._secrets = sorted((text for text in found if len(text) >= 6), key=len, reverse=True)

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The event without them."""
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = self.hide(value)
        return event

    def hide(self, text: str) -> str:
        """A text without them."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _QUERY.sub(rf"\1?{_HIDDEN}", _USER.sub(f"{_HIDDEN}@", text))


def configure(form: Form = "text", level: str = "warning", *, secrets: Iterable[str] = ()) -> None:
    """Write the log of this process to stderr.

    Args:
        form: lines for people, or JSON objects.
        level: `debug`, `info` (a line for each request), `warning` or `error`.
        secrets: as of Redaction.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso"),
        _request_id,
    ]
    last = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            Redaction(secrets),
            last,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Of others, only what is wrong: they say much, and some of it with addresses in it.
    for name in ("rasterio", "httpcore", "botocore", "urllib3", "asyncio", "numba"):
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _request_id(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request = correlation_id.get()
    if request is not None:
        event.setdefault("request", request)
    return event
