"""
What becomes of a message as time goes by, worked out from timestamps whenever somebody asks.

A message waits in the send queue (state 5) until ``queue_s`` after its moment of sending, then reaches its
final state: sent (6), or what a magic text asks for. The recipients of a sent one move from 0 over 1 to their
own.
"""

from enum import IntEnum


class State(IntEnum):
    """``state_id`` of the reports, as far as the sandbox reaches them."""

    REJECTED = 3
    INVALID = 4
    QUEUED = 5
    SENT = 6
    CANCELLED = 7
    NO_CREDIT = 8
    SYSTEM_ERROR = 9


KNOWN_STATES = frozenset(range(10))

# Recipient statuses (``message_status``).
HANDED_OVER, RECEIVED, DELIVERED, NOT_DELIVERED, BLACKLISTED = range(5)

_MAGIC_TEXTS = {
    "[[reject]]": State.REJECTED,
    "[[invalid]]": State.INVALID,
    "[[no-credit]]": State.NO_CREDIT,
    "[[system-error]]": State.SYSTEM_ERROR,
}
_MAGIC_ENDINGS = {"0003": NOT_DELIVERED, "0004": BLACKLISTED}


def final_state_of(text: str) -> State:
    """Return the state in which a message with this text ends."""
    return next((state for mark, state in _MAGIC_TEXTS.items() if mark in text), State.SENT)


def ending_of(recipient: str) -> int:
    """Return the status in which a recipient of a sent message ends."""
    return _MAGIC_ENDINGS.get(recipient[-4:], DELIVERED)


def recipient_status(ending: int, *, state: int, sent_s_ago: float, delivery_s: float) -> int:
    """Return the status of a recipient with this ending, of a message in ``state``, sent so long ago."""
    if state == State.QUEUED:
        return HANDED_OVER
    if state != State.SENT:
        return NOT_DELIVERED
    if sent_s_ago >= delivery_s:
        return ending
    return RECEIVED if sent_s_ago >= delivery_s / 2 else HANDED_OVER
