"""
The gateway that all contenders of `make bench` send to: a process of its own that costs next to nothing.

It is no sandbox: it counts and answers, and reads no more of a request than that takes, so that what is
measured is the sender. A thread a connection reads the body as bytes, counts its messages and writes ids from
a table. The bench shows what it takes to post bytes that are ready to it, and no sender can be faster.
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO, cast
from urllib.request import urlopen

_length = re.compile(rb"content-length: *(\d+)", re.IGNORECASE).search
_SUFFIXES = [b"%05d" % place for place in range(20_000)]
_SNS = (
    b"<PublishResponse><PublishResult><MessageId>%d</MessageId></PublishResult>"
    b"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>"
)


class Gateway:
    """Takes all that comes, and counts it."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._numbers = count(1)
        self._lock = threading.Lock()
        self.requests = self.messages = self.under_way = self.most_under_way = 0

    def serve(self, listener: socket.socket) -> None:
        """Answer for ever."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb", buffering=1 << 18)
        with connection, stream, suppress(ConnectionError):
            while head := _read_head(cast("BinaryIO", stream)):
                found = _length(head)
                body = stream.read(int(found[1])) if found else b""
                connection.sendall(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/stats":
            return _http(
                json.dumps(
                    {
                        "requests": self.requests,
                        "messages": self.messages,
                        "most_under_way": self.most_under_way,
                    }
                ).encode()
            )
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        if self._latency_s:
            time.sleep(self._latency_s)
        number = next(self._numbers)
        kind, content, messages = _content(path, body, number)
        with self._lock:
            self.under_way -= 1
            self.requests += 1
            self.messages += messages
        return _http(content, kind)


def _read_head(stream: BinaryIO) -> bytes:
    lines = []
    while (line := stream.readline()) not in (b"", b"\r\n"):
        lines.append(line)
    return b"".join(lines)


def _content(path: bytes, body: bytes, number: int) -> tuple[bytes, bytes, int]:
    if path.endswith(b"/api/send"):
        messages = body.count(b'"recipients"') or body.count(b"\r\n+98912") or 1  # all of the bench's
        prefix = b"%d" % number
        ids = prefix + (b"," + prefix).join(_SUFFIXES[:messages])
        return (
            b"application/json",
            (
                b'{"data":{"message_outbox_ids":[' + ids + b']},"meta":{"status":true,"message":"ok",'
                b'"message_parameters":[],"message_code":"200-1","errors":null}}'
            ),
            messages,
        )
    if path.endswith(b"/Messages.json"):
        return b"application/json", b'{"sid":"SM%032d","status":"queued"}' % number, 1
    return b"text/xml", _SNS % number, 1


def _http(content: bytes, kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        kind,
        len(content),
        content,
    )


@dataclass(frozen=True)
class Running:
    """A gateway that runs."""

    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def stats(self) -> dict[str, int]:
        """Ask what it has counted."""
        with urlopen(f"{self.url}/stats") as answer:  # noqa: S310 - its own address
            counts: dict[str, int] = json.load(answer)
            return counts


@contextmanager
def gateway(*, latency_s: float = 0.0) -> Iterator[Running]:
    """Run one for a block."""
    command = [sys.executable, "-m", "scripts.bench.gateway", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline() if process.stdout else ""
            yield Running(int(port))
        finally:
            process.terminate()


def main() -> None:
    """Listen, print the port, serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--latency", type=float, default=0.0)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        Gateway(parser.parse_args().latency).serve(listener)


if __name__ == "__main__":
    main()
