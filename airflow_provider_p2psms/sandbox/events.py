"""
Tells open pages that something has changed: server-sent events at ``/sandbox/events``.

An event says no more than that; what has changed the page asks for itself. Times pass, too: an event also
comes when a message that was queued is sent or delivered.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from airflow_provider_p2psms.sandbox.answering import client_left

# At most so often, and at least so often, so that a page that is gone is noticed.
_PAUSE_S = 0.3
_HEARTBEAT_S = 15.0
_HEADERS = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]


class Feed:
    """Wakes all who watch; :meth:`announce` may be called from any thread."""

    def __init__(self) -> None:
        self._watchers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def announce(self) -> None:
        """Say that something has changed."""
        for changed, loop in list(self._watchers.items()):
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(changed.set)

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """Give an event that is set with each announcement."""
        changed = asyncio.Event()
        self._watchers[changed] = asyncio.get_running_loop()
        try:
            yield changed
        finally:
            del self._watchers[changed]

    def stream(self, next_change_in_s: Callable[[], float | None]) -> "EventStream":
        """Return the answer to one page."""
        return EventStream(self, next_change_in_s)


class EventStream:
    """One page's events, until it leaves."""

    def __init__(self, feed: Feed, next_change_in_s: Callable[[], float | None]) -> None:
        self._feed = feed
        self._next_change_in_s = next_change_in_s

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client leaves."""
        left = asyncio.ensure_future(client_left(receive))
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        event = b"retry: 1000\ndata: open\n\n"
        with self._feed.watch() as changed:
            while not left.done():
                due_s = self._next_change_in_s()  # asked before the pause: or what falls due in it is lost
                await send({"type": "http.response.body", "body": event, "more_body": True})
                await asyncio.wait({left}, timeout=_PAUSE_S)
                event = await _next_event(changed, left, due_s=due_s)


async def _next_event(changed: asyncio.Event, left: asyncio.Future[None], *, due_s: float | None) -> bytes:
    wait_s = _HEARTBEAT_S if due_s is None else min(max(0.0, due_s - _PAUSE_S), _HEARTBEAT_S)
    is_news = await wait_for_news(changed, left, timeout_s=wait_s)
    is_due = due_s is not None and due_s - _PAUSE_S <= wait_s
    return b"data: changed\n\n" if is_news or is_due else b": here\n\n"


async def wait_for_news(changed: asyncio.Event, left: asyncio.Future[None], *, timeout_s: float) -> bool:
    """Wait until something has changed, the client has left or the time is over; say if it changed."""
    news = asyncio.ensure_future(changed.wait())
    both: set[asyncio.Future[Any]] = {news, left}
    await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    is_news = news.done()
    news.cancel()
    changed.clear()
    return is_news
