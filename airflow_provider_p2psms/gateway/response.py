"""
What the gateway's answers say, as pure functions: receipts of sends, and answers to questions.

``classify_send`` decides whether a request may have been taken. Nothing here knows sockets or retries. JSON
is untyped where it comes in and typed where it leaves this module.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from airflow_provider_p2psms.errors import UnreachableError
from airflow_provider_p2psms.gateway.envelope import Answer, Envelope, as_record, parse_envelope, parse_json
from airflow_provider_p2psms.gateway.failures import build_refusal, build_unknown
from airflow_provider_p2psms.gateway.values import parse_amount, parse_outbox_id, parse_whole_number

# 499 is that of nginx.
_PROXY_TIMEOUTS = frozenset({408, 499})


class Verdict(Enum):
    """What the answer to a send says: were the messages taken?"""

    RECEIPT = auto()  # yes, and each has its id
    SAID_TAKEN = auto()  # yes, or there are ids, but they do not add up
    NOT_TAKEN = auto()  # certainly not
    BUSY = auto()  # certainly not, and the gateway says when to ask again
    UNKNOWN = auto()  # perhaps


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What the gateway answered to a send that it took.

    ``outbox_ids`` has one id a group (JSON) or a row (file), in the order given. That the gateway keeps that
    order is nowhere stated; only their number is checked. Ids that count up evenly, as they mostly do, are a
    ``range``: it is kept, compared and recorded at once.
    """

    outbox_ids: Sequence[int]


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


def parse_receipt(answer: Answer, *, expected: int, private: Iterable[str] = ()) -> Receipt:
    """
    Read the answer to a send.

    :param expected: how many ids are due: one a group, or one a row of a file.
    :param private: texts that must not be quoted back in an error, should the gateway do so.
    :raises GatewayRefusedError: it took nothing (``AuthenticationError`` for 401).
    :raises OutcomeUnknownError: anything else. ``said_taken`` is true if the answer says *yes* or has ids.

    Source: gateway docs, both sends, "Success Response" and "Error Responses".
    """
    envelope = parse_envelope(answer.body)
    data = envelope.data if envelope else parse_json(answer.body)
    ids = _outbox_ids(data) if envelope else ()
    # Ids in other places are looked for only where there are none in theirs.
    has_ids = bool(ids) or any(_find_ids(data))
    verdict = classify_send(answer, envelope, ids=ids, has_ids=has_ids, expected=expected)
    if verdict is Verdict.RECEIPT:
        return Receipt(ids)
    if verdict in {Verdict.NOT_TAKEN, Verdict.BUSY}:
        raise build_refusal(answer, envelope, private=private)
    raise build_unknown(
        answer,
        _describe(answer, envelope, ids=ids, has_ids=has_ids, expected=expected),
        outbox_ids=tuple(_find_ids(data)),
        said_taken=verdict is Verdict.SAID_TAKEN,
    )


def classify_send(  # noqa: C901, PLR0911 - one rule a branch, to be read from top to bottom
    answer: Answer, envelope: Envelope | None, *, ids: Sequence[int], has_ids: bool, expected: int
) -> Verdict:
    """
    Decide whether a request may have been taken, by its answer alone.

    :param ids: those in ``data.message_outbox_ids``, none unless all of them are positive numbers.
    :param has_ids: whether there is a positive outbox id anywhere in the answer.
    :param expected: how many ids are due.
    """
    # No envelope of the gateway: a proxy or a web server wrote it, and may have passed the request on. But
    # nobody else knows outbox ids, in JSON of whatever shape.
    if envelope is None:
        return Verdict.SAID_TAKEN if has_ids else Verdict.UNKNOWN
    says_no = envelope.ok is False or not answer.is_success
    # Ids beside a failure: what has an id was taken, whatever else the answer says.
    if has_ids and says_no:
        return Verdict.SAID_TAKEN
    # A success with an id for each group or row, as documented; a status in `meta` may be missing.
    if ids and len(ids) == expected:
        return Verdict.RECEIPT
    # A success with more or fewer ids, or with ids in another place: taken, but by which ids is not clear.
    if has_ids:
        return Verdict.SAID_TAKEN
    # A success that says yes and has no ids.
    if answer.is_success and envelope.ok is True:
        return Verdict.SAID_TAKEN
    # Neither yes nor no: `meta.status` is missing, or says yes under a status that is no success.
    if envelope.ok is not False:
        return Verdict.UNKNOWN
    # HTTP 200 with `meta.status` false and no ids: clients of this gateway report it as a refusal.
    if answer.is_success:
        return Verdict.NOT_TAKEN
    # A proxy writes these two when its time runs out, perhaps after it has passed the request on.
    if answer.http_status in _PROXY_TIMEOUTS:
        return Verdict.UNKNOWN
    # The gateway's own refusal: 401 and 422 as documented, and others like them. What a 429 says of a request
    # that left before, too, is for the caller, who knows that.
    if 400 <= answer.http_status < 500:
        return Verdict.NOT_TAKEN
    # 503 is the gateway's own only with its envelope, its *failed* and a Retry-After in seconds.
    if answer.http_status == 503 and answer.retry_after_s is not None:
        return Verdict.BUSY
    # 3xx, 5xx and numbers that are no status: the request may have reached the gateway all the same.
    return Verdict.UNKNOWN


def _describe(
    answer: Answer, envelope: Envelope | None, *, ids: Sequence[int], has_ids: bool, expected: int
) -> str:
    """Say what is wrong with an answer that is neither a receipt nor a refusal."""
    if envelope is None:
        return "holds ids in no known shape" if has_ids else "is no JSON envelope"
    if has_ids and (envelope.ok is False or not answer.is_success):
        return "holds ids but says that it failed"
    if not answer.is_success:
        return "does not say for certain that nothing was taken"
    if ids:
        return f"has {len(ids):,} ids where {expected:,} are due"
    return "has no message_outbox_ids that are positive numbers"


def parse_answer(answer: Answer) -> tuple[Any, Mapping[str, Any]]:
    """
    Return ``data`` and ``meta`` of the answer to a question, or to a cancel.

    :raises GatewayRefusedError: it said no (``AuthenticationError`` for 401).
    :raises OutcomeUnknownError: it said nothing that can be read.
    """
    envelope = parse_envelope(answer.body)
    if not answer.is_success:
        if answer.http_status < 200 or answer.http_status >= 500:
            raise build_unknown(answer, "is a server error")
        raise build_refusal(answer, envelope)
    if not envelope:
        raise build_unknown(answer, "is no JSON envelope")
    if envelope.ok is False:
        raise build_refusal(answer, envelope)
    return envelope.data, envelope.meta


def parse_account(data: Any) -> Account:
    """Read the answer of ``check_token``."""
    record = as_record(data)
    return Account(
        user_name=str(record.get("user_name") or ""),
        user_id=parse_whole_number(record.get("user_id")),
        send_block=bool(record.get("send_block")),
        document_block=bool(record.get("document_block")),
    )


def parse_price(data: Any) -> Price:
    """Read the answer of ``calculate-price``; useless (``UnreachableError``) without both prices."""
    record = as_record(data)
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


def _outbox_ids(data: Any) -> Sequence[int]:
    ids = as_record(data).get("message_outbox_ids")
    if not isinstance(ids, list) or not ids:
        return ()
    # Of integers the least and the largest tell for all.
    if set(map(type, ids)) == {int} and parse_outbox_id(min(ids)) and parse_outbox_id(max(ids)):
        # Nearly always they count up evenly. A range is kept, written and compared without its numbers.
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
