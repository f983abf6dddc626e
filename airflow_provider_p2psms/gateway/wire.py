"""
The gateway's documents as pure functions: build the requests, read the answers.

Knows JSON and the meaning of each status; knows neither sockets nor retries. JSON is untyped where it comes
in and typed where it leaves this module.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgspec

from airflow_provider_p2psms.errors import (
    AuthenticationError,
    GatewayRefusedError,
    OutcomeUnknownError,
    UnreachableError,
    lay_out,
)
from airflow_provider_p2psms.gateway.values import parse_amount, parse_outbox_id, parse_whole_number

SEND_PATH = "/api/send"

# Stands between messages that are written one behind the other: UTF-8 has no such byte.
BETWEEN = b"\xff"
# What JSON escapes, but for line ends. Thirty searches for a byte each take half as long as one for a class.
_ESCAPED = bytes({*range(1, 32), *b'"\\'} - {*b"\n"})


class Group(msgspec.Struct, frozen=True, gc=False):
    """A text with all its recipients: one entry of ``params``, one outbox id."""

    recipients: Sequence[str]
    message: str

    def __repr__(self) -> str:
        return f"<Group of {len(self.recipients)} recipients>"


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What the gateway answered to a send that it took.

    ``outbox_ids`` has one id a group (JSON) or a row (file), in the order given. That the gateway keeps that
    order is nowhere stated; only their number is checked. Ids that count up by one, as they mostly do, are a
    ``range``: it is kept, compared and recorded at once.
    """

    outbox_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back whole: the status, the decoded body, and the two headers that are read."""

    http_status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is. ``send_block`` and ``document_block``: the gateway will take nothing from them."""

    user_name: str = field(repr=False)
    user_id: int | None
    send_block: bool
    document_block: bool


@dataclass(frozen=True, slots=True)
class Price:
    """What one text costs a recipient, in rial, by operator; ``parts`` as the gateway counts them."""

    mci_price: float
    other_price: float
    parts: int


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page of a list: its records as they came, its number, and the number of the last one.

    ``None`` stands where the answer has no such number. ``is_known_shape`` is false if ``data`` is anything
    but a list of records.
    """

    records: tuple[Mapping[str, Any], ...] = field(repr=False)
    current_page: int | None
    last_page: int | None
    total: int | None
    is_known_shape: bool = True


@dataclass(frozen=True, slots=True)
class _Envelope:
    """``data`` and ``meta`` of every answer; ``ok`` is ``None`` where ``meta.status`` is missing."""

    data: Any
    meta: Mapping[str, Any]
    ok: bool | None
    message: str | None
    code: str | None
    errors: Mapping[str, tuple[str, ...]]


# --- requests ---------------------------------------------------------------------------------------------


def build_peer_to_peer(
    groups: list[Group] | msgspec.Raw, *, from_number: str, send_time: str | None = None
) -> bytes:
    """
    Return the JSON body of a peer-to-peer send, in UTF-8 without ASCII escapes.

    ``groups`` may be what ``write_groups`` has written; it is put in as it is.
    ``send_time`` is ``YYYY-MM-DD HH:MM:SS`` in UTC; without it the messages go at once.

    Source: gateway docs, "Send Peer to Peer SMS", "Request Body".
    """
    return msgspec.json.encode(
        {
            "sending_type": "peer_to_peer",
            "from_number": from_number,
            "params": groups,
            **({"send_time": send_time} if send_time else {}),
        }
    )


def write_groups(groups: list[Group]) -> bytes:
    """Write groups as they stand in the body of a send."""
    return msgspec.json.encode(groups)


def write_single_groups(written: bytes) -> bytes:
    """
    Write groups of one recipient each, as ``write_groups`` does, in a third of the time.

    :param written: recipient, NUL and text of each message, in UTF-8, with ``BETWEEN`` them.

    They can leave as they are, unless JSON has to escape something of them. Line ends are escaped here, as
    many texts have them, and whatever else there is by the library.
    """
    if not written or any(map(written.__contains__, _ESCAPED)):
        messages = zip(*split_messages(written), strict=True)
        return write_groups([Group((recipient.decode(),), text.decode()) for recipient, text in messages])
    groups = (
        written.replace(b"\n", b"\\n")
        .replace(b"\0", b'"],"message":"')
        .replace(BETWEEN, b'"},{"recipients":["')
    )
    return b'[{"recipients":["%b"}]' % groups


def split_messages(written: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the recipients and the texts of messages that are written as for ``write_single_groups``."""
    cells = written.replace(BETWEEN, b"\0").split(b"\0") if written else []
    return cells[::2], cells[1::2]


def read_groups(content: bytes) -> list[Group]:
    """Read back what ``write_groups`` has written."""
    return msgspec.json.decode(content, type=list[Group])


def build_peer_to_peer_file(*, from_number: str, send_time: str | None = None) -> dict[str, str]:
    """
    Return the form fields that go beside the file of a peer-to-peer send by file.

    Source: gateway docs, "Send Peer to Peer by File", "Request Body".
    """
    return {
        "sending_type": "peer_to_peer_file",
        "from_number": from_number,
        **({"send_time": send_time} if send_time else {}),
    }


def build_csv(messages: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    Return the file of such a send: header ``recipient,message``, a row a message, plain UTF-8, RFC 4180.

    :param messages: recipient and text of each, in UTF-8.

    What else the gateway can read is nowhere stated, so it gets the plainest form: no BOM, commas, every text
    quoted, CRLF.
    """
    rows = (b'%b,"%b"\r\n' % (recipient, text.replace(b'"', b'""')) for recipient, text in messages)
    return b"recipient,message\r\n" + b"".join(rows)


def read_csv(content: bytes) -> Iterator[tuple[str, str]]:
    """Read back the messages that ``build_csv`` has written."""
    rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    next(rows)
    return ((recipient, text) for recipient, text in rows)


# --- answers ----------------------------------------------------------------------------------------------


def parse_receipt(answer: Answer, *, expected: int, private: Iterable[str] = ()) -> Receipt:
    """
    Read the answer to a send.

    :param expected: how many ids are due: one a group, or one a row of a file.
    :param private: texts that must not be quoted back in an error, should the gateway do so.
    :raises GatewayRefusedError: it took nothing (``AuthenticationError`` for 401): its own envelope says so,
        with a status of 400 to 499 (or 200, or a 503 that says when to ask again) and without ids.
    :raises OutcomeUnknownError: anything else. ``said_taken`` is true if the answer says *yes* or has ids.

    Source: gateway docs, both sends, "Success Response" and "Error Responses".
    """
    envelope = _parse_envelope(answer.body)
    if not envelope:
        _raise_unknown(answer, "is no JSON envelope")
    ids = _outbox_ids(envelope.data)
    # What else the answer holds is looked at only if something is wrong with it.
    if not ids or len(ids) != expected or envelope.ok is False or not _is_success(answer.http_status):
        _raise_no_receipt(answer, envelope, ids, expected=expected, private=private)
    return Receipt(ids)


def _raise_no_receipt(
    answer: Answer, envelope: _Envelope, ids: Sequence[int], *, expected: int, private: Iterable[str]
) -> NoReturn:
    found = tuple(_find_ids(envelope.data))
    if envelope.ok is False and not found and _speaks_for_gateway(answer, envelope):
        _raise_refused(answer, envelope, private)
    if found and (envelope.ok is False or not _is_success(answer.http_status)):
        _raise_unknown(answer, "holds ids but says that it failed", found, said_taken=True)
    if not _is_success(answer.http_status):
        _raise_unknown(answer, "does not say for certain that nothing was taken")
    if ids:
        what = f"has {len(ids):,} ids where {expected:,} are due"
    else:
        what = "has no message_outbox_ids that are positive numbers"
    _raise_unknown(answer, what, found, said_taken=bool(found) or envelope.ok is True)


def _speaks_for_gateway(answer: Answer, envelope: _Envelope) -> bool:
    """
    Tell whether an envelope that says *failed* can be believed: a proxy may have passed the request on.

    A proxy times out with 408, 499 or 5xx, and redirects with 3xx, whatever the body is.
    """
    status = answer.http_status
    return _is_success(status) or (400 <= status < 499 and status != 408) or _is_busy(answer, envelope)


def parse_answer(answer: Answer) -> tuple[Any, Mapping[str, Any]]:
    """
    Return ``data`` and ``meta`` of the answer to a question, or to a cancel.

    :raises GatewayRefusedError: it said no (``AuthenticationError`` for 401).
    :raises OutcomeUnknownError: it said nothing that can be read.
    """
    envelope = _parse_envelope(answer.body)
    if not _is_success(answer.http_status):
        _raise_failure(answer, envelope, ())
    if not envelope:
        _raise_unknown(answer, "is no JSON envelope")
    if envelope.ok is False:
        _raise_refused(answer, envelope, ())
    return envelope.data, envelope.meta


def parse_account(data: Any) -> Account:
    """Read the answer of ``check_token``."""
    record = _record(data)
    return Account(
        user_name=str(record.get("user_name") or ""),
        user_id=parse_whole_number(record.get("user_id")),
        send_block=bool(record.get("send_block")),
        document_block=bool(record.get("document_block")),
    )


def parse_price(data: Any) -> Price:
    """Read the answer of ``calculate-price``; useless (``UnreachableError``) without both prices."""
    record = _record(data)
    mci_price, other_price = (parse_amount(record.get(name)) for name in ("mci_price", "other_price"))
    if mci_price is None or other_price is None:
        raise UnreachableError("The gateway's answer about the price holds no prices.")
    return Price(mci_price, other_price, parse_whole_number(record.get("parts")) or 0)


def parse_page(data: Any, meta: Mapping[str, Any]) -> Page:
    """Read one page of a report."""
    shown = data if isinstance(data, list) else []
    records = tuple(each for each in shown if isinstance(each, dict))
    return Page(
        records,
        current_page=parse_whole_number(meta.get("current_page")),
        last_page=parse_whole_number(meta.get("last_page")),
        total=parse_whole_number(meta.get("total")),
        is_known_shape=isinstance(data, list) and len(records) == len(shown),
    )


def _is_busy(answer: Answer, envelope: _Envelope) -> bool:
    """
    Tell whether the gateway itself says that it took nothing and when to ask again.

    A 503 may come from a proxy that has passed the request on, so it takes three words of the gateway's own
    to believe it: its envelope, which says that it failed, and a ``Retry-After`` in seconds.
    """
    return answer.http_status == 503 and envelope.ok is False and _seconds(answer.retry_after) is not None


def _is_success(http_status: int) -> bool:
    return 200 <= http_status < 300  # 201 is among the documented success codes


def _parse_envelope(body: bytes) -> _Envelope | None:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(document, dict) or not document.keys() & {"data", "meta"}:
        return None
    meta = _record(document.get("meta"))
    status, message, code = (meta.get(name) for name in ("status", "message", "message_code"))
    return _Envelope(
        data=document.get("data"),
        meta=meta,
        ok=status if isinstance(status, bool) else None,
        message=message if isinstance(message, str) else None,
        code=str(code) if code else None,
        errors={str(name): _texts(texts) for name, texts in _record(meta.get("errors")).items()},
    )


def _outbox_ids(data: Any) -> Sequence[int]:
    ids = _record(data).get("message_outbox_ids")
    if not isinstance(ids, list) or not ids:
        return ()
    # Of integers the least and the largest tell for all.
    if set(map(type, ids)) == {int} and parse_outbox_id(min(ids)) and parse_outbox_id(max(ids)):
        # Nearly always they count up evenly; a range is kept, written and compared in no time.
        step = max(ids[1] - ids[0], 1) if len(ids) > 1 else 1
        run = range(ids[0], ids[0] + len(ids) * step, step)
        return run if ids == list(run) else tuple(ids)
    numbers = [number for number in map(parse_outbox_id, ids) if number]
    return tuple(numbers) if len(numbers) == len(ids) else ()


def _find_ids(data: Any) -> Iterator[int]:
    """Yield the outbox ids that an answer holds, whatever its shape: each of them says that it was taken."""
    if isinstance(data, dict):
        for name, value in data.items():
            if "outbox_id" in name.lower():
                yield from filter(None, map(parse_outbox_id, value if isinstance(value, list) else [value]))
            elif isinstance(value, dict | list):
                yield from _find_ids(value)
    elif isinstance(data, list):
        for value in data:
            yield from _find_ids(value)


def _record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in (value if isinstance(value, list) else [value]))


# --- what went wrong --------------------------------------------------------------------------------------

_CHECK_URL = "Check the connection's Base URL."
# What a status means, and then what can be done about it.
_MEANING: dict[int, tuple[str, ...]] = {
    400: ("It cannot read the request.",),
    401: (
        "It does not accept the API token.",
        "Put the bare token into the connection's Password: no 'Bearer', 'AccessKey' or 'apikey'.",
        "A login token expires after 10 hours, an API key does not: use a key.",
    ),
    402: ("The account has to be paid first.", "Pay it, and clear the task."),
    403: ("This account, line or address may not do that.", "Check from_number and the account's rights."),
    404: ("There is nothing at that address, or no such message.", _CHECK_URL),
    405: ("There is nothing at that address.", _CHECK_URL),
    407: ("The proxy wants credentials.", "Write them into the connection's extra proxy."),
    413: ("The request is too large.", "Lower batch_size."),
    415: ("It does not read that kind of file or request.",),
    422: ("It does not accept the fields.", "Correct what it names, and clear the task."),
    429: (
        "In the last 40 seconds it took the same text for the same number from this line.",
        "Do not send it later: that makes a second copy, which is paid for.",
    ),
    503: ("It takes nothing now, and says when to ask again.",),
}


def _raise_failure(answer: Answer, envelope: _Envelope | None, private: Iterable[str]) -> NoReturn:
    if answer.http_status < 200 or answer.http_status >= 500:
        _raise_unknown(answer, "is a server error")
    _raise_refused(answer, envelope, private)


def _raise_refused(answer: Answer, envelope: _Envelope | None, private: Iterable[str]) -> NoReturn:
    status = answer.http_status
    if 300 <= status < 400:
        meaning, *options = "It points to another address, which is never followed.", _CHECK_URL
    else:
        meaning, *options = _MEANING.get(status, ("It took nothing.",))
    quiet = _Quiet(private)
    words = quiet(envelope.message) if envelope and envelope.message else None
    code = envelope.code if envelope else None
    errors = (
        {quiet(name): tuple(map(quiet, texts)) for name, texts in envelope.errors.items()} if envelope else {}
    )
    said = [f"HTTP {status}", *([f"code {code}"] if code else [])]
    facts = [f"Its words: {words}"] if words else []
    facts += [f"Field {name}: {' '.join(texts)}" for name, texts in errors.items()]
    error = AuthenticationError if status == 401 else GatewayRefusedError
    raise error(
        lay_out(
            f"The gateway refused ({', '.join(said)}).",
            meaning,
            *(" ".join(fact.split()) for fact in facts),
            options=options,
        ),
        http_status=status,
        message_code=code,
        gateway_message=words,
        field_errors=errors,
        retry_after_s=_seconds(answer.retry_after),
    )


def _raise_unknown(
    answer: Answer, what: str, outbox_ids: tuple[int, ...] = (), *, said_taken: bool = False
) -> NoReturn:
    kind = "HTML" if "html" in answer.content_type.lower() else f"{len(answer.body):,} bytes"
    status = answer.http_status
    raise OutcomeUnknownError(
        lay_out(
            f"The gateway gave no answer to trust (HTTP {status}, {kind}).",
            f"It {what}. The request may have been taken.",
            options=[_CHECK_URL] if 300 <= status < 400 or status in {404, 405} else [],
        ),
        http_status=answer.http_status,
        outbox_ids=outbox_ids,
        said_taken=said_taken,
    )


def _seconds(retry_after: str | None) -> float | None:
    # The other form, a date, is not worth trusting a foreign clock for.
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None


class _Quiet:
    """Takes numbers and our own texts out of the gateway's words: it may quote what it refuses."""

    _DIGITS = re.compile(r"\+?\d[\d \-()]{3,}\d")
    _LONGEST = 300

    def __init__(self, private: Iterable[str]) -> None:
        self._private = sorted(set(private), key=len, reverse=True)

    def __call__(self, words: str) -> str:
        for text in self._private:
            words = words.replace(text, "…")
        return self._DIGITS.sub("…", words)[: self._LONGEST]


def quiet(words: str, *, private: Iterable[str] = ()) -> str:
    """Return the gateway's words without numbers and the private texts that it may quote."""
    return _Quiet(private)(words)
