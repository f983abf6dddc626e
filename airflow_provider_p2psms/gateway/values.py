"""
Numbers and times as the gateway's documents hold them: read here and nowhere else.

The documents print the same number as JSON number in one answer and as text in another. What cannot be read
is ``None``, never an error and never a guess: an id that is read wrong would settle another message.
"""

import math
import re
from datetime import UTC, datetime

# No database counts so far; the ledger does not, either.
_LIMIT, _MOST_DIGITS = 2**63, 19
_AMOUNT = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
# Seconds until 2001 and until 5138. What is larger counts milliseconds or less.
_CENTURY, _MOST_SECONDS = 978_307_200.0, 1e11


def parse_whole_number(value: object) -> int | None:
    """
    Read an id, a count, a page or a state: an integer, or text of ASCII digits, from 0 to 2**63 - 1.

    All else is ``None``: ``true``, ``2.0`` (a float cannot hold each id, so it may name another one), digits
    of other scripts, signs, blanks and ``"1_000"``.
    """
    if isinstance(value, str):
        if len(value) > _MOST_DIGITS or not (value.isascii() and value.isdigit()):
            return None
        value = int(value)
    elif not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < _LIMIT else None


def parse_outbox_id(value: object) -> int | None:
    """Read an outbox id: a whole number that is not 0."""
    return parse_whole_number(value) or None


def parse_amount(value: object) -> float | None:
    """
    Read an amount of money: a finite JSON number, or text of one.

    ``true`` is none, and neither is text that only Python takes for a number: ``"nan"``, ``"1_000"``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        return None
    try:
        amount = float(value)
    except OverflowError:
        return None
    return amount if math.isfinite(amount) else None


def parse_time(value: object) -> float | None:
    """
    Read a time in seconds; ``None`` if it is none of this century, such as a date of another calendar.

    A number counts seconds, or milliseconds or less where it is too large for seconds. ``2025-03-12
    21:20:02`` is taken as UTC.
    """
    seconds: float | None = parse_whole_number(value)  # nearly all are
    if seconds is None:
        seconds = parse_amount(value)
    if seconds is None:
        seconds = _parse_date(value) if isinstance(value, str) else 0.0
    while seconds > _MOST_SECONDS:
        seconds /= 1000
    return float(seconds) if seconds >= _CENTURY else None


def _parse_date(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return time.replace(tzinfo=time.tzinfo or UTC).timestamp()
