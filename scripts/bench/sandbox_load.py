"""
`make sandbox-load`: how fast `p2psms sandbox` answers while it holds 100,000 messages.

Starts the sandbox as a process of its own, on a free port and with a database in a temporary folder, fills it
by 1,000 messages a request, and prints one table in Markdown: the median and the worst time of each question
in ms, beside a floor that was measured in the same run. The floor of a question is an answer 404 of the same
sandbox; that of a send is an answer 404 to the same body.

Targets, for the median on an idle machine: the list in less than 100 ms, 1,000 messages accepted in less than
150 ms.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

A_REQUEST = 1_000
LIST_TARGET_MS, SEND_TARGET_MS = 100, 150
_START_S, _ANSWER_S = 60, 300
_TOKEN = "sandbox-token"  # noqa: S105 - opens a sandbox on this machine alone
_SEND, _NOWHERE = "/v1/api/send", "/v1/api/nowhere"
_requests = count()


@dataclass(frozen=True)
class Sizes:
    """How many messages the sandbox holds, how often each question is asked, how many send at once."""

    messages: int
    rounds: int
    senders: int


@dataclass(frozen=True)
class Line:
    """A question, how long its answers took and those of its floor, in ms."""

    what: str
    took_ms: Sequence[float]
    floor_ms: Sequence[float]
    target_ms: int | None = None


class Client:
    """Asks over one kept connection, and says how long the answer took."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
        self._connection.connect()

    def get(self, path: str, *, status: int = 200) -> float:
        """Return how long the answer to a GET took, in ms."""
        return self._ask("GET", path, None, status)

    def post(self, path: str, body: bytes, *, status: int = 200) -> float:
        """Return how long the answer to a POST took, in ms."""
        return self._ask("POST", path, body, status)

    def _ask(self, method: str, path: str, body: bytes | None, status: int) -> float:
        headers = {"Authorization": _TOKEN, "Content-Type": "application/json"}
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        took_ms = (time.perf_counter() - began) * 1_000
        if answer.status != status:
            raise SystemExit(f"{method} {path} was answered with HTTP {answer.status}, not {status}.")
        return took_ms


def main() -> int:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--messages", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=20, help="of each question (default: %(default)s)")
    parser.add_argument("--senders", type=int, default=40, help="that send at once (default: %(default)s)")
    sizes = Sizes(**vars(parser.parse_args()))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="p2psms-load-") as folder, sandbox(Path(folder)) as port:
        fill(Client(port), sizes.messages)
        lines = measure(port, sizes)
    print("\n".join([*render(lines), "", _how_it_was_made(sizes, load)]))
    return 0


@contextmanager
def sandbox(folder: Path) -> Iterator[int]:
    """Run a sandbox; give its port."""
    port_file = folder / "port"
    command = [sys.executable, "-m", "airflow_provider_p2psms.sandbox", "--quiet", "--port", "0"]
    command += ["--port-file", str(port_file), "--database", str(folder / "sandbox.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield _wait_for_port(port_file, process)
        finally:
            process.terminate()


def _wait_for_port(port_file: Path, process: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + _START_S
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("The sandbox did not start; its error stands above.")
        time.sleep(0.02)
    return int(port_file.read_text("ascii"))


def fill(client: Client, messages: int) -> None:
    """Send so many messages."""
    for _ in range(messages // A_REQUEST):
        client.post(_SEND, build_send())


def build_send() -> bytes:
    """Return the body of a request with 1,000 messages, each with a text of its own; none comes twice."""
    first = next(_requests) * A_REQUEST
    params = [
        {"recipients": [f"+98912{number:07}"], "message": f"سفارش {number} شما ارسال شد. سپاس از خرید شما"}
        for number in range(first, first + A_REQUEST)
    ]
    body = {"sending_type": "peer_to_peer", "from_number": "+983000505", "params": params}
    return json.dumps(body, ensure_ascii=False).encode()


def measure(port: int, sizes: Sizes) -> list[Line]:
    """Ask every question, with its floor before it."""
    client = Client(port)
    nothing = repeat(sizes.rounds, lambda: client.get("/sandbox/nowhere", status=404))
    refused = repeat(sizes.rounds, lambda: client.post(_NOWHERE, build_send(), status=404))
    search = f"q=%D8%B3%D9%81%D8%A7%D8%B1%D8%B4+{sizes.messages // 2}+%D8%B4%D9%85%D8%A7"
    questions = {
        "the page of the list": "/",
        "the list API, 50 records": "/sandbox/messages",
        "the page of a search that finds one": f"/?{search}",
        "the page of a search that finds all": "/?q=%D8%B3%D9%81%D8%A7%D8%B1%D8%B4",
    }
    lines = [
        Line(what, repeat(sizes.rounds, lambda path=path: client.get(path)), nothing, LIST_TARGET_MS)  # type: ignore[misc]
        for what, path in questions.items()
    ]
    sent = repeat(sizes.rounds, lambda: client.post(_SEND, build_send()))
    lines.append(Line("a send of 1,000 messages", sent, refused, SEND_TARGET_MS))
    at_once = f"a send of 1,000 messages, {sizes.senders} at once"
    refused_at_once = side_by_side(port, sizes.senders, path=_NOWHERE, status=404)
    lines.append(Line(at_once, side_by_side(port, sizes.senders, path=_SEND, status=200), refused_at_once))
    return lines


def repeat(rounds: int, ask: Callable[[], float]) -> list[float]:
    """Ask so many times, after once that does not count."""
    ask()
    return [ask() for _ in range(rounds)]


def side_by_side(port: int, senders: int, *, path: str, status: int) -> list[float]:
    """Send from so many connections at the same moment, one request each."""
    start, took_ms = threading.Barrier(senders), list[float]()

    def send(client: Client, body: bytes) -> None:
        start.wait()
        took_ms.append(client.post(path, body, status=status))

    threads = [threading.Thread(target=send, args=(Client(port), build_send())) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(took_ms) != senders:
        raise SystemExit(f"{senders - len(took_ms)} of {senders} senders failed; the errors stand above.")
    return took_ms


def render(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the table."""
    yield "| what | median, ms | worst, ms | target, ms | floor, ms | times the floor |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for line in lines:
        took_ms, floor_ms = median(line.took_ms), median(line.floor_ms)
        target = f"less than {line.target_ms}" if line.target_ms else ""
        yield (
            f"| {line.what} | {took_ms:,.1f} | {max(line.took_ms):,.1f} | {target} | {floor_ms:,.1f}"
            f" | {took_ms / floor_ms:,.1f} |"
        )


def _how_it_was_made(sizes: Sizes, load: float) -> str:
    return (
        f"{sizes.messages:,} messages, {sizes.rounds} answers each, {os.cpu_count()} processors, load average"
        f" {load:.1f} at the start, Python {sys.version.split()[0]}."
    )


if __name__ == "__main__":
    sys.exit(main())
