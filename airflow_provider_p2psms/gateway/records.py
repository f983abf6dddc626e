"""
Records of the gateway's outbox and their recipients: one reading for reconciliation, sensor and cancelling.

What a record says about a message is decided by those who read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from airflow_provider_p2psms.gateway.redaction import Redactor
from airflow_provider_p2psms.gateway.statuses import FAILED, State, read_state
from airflow_provider_p2psms.gateway.values import (
    parse_amount,
    parse_outbox_id,
    parse_time,
    parse_whole_number,
)


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """
    One record of ``report/new_list`` or ``report/by_bulk``, as far as it can be read.

    ``line`` and ``text`` are as shown, ``None`` where the record has none. ``at`` (``time``) and ``send_at``
    (``time_send``) are seconds as the report counts them. ``count`` is ``rcpts_count``. ``state`` is the text
    of the gateway's number where the documents do not know it. ``label`` (``status``) and ``comment``
    (``reject_comment``) are the gateway's words, without numbers and the text. ``cost`` is in rial for all
    recipients, ``parts`` are those of one recipient.
    """

    outbox_id: int
    line: str | None = field(repr=False)
    text: str | None = field(repr=False)
    at: float | None
    send_at: float | None
    count: int | None
    state: State | str
    label: str = ""
    comment: str = ""
    cost: float | None = None
    parts: int | None = None

    @property
    def is_failed(self) -> bool:
        """Whether it is in state 3, 4, 7, 8 or 9, in which nothing is sent."""
        return self.state in FAILED

    @property
    def recipients(self) -> int:
        """How many recipients it counts; one where it does not say."""
        return self.count or 1


class Recipient(NamedTuple):
    """A recipient of a record as shown, and the text that the report shows for this recipient alone."""

    number: str
    text: str | None

    def __repr__(self) -> str:
        return "<Recipient>"


def parse_record(record: Mapping[str, Any]) -> OutboxRecord | None:
    """
    Read a record of ``new_list`` or ``by_bulk``; ``None`` if its id cannot be read.

    Source: gateway docs, "report/new_list" and "report/by_bulk". Ids, times and counts are texts there, and
    the list prints null for ``part`` where the single record has a number.
    """
    outbox_id = parse_outbox_id(record.get("messages_outbox_id"))
    if outbox_id is None:
        return None
    line, text = (str(value) if value else None for value in (record.get("number"), record.get("message")))
    redact = Redactor([text] if text else [])
    return OutboxRecord(
        outbox_id=outbox_id,
        line=line,
        text=text,
        at=parse_time(record.get("time")),
        send_at=parse_time(record.get("time_send")),
        count=parse_whole_number(record.get("rcpts_count")),
        state=read_state(record.get("state_id")),
        label=_words(record.get("status"), redact),
        comment=_words(record.get("reject_comment"), redact),
        cost=parse_amount(record.get("cost")),
        parts=parse_whole_number(record.get("part")),
    )


def parse_recipient(entry: Mapping[str, Any]) -> Recipient:
    """
    Read an entry of ``report/recipients``.

    Source: gateway docs, "report/recipients".
    """
    number, text = entry.get("recipient"), entry.get("message")
    return Recipient("" if number is None else str(number), str(text) if text else None)


def _words(value: object, redact: Redactor) -> str:
    return redact(str(value)).strip() if value else ""
