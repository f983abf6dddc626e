"""
One exchange over HTTP, and the one fact that matters if it fails: had the request left this machine?

Knows requests and sockets; what an answer means is decided in `response.py`. No redirect is followed, no
request is repeated, and the size of an answer is bounded.
"""

import io
import math
import os
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse
from typing import Any, ClassVar
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssltransport import SSLTransport
from urllib3.util.wait import wait_for_write

from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.errors import OutcomeUnknownError, UnreachableError, lay_out
from airflow_provider_p2psms.gateway.clock import GatewayClock
from airflow_provider_p2psms.gateway.envelope import Answer
from airflow_provider_p2psms.gateway.settings import GatewaySettings

# 10,000 ids, the most that one request may ask for, take 120 kB.
MAX_ANSWER_BYTES = 8 * 2**20
_CHUNK_BYTES = 2**16
ORIGIN_HEADER = "X-P2PSMS-Origin"


@dataclass(slots=True)
class _Exchange:
    """
    How far one thread's request has come.

    ``start_by`` and ``end_by`` (``elapsed()``) are the latest moments for its first byte and its last.
    """

    start_by: float
    end_by: float
    read_timeout_s: float
    left: bool = False
    late: bool = False

    def begin(self, sock: Any) -> None:
        """Note that the first byte is about to leave, or that it is too late for it."""
        self.late = elapsed() > self.start_by
        if self.late:
            raise TimeoutError
        self.left = True
        # Once we give up on a request no byte of it may follow: closing drops what is still buffered.
        bare = sock.socket if isinstance(sock, SSLTransport) else sock
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def allow(self, sock: Any) -> None:
        """
        Give the next read the time that is left for it.

        A socket's timeout starts anew with every byte that trickles in; the exchange's end does not.
        """
        sock.settimeout(min(self._left_s(), self.read_timeout_s))

    def write(self, sock: Any, data: bytes) -> None:
        """
        Hand bytes to the socket while the exchange lasts.

        A suspended process must not finish a request after its deadline. So nothing may wait between the look
        at the clock and the kernel's call: a socket with a timeout would, for the network, and after that for
        the other threads.
        """
        can_wait = isinstance(sock, SSLTransport)  # TLS in a proxy's TLS would lose bytes if it could not
        sock.settimeout(0)
        rest = memoryview(data)
        while rest:
            if can_wait:
                self.allow(sock)
            self._left_s()  # the last look at the clock: it raises when the time is over
            try:
                rest = rest[sock.send(rest[:_CHUNK_BYTES]) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                if not wait_for_write(sock, min(self._left_s(), self.read_timeout_s)):
                    raise TimeoutError from None

    def _left_s(self) -> float:
        left_s = self.end_by - elapsed()
        if left_s <= 0:
            raise TimeoutError
        return left_s


# requests, urllib3 and the connection below all run in the thread that asked.
_under_way = threading.local()


class _InTime(io.RawIOBase):
    """Reads from a socket while the exchange lasts."""

    def __init__(self, raw: Any, sock: Any) -> None:
        super().__init__()
        self._raw, self._sock, self._exchange = raw, sock, _under_way.exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._exchange.allow(self._sock)
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if _under_way.exchange.left:  # else a proxy answers
            self.fp = io.BufferedReader(_InTime(self.fp.detach(), sock))


class _NotesWhatLeft:
    """
    Notes the moment at which the first byte of a request is handed to the socket.

    Error classes of HTTP libraries do not tell it: a TLS error, say, may come from the handshake (nothing
    left) or from reading the answer (everything left).
    """

    response_class = _Response
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()
        if self._connecting:  # a tunnel through a proxy is opened: that is not yet our request
            super().send(data)  # type: ignore[misc]
            return
        exchange: _Exchange = _under_way.exchange
        if not exchange.left:
            exchange.begin(self.sock)  # type: ignore[attr-defined]
        exchange.write(self.sock, data)  # type: ignore[attr-defined]


class _Http(_NotesWhatLeft, HTTPConnection):  # type: ignore[misc]
    pass


class _Https(_NotesWhatLeft, HTTPSConnection):  # type: ignore[misc]
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls: ClassVar[type] = _Http  # type: ignore[misc]


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls: ClassVar[type] = _Https  # type: ignore[misc]


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    """Connections that note what left; no retries of any kind (the default of requests, kept on purpose)."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _BareToken(AuthBase):
    """The token as it is, without a scheme. As an *auth* it also keeps a .netrc from replacing it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._token
        return request


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request to the byte, and where it goes."""

    pool: Any
    url: str
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False)


class _Session(requests.Session):
    """
    What requests finds out for a gateway, and the connection that is kept alive; for one exchange at a time.

    ``known`` holds requests that differ in their bodies alone.
    """

    def __init__(self, settings: GatewaySettings, origin: Mapping[str, str] | None) -> None:
        super().__init__()
        self.known: dict[object, _Ready] = {}
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())
        self.auth = _BareToken(settings.token)
        # Without it the gateway may answer an error in HTML.
        self.headers["Accept"] = "application/json"
        if origin and settings.is_loopback:  # a real gateway gets nothing new
            self.headers[ORIGIN_HEADER] = urlencode(origin)
        # Proxies and certificate bundles of the environment count, but not on the way to this machine itself.
        self.trust_env = not settings.is_loopback


class Transport:
    """
    Exchanges with one gateway.

    Each exchange under way has a session, and so a kept-alive connection, of its own. The next one takes it
    over, whichever thread makes it: there are as many connections as there ever were exchanges at once.
    """

    def __init__(self, settings: GatewaySettings, *, origin: Mapping[str, str] | None = None) -> None:
        self.gateway_clock = GatewayClock()
        self._settings = settings
        self._origin = origin
        # To add to a deque and to take from it are one step each: threads share it without a lock.
        self._free = deque[_Session]()

    def exchange(self, method: str, path: str, *, start_by: float = math.inf, **content: Any) -> Answer:
        """
        Make one request and read the whole answer, within one deadline over both (``exchange_s``).

        :param path: below the base URL, e.g. ``/api/send``.
        :param start_by: ``elapsed()`` after which the request may not begin any more.
        :param content: ``data``, ``files``, ``params`` and ``headers`` as requests takes them.
        :raises UnreachableError: no connection was made; nothing left this machine.
        :raises OutcomeUnknownError: the request left, in whole or in part, and no whole answer came back.
        """
        settings = self._settings
        end_by = elapsed() + settings.exchange_s
        exchange = _under_way.exchange = _Exchange(start_by, end_by, settings.read_timeout_s)
        session = self._take_session()
        try:
            return self._exchange(session, method, path, content)
        except (requests.RequestException, HTTPError, OSError) as err:
            if exchange.late:
                raise UnreachableError(
                    "The request did not leave: its deadline had passed.", late=True
                ) from err
            name, cause = _cause(err)
            if not exchange.left:
                raise UnreachableError(
                    lay_out(
                        f"No connection to the gateway: {cause}.",
                        f"Caused by: {name}",
                        options=(
                            "Try again: retries of a task go on where this try ended.",
                            "Check the connection's Base URL and proxy, and the network.",
                        ),
                    )
                ) from err
            cause = "its deadline ran out" if elapsed() > end_by else cause
            raise OutcomeUnknownError(
                lay_out(
                    f"No whole answer came back: {cause}.",
                    "The request left, and may have been taken.",
                    f"Caused by: {name}",
                )
            ) from err
        finally:
            self._free.append(session)

    def _exchange(self, session: _Session, method: str, path: str, content: dict[str, Any]) -> Answer:
        settings, ready = self._settings, self._prepare(session, method, path, content)
        asked_at = time.time()
        response = ready.pool.urlopen(
            method,
            ready.url,
            body=ready.body,
            headers=ready.headers,
            timeout=Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
            retries=Retry(0, read=False),
            redirect=False,
            assert_same_host=False,
            preload_content=False,
        )
        date = response.headers.get("Date")
        self.gateway_clock.note(date, asked_at=asked_at, answered_at=time.time())
        try:
            body = _read_bounded(response.stream(_CHUNK_BYTES, decode_content=True), response.status)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Answer(
            response.status,
            body,
            response.headers.get("Content-Type", ""),
            response.headers.get("Retry-After"),
        )

    def _prepare(self, session: _Session, method: str, path: str, content: dict[str, Any]) -> _Ready:
        """
        Let requests do what it is good at, once for all requests that differ in their bodies alone.

        It writes headers, forms and addresses, and finds proxies and certificates; that takes longer than
        the exchange itself. What is left is one call of urllib3, in which nothing is followed or repeated.
        """
        body = content.get("data")
        if content.keys() != {"data", "headers"} or not isinstance(body, bytes):
            return self._prepare_anew(session, method, path, content)
        key = (method, path, *content["headers"].items())
        if key not in session.known:
            session.known[key] = self._prepare_anew(session, method, path, content)
        ready = session.known[key]
        return replace(ready, body=body, headers={**ready.headers, "Content-Length": f"{len(body)}"})

    def _prepare_anew(self, session: _Session, method: str, path: str, content: dict[str, Any]) -> _Ready:
        settings = self._settings
        request = session.prepare_request(requests.Request(method, settings.base_url + path, **content))
        # Both are given with each request: what the environment says would win over a session's.
        proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else {}
        found = session.merge_environment_settings(
            request.url, proxies, stream=True, verify=settings.ca_bundle or True, cert=None
        )
        adapter: Any = session.get_adapter(str(request.url))
        pool = adapter.get_connection_with_tls_context(request, found["verify"], proxies=found["proxies"])
        adapter.cert_verify(pool, request.url, found["verify"], None)
        url = adapter.request_url(request, found["proxies"])
        return _Ready(pool, url, dict(request.headers), request.body)

    def close(self) -> None:
        """Close the connections that no exchange uses."""
        while self._free:
            self._free.pop().close()

    def _take_session(self) -> _Session:
        try:
            return self._free.pop()
        except IndexError:
            return _Session(self._settings, self._origin)


def _read_bounded(chunks: Iterable[bytes], http_status: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise OutcomeUnknownError(
                lay_out(
                    f"The answer (HTTP {http_status}) is larger than {MAX_ANSWER_BYTES // 2**20} MiB.",
                    "It was not read to its end. The request may have been taken.",
                ),
                http_status=http_status,
            )
    return bytes(body)


def _cause(err: BaseException) -> tuple[str, str]:
    """Return a fault's class and our words for it; libraries' texts may hold addresses with credentials."""
    links = _chain(err)
    names = {type(link).__name__ for link in links}
    name = next((name for name in _CAUSES if name in names), type(err).__name__)
    # Of an error of the system its number alone, such as that of "Too many open files".
    number = next((link.errno for link in links if isinstance(link, OSError) and link.errno), None)
    return name, _CAUSES.get(name) or (os.strerror(number) if number else name)


def _chain(err: BaseException) -> list[BaseException]:
    """Return the error with all that it wraps: urllib3 keeps causes in arguments and attributes."""
    todo, seen = [err], list[BaseException]()
    while todo:
        link = todo.pop()
        if link not in seen:
            seen.append(link)
            inside = (*link.args, getattr(link, "reason", None), link.__cause__, link.__context__)
            todo += [each for each in inside if isinstance(each, BaseException)]
    return seen


# From the most specific on.
_CAUSES = {
    "ProxyError": "the proxy did not let it through",
    "NameResolutionError": "the host name is not known (DNS)",
    "gaierror": "the host name is not known (DNS)",
    "SSLCertVerificationError": "its TLS certificate is not trusted",
    "ConnectTimeoutError": "connecting timed out",
    "ConnectTimeout": "connecting timed out",
    "ConnectionRefusedError": "the connection was refused",
    "ReadTimeoutError": "the answer timed out",
    "ReadTimeout": "the answer timed out",
    "TimeoutError": "it timed out",
    "SSLEOFError": "the TLS connection was cut",
    "SSLError": "TLS failed",
    "IncompleteRead": "the answer was cut short",
    "RemoteDisconnected": "the connection was closed without an answer",
    "ConnectionResetError": "the connection was reset",
    "BrokenPipeError": "the connection was cut",
    "InvalidURL": "the address is not valid",
    "DecodeError": "the answer's compression is broken",
}
