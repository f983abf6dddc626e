"""What the cluster needs beside Airflow and PostgreSQL: a broker of its own, and object storage."""

import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from tests.stack import WITHOUT_PROXY, StackError

_START_S = 30.0
# moto gives no object to strangers, and takes anybody who signs.
_SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"


class _Service:
    """
    A server as a process of its own, in a session of its own, on a port that was free.

    :param command: gives its command, when it knows its port.
    """

    def __init__(self, name: str, log: Path, command: Callable[[int], list[str]]) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self._name, self.log, self._command = name, log, command(self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _START_S
        while not self._is_open():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise StackError(f"{self._name} has not started:\n{self.log.read_text(encoding='utf-8')}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _is_open(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


class Broker(_Service):
    """A Redis that keeps its queue on disk, so that a restart loses nothing."""

    def __init__(self, folder: Path) -> None:
        self.program = shutil.which("redis-server")
        kept = ["--dir", str(folder), "--save", "", "--appendonly", "yes", "--bind", "127.0.0.1"]
        super().__init__(
            "Redis", folder / "redis.log", lambda port: [str(self.program), "--port", str(port), *kept]
        )

    @property
    def url(self) -> str:
        """Where Celery finds it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def restart(self) -> None:
        """Kill it, and start it again with what it had on disk."""
        self.kill()
        self.start()


class ObjectStorage(_Service):
    """S3 by moto's server, which keeps all in memory."""

    def __init__(self, folder: Path, python: str) -> None:
        server = str(Path(python).parent / "moto_server")
        super().__init__(
            "moto", folder / "moto.log", lambda port: [server, "--host", "127.0.0.1", "--port", str(port)]
        )

    @property
    def connection_uri(self) -> str:
        """The Airflow connection that leads here."""
        endpoint = f"http%3A%2F%2F127.0.0.1%3A{self.port}"
        return f"aws://key:secret@/?region_name=us-east-1&endpoint_url={endpoint}"

    def put(self, path: str, body: bytes = b"") -> None:
        """Make a bucket, or write an object: ``bucket`` or ``bucket/key``."""
        kind = {"Content-Type": "application/octet-stream"}  # moto reads a form, which is the default, itself
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", body, kind, method="PUT")
        with WITHOUT_PROXY.open(request, timeout=60):
            pass

    def get(self, uri: str) -> bytes:
        """Read an object: ``s3://bucket/key``, with or without a connection before the bucket."""
        url = f"http://127.0.0.1:{self.port}/{quote(uri.removeprefix('s3://').rpartition('@')[2])}"
        request = urllib.request.Request(url, headers={"Authorization": _SIGNED})
        with WITHOUT_PROXY.open(request, timeout=60) as answer:
            return bytes(answer.read())

    def count_objects(self, bucket: str) -> int:
        """Return how many objects a bucket holds."""
        count, token = 0, ""
        while True:
            url = f"http://127.0.0.1:{self.port}/{bucket}?list-type=2{token}"
            with WITHOUT_PROXY.open(url, timeout=60) as answer:
                listed = str(answer.read(), "utf-8")
            count += listed.count("<Key>")
            if "<NextContinuationToken>" not in listed:
                return count
            token = "&continuation-token=" + re.findall("<NextContinuationToken>([^<]+)", listed)[0]
