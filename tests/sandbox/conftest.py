"""A sandbox for each test, a clock to turn, and a plain HTTP client that is not the package's own."""

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_p2psms.sandbox import Sandbox

DOCUMENTS = Path(__file__).parents[1] / "documents"
BOUNDARY = "5f2c9a"


class Clock:
    """Time that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0  # 2025-10-09 08:53:20 UTC

    def __call__(self) -> float:
        return self.now


@dataclass
class Reply:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def ids(self) -> list[int]:
        ids: list[int] = self.json["data"]["message_outbox_ids"]
        return ids

    @property
    def errors(self) -> dict[str, list[str]]:
        errors: dict[str, list[str]] = self.json["meta"]["errors"]
        return errors


class Asker:
    """Asks a sandbox over HTTP, each time on a connection of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def __call__(
        self,
        method: str,
        path: str,
        json_body: object = None,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        token: str | None = None,
        timeout: float = 10,
        **headers: str,
    ) -> Reply:
        """Further ``headers`` are named with underscores; one given as ``""`` is sent empty."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Authorization": self.sandbox.token if token is None else token}
        if json_body is not None:
            body = json.dumps(json_body).encode()
        if body is not None:
            headers["Content-Type"] = content_type
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.bound_port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self("GET", f"/v1/api/{path}")

    def post(self, path: str, json_body: object) -> Reply:
        return self("POST", f"/v1/api/{path}", json_body)

    def send(self, *texts: str, to: str = "+989120000000", **fields: Any) -> Reply:
        """Send each text as a group of its own; fields override or add, ``...`` takes one away."""
        params = [{"recipients": [to], "message": text} for text in texts]
        body = {"sending_type": "peer_to_peer", "from_number": "+983000505", "params": params} | fields
        body = {name: value for name, value in body.items() if value is not ...}
        return self("POST", "/v1/api/send", body)

    def upload(self, content: bytes | str, *, name: str = "messages.csv", **fields: Any) -> Reply:
        """Send a file; ``files_field`` names its field, ``count`` uploads it several times."""
        given = {"sending_type": "peer_to_peer_file", "from_number": "+983000505"} | fields
        files_field, count = given.pop("files_field", "files[]"), given.pop("count", 1)
        content = content.encode() if isinstance(content, str) else content
        parts = [
            f'Content-Disposition: form-data; name="{field}"\r\n\r\n{value}'.encode()
            for field, value in given.items()
            if value is not ...
        ]
        parts += [
            f'Content-Disposition: form-data; name="{files_field}"; filename="{name}"\r\n\r\n'.encode()
            + content
        ] * count
        body = b"".join(f"--{BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts)
        body += f"--{BOUNDARY}--\r\n".encode()
        return self(
            "POST", "/v1/api/send", body=body, content_type=f"multipart/form-data; boundary={BOUNDARY}"
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, lines=("+983000505", "+981000", "BANK")) as sandbox:
        yield sandbox


@pytest.fixture
def ask(sandbox: Sandbox) -> Asker:
    return Asker(sandbox)


@pytest.fixture
def asker() -> type[Asker]:
    """Ask a sandbox that the test starts itself."""
    return Asker


@pytest.fixture
def document() -> Callable[[str], Any]:
    """Read one of the gateway's printed examples."""
    return lambda name: json.loads((DOCUMENTS / f"{name}.json").read_bytes())
