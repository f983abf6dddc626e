"""
What a message can come to at the gateway: its states, and which of them are for good.

A state that the documents do not have is kept as it came, shown, and taken for one that may still change.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple, Self

from airflow_provider_p2psms.gateway.values import parse_whole_number


class State(IntEnum):
    """
    ``state_id`` of an outbox record, with its meaning in English and Persian.

    Source: gateway docs, "report/new_list", the table of ``state_id``.
    """

    meaning: str
    persian: str

    def __new__(cls, value: int, meaning: str, persian: str) -> Self:
        """Make a number that knows its meaning."""
        state = int.__new__(cls, value)
        state._value_, state.meaning, state.persian = value, meaning, persian
        return state

    CREATING = 0, "being created", "در حال ایجاد"
    MONITORING = 1, "in the monitoring queue", "در صف مانیتورینگ"
    SENDING = 2, "being sent", "در حال ارسال"
    REJECTED = 3, "rejected by the gateway's monitoring", "رد شده توسط مانیتورینگ"
    INVALID = 4, "recipients wrong or invalid", "گیرندگان نامعتبر"
    QUEUED = 5, "in the send queue", "در صف ارسال"
    SENT = 6, "sent", "ارسال شده"
    CANCELLED = 7, "cancelled", "لغو شده"
    NO_CREDIT = 8, "not enough credit", "عدم اعتبار کافی"
    SYSTEM_ERROR = 9, "system error at the gateway, not sent", "خطای سیستم"


FAILED = frozenset({State.REJECTED, State.INVALID, State.CANCELLED, State.NO_CREDIT, State.SYSTEM_ERROR})
TERMINAL = FAILED | {State.SENT}
_STATES: dict[int | None, State] = {int(state): state for state in State}


class Deliveries(NamedTuple):
    """What became of the recipients of one sent message, as far as it is final; the others still wait."""

    delivered: int = 0
    undelivered: int = 0
    blacklisted: int = 0


def read_state(value: object) -> State | str:
    """Return the state that a ``state_id`` names (a number or its text), or the text of an unknown one."""
    state = _STATES.get(parse_whole_number(value))
    return str(value) if state is None else state


def read_deliveries(stats: Mapping[str, Any]) -> Deliveries:
    """
    Add up the final outcomes of a ``bulk_stats`` answer over operators and languages.

    Source: gateway docs, "report/bulk_stats": zeros are printed as integers, other counts as texts.
    """
    return Deliveries(
        delivered=_sum(stats.get("operators_delivered")),
        undelivered=_sum(stats.get("operators_failed")),
        blacklisted=_sum(stats.get("operators_blacklist")),
    )


def _sum(counts: object) -> int:
    if isinstance(counts, Mapping):
        return sum(map(_sum, counts.values()))
    return parse_whole_number(counts) or 0
