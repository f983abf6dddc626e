"""
What the gateway's answers say, as pure functions: receipts of sends, and answers to questions.

Knows the meaning of a status; knows neither sockets nor retries. JSON is untyped where it comes in and typed
where it leaves this module.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from airflow_provider_p2psms.errors import UnreachableError
from airflow_provider_p2psms.gateway.envelope import Answer, Envelope, as_record, parse_envelope
from airflow_provider_p2psms.gateway.failures import build_refusal, build_unknown
from airflow_provider_p2psms.gateway.values import parse_amount, parse_outbox_id, parse_whole_number


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
    :raises GatewayRefusedError: it took nothing (``AuthenticationError`` for 401): its own envelope says so,
        with a status of 400 to 499 (or 200, or a 503 that says when to ask again) and without ids.
    :raises OutcomeUnknownError: anything else. ``said_taken`` is true if the answer says *yes* or has ids.

    Source: gateway docs, both sends, "Success Response" and "Error Responses".
    """
    envelope = parse_envelope(answer.body)
    if not envelope:
        raise build_unknown(answer, "is no JSON envelope")
    ids = _outbox_ids(envelope.data)
    # What else the answer holds is looked at only if something is wrong with it.
    if not ids or len(ids) != expected or envelope.ok is False or not answer.is_success:
        _raise_no_receipt(answer, envelope, ids, expected=expected, private=private)
    return Receipt(ids)


def _raise_no_receipt(
    answer: Answer, envelope: Envelope, ids: Sequence[int], *, expected: int, private: Iterable[str]
) -> NoReturn:
    found = tuple(_find_ids(envelope.data))
    if envelope.ok is False and not found and _speaks_for_gateway(answer, envelope):
        raise build_refusal(answer, envelope, private=private)
    if found and (envelope.ok is False or not answer.is_success):
        raise build_unknown(answer, "holds ids but says that it failed", outbox_ids=found, said_taken=True)
    if not answer.is_success:
        raise build_unknown(answer, "does not say for certain that nothing was taken")
    if ids:
        what = f"has {len(ids):,} ids where {expected:,} are due"
    else:
        what = "has no message_outbox_ids that are positive numbers"
    raise build_unknown(answer, what, outbox_ids=found, said_taken=bool(found) or envelope.ok is True)


def _speaks_for_gateway(answer: Answer, envelope: Envelope) -> bool:
    """
    Tell whether an envelope that says *failed* can be believed: a proxy may have passed the request on.

    A proxy times out with 408, 499 or 5xx, and redirects with 3xx, whatever the body is.
    """
    status = answer.http_status
    return answer.is_success or (400 <= status < 499 and status != 408) or _is_busy(answer, envelope)


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


def _is_busy(answer: Answer, envelope: Envelope) -> bool:
    """
    Tell whether the gateway itself says that it took nothing and when to ask again.

    A 503 may come from a proxy that has passed the request on, so it takes three words of the gateway's own
    to believe it: its envelope, which says that it failed, and a ``Retry-After`` in seconds.
    """
    return answer.http_status == 503 and envelope.ok is False and answer.retry_after_s is not None


def _outbox_ids(data: Any) -> Sequence[int]:
    ids = as_record(data).get("message_outbox_ids")
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
