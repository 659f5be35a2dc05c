"""How long a client may take: those that send a byte at a time, or nothing, do not hold what others need."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER_S: Final = 10.0
"""Longest time from a connection, or the end of the answer before, to the end of a request's header."""

BODY_S: Final = 20.0
"""Longest wait for the next part of a request's body."""


class Patient(H11Protocol):
    """HTTP/1.1 with a bound for the header of a request."""

    def connection_made(self, transport: Any) -> None:
        """A client is there: its header is due."""
        super().connection_made(transport)
        self._due: asyncio.TimerHandle | None = self.loop.call_later(HEADER_S, self._give_up)

    def handle_events(self) -> None:
        """Take what came; the header is there once a request is being answered."""
        super().handle_events()
        if self._due is not None and (self.conn.their_state is not h11.IDLE):
            self._due.cancel()
            self._due = None

    def on_response_complete(self) -> None:
        """The next header is due, unless nothing of it is there; then the time-out of an idle connection holds."""
        super().on_response_complete()
        if self._due is None and not self.transport.is_closing():
            self._due = self.loop.call_later(HEADER_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._due = None
        if not self.transport.is_closing():
            self.transport.abort()


class Bodies:
    """Gives up on a body whose next part does not come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        whole = False

        async def receive_soon() -> Message:
            nonlocal whole
            if whole:  # whoever waits now waits for the client to leave
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), BODY_S)
            except TimeoutError:
                return {"type": "http.disconnect"}
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        await self._app(scope, receive_soon, send)
