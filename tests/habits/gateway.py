"""
A gateway over real sockets that takes every good request and counts how often it took each message.

It is written from the gateway's contract alone. It shares no code with the package, nor with its sandbox.
``Habits`` say what it shows of its outbox, and each ``Fault`` that a test orders says how it answers a send.
What it knows itself is the truth that a test judges by.
"""

import csv
import io
import itertools
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-tests"
LINE = "+983000505"
FAILED = frozenset({3, 4, 7, 8, 9})
_E164 = re.compile(r"\+[1-9]\d{6,14}")


class Entry(NamedTuple):
    """One recipient of a record with the text that was sent to it."""

    number: str
    text: str


@dataclass(slots=True, eq=False)
class Record:
    """
    One record of the outbox, as it is in truth.

    ``at`` and ``send_at`` are in Unix seconds of the gateway's own clock. ``is_ours`` is false for traffic
    that a test put there as somebody else's.
    """

    outbox_id: int
    account: str
    line: str
    text: str
    entries: tuple[Entry, ...]
    at: float
    send_at: float
    state: int = 6
    is_ours: bool = True
    is_scheduled: bool = False
    lag_s: float = 0.0


class Page(NamedTuple):
    """One page of a report as it is answered."""

    data: Any
    meta: dict[str, Any]


Paging = Callable[[list[dict[str, Any]], int, int], Page]


def honest_page(records: list[dict[str, Any]], page: int, size: int) -> Page:
    """Return a page as the contract shows it."""
    first = (page - 1) * size
    shown = records[first : first + size]
    return Page(
        shown,
        {
            "current_page": page,
            "from": first + 1 if shown else None,
            "last_page": max(1, -(-len(records) // size)),
            "per_page": size,
            "to": first + len(shown) if shown else None,
            "total": len(records),
        },
    )


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True)
class Habits:
    """
    What the reports are like; all of it by the contract unless said otherwise.

    ``clock_s``: how far the gateway's clock is ahead, in its reports and in its ``Date`` header alike.
    ``report_clock_s`` and ``date_s``: how far its reports, and only its ``Date`` headers, are ahead of that.
    ``lag_s``: how long a message stays out of the reports; the records of a request take several in turn.
    ``records_by``: what gets an outbox id of its own; by default each group and each row of a file.
    ``page_size``: the most records of a page.
    """

    text: Callable[[str], str | None] = _same
    line: Callable[[str], Any] = _same
    recipient: Callable[[str], str] = _same
    time: Callable[[float], Any] = lambda at: str(int(at))
    count: Callable[[int], Any] = str
    entries: Callable[[Sequence[Entry]], Sequence[Entry]] = _same
    entries_total: Callable[[int, int], int | None] = lambda shown, _: shown
    paging: Paging = honest_page
    page_size: int = 100
    without: tuple[str, ...] = ()
    clock_s: float = 0.0
    report_clock_s: float = 0.0
    date_s: float = 0.0
    lag_s: float | tuple[float, ...] = 0.0
    filters: bool = True
    records_by: str = "group"
    scheduled: str = "listed"  # or "late": only once sent, or "by_send_time"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How one send is answered: by a name in ``ANSWERS``, after the messages were taken or not."""

    answer: str
    taken: bool = True


class Reply:
    """Writes one answer."""

    def __init__(self, handler: "_Handler") -> None:
        self._handler = handler
        self.gateway = handler.gateway

    def body(
        self, status: int, body: bytes, kind: str = "application/json", *headers: tuple[str, str]
    ) -> None:
        """Answer with these bytes."""
        self._handler.send_response(status)
        self._handler.send_header("Content-Type", kind)
        self._handler.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def envelope(
        self, status: int, *, ok: bool, data: Any = None, meta: dict[str, Any] | None = None, code: str = ""
    ) -> None:
        """Answer with the gateway's envelope."""
        whole = {
            "data": data,
            "meta": {
                "status": ok,
                "message": "انجام شد" if ok else "خطا",
                "message_parameters": [],
                "message_code": code or ("200-1" if ok else f"{status}-1"),
                **({} if ok else {"errors": {}}),
                **(meta or {}),
            },
        }
        self.body(status, json.dumps(whole).encode())

    def html(self, status: int, *headers: tuple[str, str]) -> None:
        """Answer as a proxy on the way does."""
        self.body(status, b"<html><h1>Proxy</h1></html>", "text/html", *headers)

    def ids(self, ids: list[Any], status: int = 200, *, ok: bool = True) -> None:
        """Answer with outbox ids."""
        self.envelope(status, ok=ok, data={"message_outbox_ids": ids})

    def cut(self) -> None:
        """Reset the connection without an answer."""
        self._handler.close_connection = True
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.connection.close()

    def silence(self) -> None:
        """Say nothing for longer than the client waits, then cut."""
        self.gateway.over.wait(self.gateway.silence_s)
        self.cut()

    def hold(self) -> None:
        """Say nothing until the gateway ends."""
        self.gateway.held.set()
        self.gateway.over.wait(60)
        self.cut()

    def half(self) -> None:
        """Cut in the middle of the answer."""
        self._handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"data": {"message_out')
        self.cut()


ANSWERS: dict[str, Callable[[Reply, list[int]], None]] = {
    # No ids in them: the gateway may have taken the request or not.
    "cut": lambda reply, _: reply.cut(),
    "silence": lambda reply, _: reply.silence(),
    "hold": lambda reply, _: reply.hold(),
    "half": lambda reply, _: reply.half(),
    "502_html": lambda reply, _: reply.html(502),
    "503_html": lambda reply, _: reply.html(503),
    "504_html": lambda reply, _: reply.html(504),
    "garbage": lambda reply, _: reply.body(200, b"\x00\xffgarbage"),
    "empty": lambda reply, _: reply.body(200, b""),
    "302": lambda reply, _: reply.html(302, ("Location", f"{reply.gateway.url}/api/send")),
    "307": lambda reply, _: reply.html(307, ("Location", f"{reply.gateway.url}/api/send")),
    "404_html": lambda reply, _: reply.html(404),
    "403_html": lambda reply, _: reply.html(403),
    "408_html": lambda reply, _: reply.html(408),
    "499_html": lambda reply, _: reply.html(499),
    "429_html": lambda reply, _: reply.html(429),
    "500_json": lambda reply, _: reply.envelope(500, ok=False),
    # A yes: only after the request was taken.
    "no_ids": lambda reply, _: reply.envelope(200, ok=True, data={}),
    "null_data": lambda reply, _: reply.envelope(200, ok=True),
    "empty_ids": lambda reply, _: reply.ids([]),
    "202_null": lambda reply, _: reply.envelope(202, ok=True),
    "fewer_ids": lambda reply, ids: reply.ids(ids[:-1]),
    "one_of_the_ids": lambda reply, ids: reply.ids(ids[:1]),
    "ids_of_zero": lambda reply, ids: reply.ids([0] * len(ids)),
    "negative_ids": lambda reply, ids: reply.ids([-1] * len(ids)),
    "huge_ids": lambda reply, ids: reply.ids([2**63 + each for each in ids]),
    "ids_in_words": lambda reply, ids: reply.ids(["none"] * len(ids)),
    "500_with_ids": lambda reply, ids: reply.ids(ids, 500),
    "failed_with_ids": lambda reply, ids: reply.ids(ids, ok=False),
    "422_with_ids": lambda reply, ids: reply.ids(ids, 422, ok=False),
    # A certain no: only where nothing was taken.
    "422": lambda reply, _: reply.envelope(422, ok=False, code="400-2"),
    "busy": lambda reply, _: reply.body(
        503, b'{"data": null, "meta": {"status": false}}', "application/json", ("Retry-After", "1")
    ),
}


QUESTION_ERRORS: dict[str, Callable[[Reply], None]] = {
    "429": lambda reply: reply.envelope(429, ok=False),
    "403": lambda reply: reply.envelope(403, ok=False),
    "404": lambda reply: reply.envelope(404, ok=False),
    "404_html": lambda reply: reply.html(404),
    "422": lambda reply: reply.envelope(422, ok=False, code="400-31"),
    "status_false": lambda reply: reply.envelope(200, ok=False),
    "500": lambda reply: reply.envelope(500, ok=False),
    "502_html": lambda reply: reply.html(502),
    "cut": lambda reply: reply.cut(),
    "garbage": lambda reply: reply.body(200, b"\x00garbage"),
}


@dataclass
class _QuestionError:
    kind: str
    path: str
    left: int | None


class HabitGateway:
    """
    The gateway; ``with`` starts and stops it.

    :param accounts: the account of each token.
    :param repeat_s: the 40-second rule's time; 0 takes every repeat, so that each can be counted.
    """

    def __init__(
        self,
        habits: Habits | None = None,
        *,
        accounts: dict[str, str] | None = None,
        repeat_s: float = 0.0,
        silence_s: float = 2.0,
    ) -> None:
        self.habits = habits or Habits()
        self.accounts = accounts or {TOKEN: "58745"}
        self.repeat_s, self.silence_s = repeat_s, silence_s
        self.records: list[Record] = []
        self.offers: Counter[Entry] = Counter()
        self.sends = 0
        self.questions: list[tuple[float, str]] = []
        self.over, self.held = threading.Event(), threading.Event()
        self.after_send: Callable[[int], object] = lambda _: None
        self._faults: dict[int, Fault] = {}
        self._always: Fault | None = None
        self._errors: list[_QuestionError] = []
        self._left: list[tuple[str, dict[str, Any], list[tuple[list[str], str]]]] = []
        self._ids = itertools.count(1_123_594_208, 2)
        self._passed_s = 0.0
        self._shown: dict[tuple[int, int], dict[str, Any]] = {}
        self._shown_by = self.habits
        self._lock = threading.RLock()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shut()

    def open(self) -> None:
        """Listen; after ``shut``, at the same address."""
        gateway = self

        class Handler(_Handler):
            pass

        Handler.gateway = gateway
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @contextmanager
    def shut_for_now(self) -> Iterator[None]:
        """Refuse connections for a while."""
        self.shut()
        try:
            yield
        finally:
            self.open()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    def now(self) -> float:
        """Return the time by the gateway's clock."""
        return time.time() + self.habits.clock_s

    # --- orders

    def order(self, fault: Fault, *, nth: int = 1) -> None:
        """Answer the nth send from now on like this."""
        with self._lock:
            self._faults[self.sends + nth] = fault

    def order_always(self, fault: Fault | None) -> None:
        """Answer every send like this that has no order of its own."""
        self._always = fault

    def fail_questions(self, kind: str, *, path: str = "/api/report/", times: int | None = None) -> None:
        """Answer questions like this, a number of times or for ever."""
        self._errors.append(_QuestionError(kind, path, times))

    def answer_questions(self) -> None:
        """Take back all orders of ``fail_questions``."""
        self._errors.clear()

    def change(self, **habits: Any) -> None:
        """Change some habits from now on."""
        self.habits = replace(self.habits, **habits)

    def pass_time(self, seconds: float) -> None:
        """Let the reports show what they would show that much later."""
        self._passed_s += seconds

    def add(
        self,
        entries: Sequence[tuple[str, str]],
        *,
        ago_s: float = 0.0,
        line: str = LINE,
        state: int = 6,
        account: str = "58745",
    ) -> int:
        """Put somebody else's record into the outbox; return its id."""
        with self._lock:
            at = self.now() - ago_s
            record = Record(
                outbox_id=next(self._ids),
                account=account,
                line=line,
                text=entries[0][1],
                entries=tuple(Entry(*each) for each in entries),
                at=at,
                send_at=at,
                state=state,
                is_ours=False,
            )
            self.records.append(record)
            return record.outbox_id

    def take_late(self) -> None:
        """Take all requests that were not taken when they came, as a gateway with a queue may."""
        with self._lock:
            for request in self._left:
                self._take(*request)
            self._left.clear()

    # --- the truth

    def taken(self) -> Counter[Entry]:
        """Return how often each message was taken, without what failed or was cancelled."""
        with self._lock:
            ours = [record for record in self.records if record.is_ours and record.state not in FAILED]
            return Counter(entry for record in ours for entry in record.entries)

    def ids_of(self, number: str, text: str) -> set[int]:
        """Return the outbox ids under which one message was taken."""
        return self.ids().get(Entry(number, text), set())

    def ids(self) -> dict[Entry, set[int]]:
        """Return the outbox ids of all messages."""
        ids: dict[Entry, set[int]] = {}
        with self._lock:
            for record in self.records:
                for entry in record.entries if record.is_ours else ():
                    ids.setdefault(entry, set()).add(record.outbox_id)
        return ids

    def most_questions(self, per_s: float = 60.0) -> int:
        """Return the largest number of questions within any such time."""
        times = [at for at, _ in self.questions]
        return max((sum(at <= each < at + per_s for each in times) for at in times), default=0)

    # --- sends

    def send(self, reply: Reply, account: str, document: dict[str, Any]) -> None:
        """Take a request, unless it is bad, and answer as ordered."""
        with self._lock:
            self.sends += 1
            place = self.sends
            fault = self._faults.pop(place, self._always)
            groups = _groups(document)
            if groups is None or not self._is_time_good(document.get("send_time")):
                reply.envelope(422, ok=False, code="400-2")
                return
            entries = [Entry(number, text) for numbers, text in groups for number in numbers]
            self.offers.update(entries)
            if self._is_repeat(entries, document["from_number"]):
                reply.envelope(429, ok=False)
                return
            ids: list[int] = []
            if not fault or fault.taken:
                ids = self._take(account, document, groups)
            else:
                self._left.append((account, document, groups))
        self.after_send(place)
        if fault:
            ANSWERS[fault.answer](reply, ids)
        else:
            reply.ids(list(ids))

    def _take(self, account: str, document: dict[str, Any], groups: list[tuple[list[str], str]]) -> list[int]:
        now = self.now()
        send_at = _parse_time(document.get("send_time"))
        parts = [[Entry(number, text) for number in numbers] for numbers, text in groups]
        if self.habits.records_by == "request":
            parts = [[entry for part in parts for entry in part]]
        elif self.habits.records_by == "recipient":
            parts = [[entry] for part in parts for entry in part]
        taken = [
            Record(
                outbox_id=next(self._ids),
                account=account,
                line=document["from_number"],
                text=part[0].text,
                entries=tuple(part),
                at=now,
                send_at=send_at or now,
                state=1 if send_at else 6,
                is_scheduled=bool(send_at),
                lag_s=self._lag_of(place),
            )
            for place, part in enumerate(parts)
        ]
        self.records.extend(taken)
        return [record.outbox_id for record in taken]

    def _lag_of(self, place: int) -> float:
        lag = self.habits.lag_s
        return lag[place % len(lag)] if isinstance(lag, tuple) else lag

    def _is_repeat(self, entries: list[Entry], line: str) -> bool:
        if not self.repeat_s:
            return False
        now, new = self.now(), set(entries)
        return any(
            now - record.at < self.repeat_s and record.line == line and not new.isdisjoint(record.entries)
            for record in self.records
        )

    def _is_time_good(self, send_time: Any) -> bool:
        if not send_time:
            return True
        at = _parse_time(send_time)
        return at is not None and 300 <= at - self.now() <= 92 * 86_400

    # --- questions

    def fails_question(self, reply: Reply, path: str) -> bool:
        """Note a question; answer it with an error if one is ordered."""
        with self._lock:
            self.questions.append((time.monotonic(), path))
            for error in self._errors:
                if path.startswith(error.path) and error.left != 0:
                    error.left = None if error.left is None else error.left - 1
                    break
            else:
                return False
        QUESTION_ERRORS[error.kind](reply)
        return True

    def shown(self, account: str) -> list[Record]:
        """Return the records that the reports show now, newest first."""
        now = self.now() + self._passed_s
        with self._lock:
            return [
                record
                for record in reversed(self.records)
                if record.account == account
                and now >= record.at + record.lag_s
                and not (self.habits.scheduled == "late" and record.is_scheduled and now < record.send_at)
            ]

    def list_page(self, account: str, question: dict[str, Any]) -> Page:
        """Answer ``report/new_list``."""
        filters = question.get("filters") or {}
        records = self.shown(account)
        if self.habits.filters:
            records = [record for record in records if self._passes(record, filters)]
        size = min(int(question.get("limit") or 10), self.habits.page_size)
        return self.habits.paging(list(map(self.show, records)), int(question.get("page") or 1), size)

    def _passes(self, record: Record, filters: dict[str, Any]) -> bool:
        ahead = self.habits.report_clock_s
        created = record.send_at if self.habits.scheduled == "by_send_time" else record.at
        bounds = {
            "create_from_date": lambda value: int(created + ahead) >= float(value),
            "create_to_date": lambda value: int(created + ahead) <= float(value),
            "send_from_date": lambda value: int(record.send_at + ahead) >= float(value),
            "send_to_date": lambda value: int(record.send_at + ahead) <= float(value),
            "number": lambda value: self.show(record).get("number") == value,
            "message": lambda value: value in (self.show(record).get("message") or ""),
            "messages_outbox_id": lambda value: str(value) == str(record.outbox_id),
            "state_id": lambda value: str(value) == str(record.state),
        }
        return all(bounds[name](value) for name, value in filters.items() if name in bounds)

    def show(self, record: Record) -> dict[str, Any]:
        """Return a record as the reports show it."""
        key = (record.outbox_id, record.state)
        if self._shown_by is not self.habits:
            self._shown, self._shown_by = {}, self.habits
        if key not in self._shown:
            self._shown[key] = self._show(record)
        return self._shown[key]

    def _show(self, record: Record) -> dict[str, Any]:
        habits = self.habits
        created = record.send_at if habits.scheduled == "by_send_time" else record.at
        whole = {
            "username": "*****",
            "number": habits.line(record.line),
            "messages_outbox_id": str(record.outbox_id),
            "state": "finish",
            "type": "peer_to_peer",
            "time_send": habits.time(record.send_at + habits.report_clock_s),
            "time": habits.time(created + habits.report_clock_s),
            "rcpts_count": habits.count(len(record.entries)),
            "exit_count": str(len(record.entries)),
            "message": habits.text(record.text),
            "part": "1",
            "cost": 1064,
            "reject_comment": None,
            "state_id": record.state,
        }
        return {name: value for name, value in whole.items() if name not in habits.without}

    def find(self, account: str, outbox_id: Any) -> Record | None:
        """Return a record that the reports show."""
        return next((each for each in self.shown(account) if str(each.outbox_id) == str(outbox_id)), None)

    def entries_page(self, record: Record, page: int, size: int) -> Page:
        """Answer ``report/recipients``."""
        entries = self.habits.entries(record.entries)
        shown = [
            {
                "recipient": self.habits.recipient(entry.number),
                "message": self.habits.text(entry.text),
                "is_readable": True,
                "msg_parts": "1",
                "message_status": "1",
            }
            for entry in entries
        ]
        data, meta = honest_page(shown, page, min(size, 100))
        total = self.habits.entries_total(len(shown), len(record.entries))
        return Page(data, {**meta, "total": total})

    def cancel(self, account: str, outbox_id: Any) -> bool:
        """Cancel a scheduled message, until 5 minutes before its time."""
        with self._lock:
            for record in self.records:
                if record.account == account and record.outbox_id == outbox_id and record.is_scheduled:
                    if record.send_at - self.now() < 300:
                        return False
                    record.state = 7
                    return True
        return False


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests and hands them to the gateway."""

    gateway: HabitGateway
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Write no log."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time by the gateway's clock."""
        return formatdate(self.gateway.now() + self.gateway.habits.date_s, usegmt=True)

    def handle(self) -> None:
        """Serve until the client or a fault closes the connection."""
        with suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def do_GET(self) -> None:
        self._answer({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type") or ""
        if kind.startswith("multipart/form-data"):
            self._answer(_parse_form(kind, body))
            return
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            document = {}
        self._answer(document if isinstance(document, dict) else {})

    def _answer(self, document: dict[str, Any]) -> None:
        reply, gateway = Reply(self), self.gateway
        path = urlsplit(self.path).path.removeprefix("/v1")
        account = gateway.accounts.get(self.headers.get("Authorization") or "")
        if account is None:
            reply.envelope(401, ok=False, code="400-1")
        elif path == "/api/send":
            gateway.send(reply, account, document)
        elif path.startswith("/api/report/"):
            if not gateway.fails_question(reply, path):
                self._report(reply, account, path, document)
        elif path == "/api/send/cancel":
            done = gateway.cancel(account, document.get("message_outbox_id"))
            reply.envelope(200 if done else 404, ok=done, code="" if done else "400-1")
        elif path == "/api/acl/auth/check_token":
            who = {"user_name": f"user-{account}", "user_id": int(account)}
            reply.envelope(200, ok=True, data={**who, "send_block": False, "document_block": False})
        elif path == "/api/send/calculate-price":
            reply.envelope(200, ok=True, data={"mci_price": 2370, "other_price": 2503, "parts": 1})
        elif path == "/api/payment/credit/mine":
            reply.envelope(200, ok=True, data={"credit": 6_084_722.7, "gift": 0})
        elif path == "/api/number/numbers":
            line = {"id": 1, "number": LINE, "alias": None, "is_66_char": 0}
            reply.envelope(200, ok=True, **honest_page([line], 1, 10)._asdict())
        else:
            reply.html(404)

    def _report(self, reply: Reply, account: str, path: str, question: dict[str, Any]) -> None:
        gateway = self.gateway
        if path == "/api/report/new_list":
            page = gateway.list_page(account, question)
            reply.envelope(200, ok=True, data=page.data, meta=page.meta)
            return
        record = gateway.find(account, question.get("messages_outbox_id") or question.get("bulk_id"))
        if record is None:
            reply.envelope(404, ok=False, code="404-1")
        elif path == "/api/report/by_bulk":
            reply.envelope(200, ok=True, data=gateway.show(record))
        elif path == "/api/report/recipients":
            size = int(question.get("per_page") or 10)
            page = gateway.entries_page(record, int(question.get("page") or 1), size)
            reply.envelope(200, ok=True, data=page.data, meta=page.meta)
        else:
            reply.html(404)


def _parse_form(kind: str, body: bytes) -> dict[str, Any]:
    """Read a multipart form; the file becomes ``rows``."""
    message = BytesParser(policy=policy.HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, Any] = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if name == "files[]":
            rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
            fields["rows"] = rows[1:] if rows and rows[0] == ["recipient", "message"] else None
        else:
            fields[name] = content.decode()
    return fields


def _groups(document: dict[str, Any]) -> list[tuple[list[str], str]] | None:
    """Return recipients and text of each group or row; ``None`` for a bad request."""
    line = document.get("from_number")
    if not isinstance(line, str) or not line:
        return None
    kind = document.get("sending_type")
    pairs: list[tuple[list[str], str]] = []
    if kind == "peer_to_peer" and isinstance(document.get("params"), list):
        pairs = [(group.get("recipients"), group.get("message")) for group in document["params"]]
    elif kind == "peer_to_peer_file" and document.get("rows"):
        pairs = [([row[0]], row[1]) for row in document["rows"] if len(row) == 2]
        if len(pairs) != len(document["rows"]) or len(pairs) > 10_000:
            return None
    good = all(numbers and text and all(map(_E164.fullmatch, numbers)) for numbers, text in pairs)
    return pairs if pairs and good else None


def _parse_time(text: Any) -> float | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError):
        return None
