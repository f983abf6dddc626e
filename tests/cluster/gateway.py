"""
The gateway of the cluster's campaign: a process of its own, which shares no code with the sandbox.

It takes all that comes, the same message twice, too, and writes it down before it answers. So a test counts
what arrived without asking anybody. Its reports show each record at once, oldest first, and as sent some time
later.
"""

import argparse
import bisect
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qsl, urlsplit

TOKEN = "cluster-token"
# As long as a message is in the send queue.
_QUEUED_S = 20
_OK = {"status": True, "message": "ok", "message_parameters": [], "message_code": "200-1", "errors": None}


class Outbox:
    """
    Records in the order of their ids, which begin at 1.

    :param arrived: where each message is written as ``[recipient, text]``, a line each.
    """

    def __init__(self, arrived: TextIO) -> None:
        self._arrived = arrived
        self._lock = threading.Lock()
        self._records: list[tuple[str, str, tuple[str, ...]]] = []
        self._times: list[int] = []

    def take(self, line: str, groups: list[dict[str, Any]]) -> list[int]:
        """Keep the groups of a request; return their ids."""
        lines = [
            json.dumps([recipient, group["message"]], ensure_ascii=False)
            for group in groups
            for recipient in group["recipients"]
        ]
        with self._lock:
            first = len(self._records) + 1
            self._records += [(line, group["message"], tuple(group["recipients"])) for group in groups]
            self._times += [int(time.time())] * len(groups)
            self._arrived.write("\n".join([*lines, ""]))
            self._arrived.flush()
            return list(range(first, len(self._records) + 1))

    def find(self, outbox_id: int) -> dict[str, Any] | None:
        """Return one record as the report shows it."""
        if not 0 < outbox_id <= len(self._times):
            return None
        line, text, recipients = self._records[outbox_id - 1]
        taken_at = self._times[outbox_id - 1]
        is_sent = time.time() >= taken_at + _QUEUED_S
        return {
            "number": line,
            "messages_outbox_id": str(outbox_id),
            "state": "finish" if is_sent else "active",
            "time_send": str(taken_at),
            "time": str(taken_at),
            "rcpts_count": str(len(recipients)),
            "message": text,
            "part": None,
            "cost": 0,
            "state_id": 6 if is_sent else 5,
        }

    def page(self, question: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return a page of the records of a window; all are of one line."""
        filters, page, limit = question["filters"], question["page"], question["limit"]
        with self._lock:
            first = bisect.bisect_left(self._times, int(filters.get("create_from_date", 0)))
            last = bisect.bisect_right(self._times, int(filters.get("create_to_date", 2**40)))
        start = first + (page - 1) * limit
        shown = [self.find(each + 1) for each in range(start, min(start + limit, last))]
        return shown, _counted(page, limit, max(last - first, 0))

    def recipients(self, question: Mapping[str, str]) -> tuple[list[Any], dict[str, Any]]:
        """Return a page of the recipients of one record."""
        page, limit, outbox_id = (int(question[name]) for name in ("page", "per_page", "bulk_id"))
        _, text, recipients = self._records[outbox_id - 1]
        shown = recipients[(page - 1) * limit : page * limit]
        entries = [
            {"recipient": each, "message": text, "msg_parts": 1, "message_status": "2"} for each in shown
        ]
        return entries, _counted(page, limit, len(recipients))


def _counted(page: int, limit: int, total: int) -> dict[str, int]:
    return {"current_page": page, "last_page": max(-(-total // limit), 1), "per_page": limit, "total": total}


class Handler(BaseHTTPRequestHandler):
    """Answers each request of a connection; a send takes as long as the gateway's latency says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    outbox: Outbox
    latency_s: float

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a question about one record."""
        url = urlsplit(self.path)
        question = dict(parse_qsl(url.query))
        if url.path.endswith("/report/by_bulk"):
            record = self.outbox.find(int(question["messages_outbox_id"]))
            self._answer(record, {}) if record else self._refuse(404, "404-1")
        elif url.path.endswith("/report/recipients"):
            self._answer(*self.outbox.recipients(question))
        else:
            self._refuse(404, "404-1")

    def do_POST(self) -> None:
        """Take a send, or list records."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != TOKEN:
            self._refuse(401, "400-1")
        elif self.path.endswith("/api/send"):
            ids = self.outbox.take(body["from_number"], body["params"])
            time.sleep(self.latency_s)
            self._answer({"message_outbox_ids": ids}, {})
        elif self.path.endswith("/report/new_list"):
            self._answer(*self.outbox.page(body))
        else:
            self._refuse(404, "404-1")

    def _refuse(self, status: int, code: str) -> None:
        self._answer(None, {"status": False, "message_code": code}, http_status=status)

    def _answer(self, data: object, meta: Mapping[str, Any], *, http_status: int = 200) -> None:
        body = json.dumps({"data": data, "meta": _OK | dict(meta)}).encode()
        self.send_response(http_status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """One that says nothing when a sender dies in the middle of a request."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave the connection."""


@dataclass
class Gateway:
    """A gateway that runs."""

    port: int
    file: Path
    _count: int = 0
    _counted_to: int = 0

    @property
    def connection_uri(self) -> str:
        """The connection that leads here."""
        return (
            f"p2psms://:{TOKEN}@127.0.0.1:{self.port}/v1"
            "?from_number=%2B983000505&connect_timeout=5&read_timeout=10"
        )

    def count(self) -> int:
        """Return how many messages have arrived."""
        with self.file.open("rb") as stream:
            stream.seek(self._counted_to)
            new = stream.read()
        self._counted_to += len(new)
        self._count += new.count(b"\n")
        return self._count

    def arrived(self) -> Counter[tuple[str, str]]:
        """Count what arrived by recipient and text."""
        with self.file.open(encoding="utf-8") as stream:
            return Counter(tuple(json.loads(line)) for line in stream)


@contextmanager
def run_gateway(folder: Path, *, latency_s: float) -> Iterator[Gateway]:
    """Run one for a block."""
    file = folder / "arrived.jsonl"
    command = [sys.executable, "-m", "tests.cluster.gateway", str(file), "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield Gateway(int(process.stdout.readline() if process.stdout else 0), file)
        finally:
            process.kill()


def main() -> None:
    """Listen, print the port, serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("arrived", type=Path)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    with options.arrived.open("w", encoding="utf-8") as arrived, Server(("127.0.0.1", 0), Handler) as server:
        Handler.outbox, Handler.latency_s = Outbox(arrived), options.latency
        print(server.server_address[1], flush=True)  # noqa: T201 - it tells who started it
        server.serve_forever()


if __name__ == "__main__":
    main()
