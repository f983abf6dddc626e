"""HTTP on one connection: uvicorn's, with what faults need and a limit to how long a request may arrive."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_ARRIVING = (h11.IDLE, h11.SEND_BODY)


class Protocol(H11Protocol):
    """
    Shows its transport to the application, so that a fault can cut the connection.

    A connection is cut when a request has not arrived whole ``receive_timeout_s`` after its first byte, or
    when a new connection sends none. uvicorn limits only the idle time after an answer.
    """

    def __init__(self, *, receive_timeout_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._receive_timeout_s = receive_timeout_s
        self._receive_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        self.access_log = False  # the requests are in the store
        self.app_state = {**self.app_state, "transport": transport}
        self._watch_arrival()

    def data_received(self, data: bytes) -> None:
        """Read what came, and limit the time until the rest does."""
        super().data_received(data)
        self._watch_arrival()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch_arrival(self) -> None:
        if self.conn.their_state not in _ARRIVING:
            self._stop_timer()
        elif self._receive_timer is None:
            self._receive_timer = self.loop.call_later(self._receive_timeout_s, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._receive_timer is not None:
            self._receive_timer.cancel()
            self._receive_timer = None
