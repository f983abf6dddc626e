"""A gateway that answers as a test dictates, byte for byte, over a real socket."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import trustme

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings

Script = Callable[[socket.socket, bytes], None]


def http(status: int, body: bytes, *headers: str) -> bytes:
    """Write out an HTTP answer with its length."""
    lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(payload: bytes) -> Script:
    """Answer a whole request with these bytes."""
    return lambda conn, _: conn.sendall(payload)


class ScriptedGateway:
    """Reads a whole request, notes it, then does what the script says; one connection after another."""

    def __init__(
        self, script: Script, *, tls: ssl.SSLContext | None = None, read_request: bool = True
    ) -> None:
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self.closed = threading.Semaphore(0)  # released once for each connection that this side has closed
        self._script, self._tls, self._read_request = script, tls, read_request
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                conn, _ = self._listener.accept()
                with suppress(OSError), self._wrap(conn) as wrapped:
                    wrapped.settimeout(10)
                    request = read_request(wrapped) if self._read_request else b""
                    self.requests.append(request)
                    self._script(wrapped, request)
                self.closed.release()

    def _wrap(self, conn: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(conn, server_side=True) if self._tls else conn


def read_request(conn: socket.socket) -> bytes:
    """Read one request to the end of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(conn)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += _some(conn)
    return head + b"\r\n\r\n" + body


def _some(conn: socket.socket) -> bytes:
    data = conn.recv(65536)
    if not data:
        raise ConnectionError
    return data


StartGateway = Callable[..., ScriptedGateway]
MakeClient = Callable[..., GatewayClient]


@pytest.fixture
def scripted() -> Iterator[StartGateway]:
    """Start scripted gateways; all are stopped after the test."""
    gateways: list[ScriptedGateway] = []

    def start(script: Script, **options: object) -> ScriptedGateway:
        gateways.append(ScriptedGateway(script, **options))  # type: ignore[arg-type]
        return gateways[-1]

    yield start
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def client() -> Iterator[MakeClient]:
    """Make clients of an address; a test that waits for a timeout gives a short one."""
    clients: list[GatewayClient] = []

    def make(base_url: str, **options: object) -> GatewayClient:
        options = {"token": "secret-token", "connect_timeout_s": 20.0, "read_timeout_s": 20.0, **options}
        clients.append(GatewayClient(GatewaySettings(base_url=base_url, **options)))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    for each in clients:
        each.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Sign certificates of test gateways."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Serve TLS for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
