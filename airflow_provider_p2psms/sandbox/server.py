"""Runs the sandbox in a thread of this process: for tests, for notebooks, and for ``p2psms sandbox``."""

import asyncio
import errno
import socket
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import python_multipart  # noqa: F401 - starlette asks for it at the first upload; without it nothing starts
import uvicorn
from uvicorn.server import ServerState

from airflow_provider_p2psms.sandbox.addresses import own_addresses
from airflow_provider_p2psms.sandbox.app import build_app
from airflow_provider_p2psms.sandbox.events import Feed
from airflow_provider_p2psms.sandbox.expecting import check_arrived, check_each_once, spell_e164
from airflow_provider_p2psms.sandbox.faults import SEND_PATH, Order
from airflow_provider_p2psms.sandbox.orders import Orders
from airflow_provider_p2psms.sandbox.protocol import Protocol
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import Store
from airflow_provider_p2psms.sandbox.tables import Arrived, NotedRequest

# As long as a gateway's front usually keeps an idle connection.
KEEP_ALIVE_S = 75


@dataclass(kw_only=True, eq=False)
class Sandbox(Settings):
    """
    A local gateway on a port of its own; takes every option of :class:`Settings` as a keyword.

    ``with Sandbox() as sandbox:`` has it ready inside the block; so do :meth:`start` and :meth:`stop`. It
    runs in a thread and answers one request after the other. What arrived can be read while it runs.
    Without ``database`` all is forgotten when it stops.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._orders = Orders()
        self._feed = Feed()
        self._bound_port = 0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """
        Open the port and answer from now on.

        :raises OSError: the port is taken or the host unknown.
        :raises sqlite3.Error: the database cannot be opened.
        """
        listener = _listen(self.host, self.port)
        self._bound_port = listener.getsockname()[1]
        try:
            self._store = Store(self.database)
        except sqlite3.Error:
            listener.close()
            raise
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)), name="p2psms-sandbox", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    def stop(self) -> None:
        """Cut all connections and close the port; what was taken stays in the database."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop_asked.set)
        self._thread.join()
        self._thread = None
        self._store.close()

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop_asked = asyncio.Event()
        # uvicorn's own Server looks every 0.1 s whether to end and takes signals: neither suits a thread.
        config = uvicorn.Config(
            build_app(self, self._store, self._orders, self._feed),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        state = ServerState()
        server = await self._loop.create_server(
            lambda: Protocol(
                receive_timeout_s=self.receive_timeout_s, config=config, server_state=state, app_state={}
            ),
            sock=listener,
        )
        ready.set()
        await self._stop_asked.wait()
        # Closed at once, the server would forget the connections that it has accepted and not yet begun, and
        # nothing would close them.
        self._loop.remove_reader(listener)
        # The other tasks are those of such connections and of requests. A connection gone, they end by
        # themselves: every wait in the application hears of it.
        while state.connections or len(asyncio.all_tasks()) > 1:
            for connection in list(state.connections):
                connection.transport.abort()
            await asyncio.sleep(0.001)
        server.close()

    @property
    def base_url(self) -> str:
        """The address to configure, e.g. ``http://127.0.0.1:8025/v1``."""
        return f"http://{self._address}/v1"

    @property
    def base_urls(self) -> list[str]:
        """All addresses that lead to it; more than :attr:`base_url` if it listens on all interfaces."""
        hosts = {"0.0.0.0": own_addresses, "::": own_addresses}.get(self.host, list)()  # noqa: S104 - compared
        return [self.base_url, *(f"http://{_join(host, self._bound_port)}/v1" for host in hosts)]

    @property
    def connection_uri(self) -> str:
        """The Airflow connection to this sandbox as a URI; it sends from the first of its lines."""
        line = quote(self.lines[0], safe="")
        return f"p2psms://:{quote(self.token, safe='')}@{self._address}/v1?from_number={line}"

    @property
    def outbox_url(self) -> str:
        """The page that shows what arrived; beyond this machine it asks for the token once."""
        return f"http://{self._address}/"

    @property
    def bound_port(self) -> int:
        """The port it listens on; 0 before the first start."""
        return self._bound_port

    @property
    def _address(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return _join(host, self._bound_port)

    @property
    def arrived(self) -> list[Arrived]:
        """Every message taken, in order of arrival."""
        return self._store.arrived()

    @property
    def texts_arrived(self) -> list[str]:
        """The text of every message taken, in order of arrival."""
        return [message.text for message in self.arrived]

    def texts_to(self, recipient: str) -> list[str]:
        """Return the texts that arrived at a number, in order of arrival; any spelling will do."""
        number = spell_e164(recipient)
        return [message.text for message in self.arrived if message.recipient == number]

    def assert_arrived(self, recipient: str, text: str) -> None:
        """
        Check that a text arrived at a number, in any spelling.

        :raises AssertionError: it did not; the error shows what came close.
        """
        check_arrived(self.arrived, recipient, text)

    def assert_each_once(self, rows: Iterable[tuple[str, str]]) -> None:
        """
        Check that each row of (recipient, text) arrived once and that nothing else did.

        :raises AssertionError: it is otherwise; the error shows the differences and what came close.
        """
        check_each_once(self.arrived, rows)

    @property
    def requests(self) -> list[NotedRequest]:
        """Every request to the gateway's pages, in order."""
        return self._store.requests()

    @property
    def send_requests(self) -> int:
        """The number of ``POST …/api/send``, whatever became of them."""
        return self._store.counts()["send_requests"]

    def state(self) -> dict[str, Any]:
        """Return the counts of requests, outbox ids and messages, and the faults that wait."""
        return {**self._store.counts(), "faults": self._orders.waiting()}

    def order_fault(
        self,
        fault: str,
        *,
        times: int | None = 1,
        after: int = 0,
        path: str = SEND_PATH,
        delay_s: float = 5.0,
        from_number: str = "",
        share: float = 1.0,
    ) -> None:
        """
        Let ``after`` requests on ``path`` pass, then hit ``times`` of them with ``fault`` (``None``: all).

        ``from_number`` is the line whose sends it is for, empty for all; ``share`` serves ``undelivered``.

        :raises ValueError: no such fault (:mod:`airflow_provider_p2psms.sandbox.faults` lists them).
        """
        self._orders.add(
            Order(
                fault,
                times=times,
                after=after,
                path=path,
                delay_s=delay_s,
                from_number=from_number,
                share=share,
            )
        )
        self._feed.announce()

    def clear_faults(self) -> None:
        """Forget the faults ordered."""
        self._orders.clear()
        self._feed.announce()

    def keep_silent(self) -> None:
        """Take the next send and never answer it."""
        self.order_fault("silence")

    def reset(self) -> None:
        """Forget all that arrived and all faults; ids begin anew."""
        self._orders.clear()
        self._store.reset()
        self._feed.announce()


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # Named as TCP, unlike by socket.create_server(): only then asyncio turns Nagle's algorithm off, which
    # would hold back every answer on a kept connection by 40 milliseconds.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as err:
        listener.close()
        raise type(err)(err.errno, _why_not(err, host, port)) from err
    return listener


def _why_not(err: OSError, host: str, port: int) -> str:
    if err.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; choose another port, or 0 for a free one"
    return f"it cannot listen on port {port} of {host}: {err.strerror}"
