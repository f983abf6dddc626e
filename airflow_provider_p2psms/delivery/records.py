"""One record of the gateway's outbox reports, typed, and without what is private in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_p2psms.gateway.statuses import State, read_state
from airflow_provider_p2psms.gateway.values import parse_amount, parse_outbox_id, parse_whole_number
from airflow_provider_p2psms.gateway.wire import quiet
from airflow_provider_p2psms.rows.sms_text import count_parts


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """
    What the gateway says of one outbox id.

    ``state`` is the text of the gateway's number where the documents do not know it. ``label`` and
    ``comment`` are the gateway's words. ``cost`` is in rial for all recipients; ``parts`` are those of one
    recipient, estimated where the record does not say. ``created_at`` and ``send_at`` are Unix seconds.
    """

    outbox_id: int
    state: State | str
    label: str
    comment: str
    recipients: int
    cost: float
    parts: int
    line: str | None
    created_at: int | None
    send_at: int | None


def parse_record(record: Mapping[str, Any]) -> OutboxRecord | None:
    """
    Read a record of ``new_list`` or ``by_bulk``; ``None`` where it names no id.

    Source: gateway docs, "report/new_list" and "report/by_bulk", the printed answers.
    """
    outbox_id = parse_outbox_id(record.get("messages_outbox_id"))
    if outbox_id is None:
        return None
    text = str(record.get("message") or "")
    return OutboxRecord(
        outbox_id=outbox_id,
        state=read_state(record.get("state_id")),
        label=_words(record.get("status"), text),
        comment=_words(record.get("reject_comment"), text),
        recipients=parse_whole_number(record.get("rcpts_count")) or 1,
        cost=parse_amount(record.get("cost")) or 0.0,
        # The list prints null for it, the single record a number.
        parts=parse_whole_number(record.get("part")) or count_parts(text),
        line=str(record["number"]) if record.get("number") else None,
        created_at=parse_whole_number(record.get("time")),
        send_at=parse_whole_number(record.get("time_send")),
    )


def _words(value: object, text: str) -> str:
    return quiet(str(value), private=[text] if text else []).strip() if value else ""
