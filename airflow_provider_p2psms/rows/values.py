"""What a cell holds, whoever filled it: nothing, a whole number dressed as a float, or what has a text."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from numbers import Real

from airflow_provider_p2psms.rows.cells import CellError
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.stand_ins import find_stand_in

# Known at once to be no containers; to ask for `Iterable` costs more than all the rest.
_SINGLES = frozenset({str, int, float, bool, Decimal, date, datetime})
# Spreadsheets keep 15 digits of a number and put zeros behind them.
_FLOAT_LIMIT = 10**15
_INFINITIES = (float("inf"), float("-inf"))


def is_missing(value: object) -> bool:
    """Tell whether a value stands for nothing: ``None``, any NaN, ``NaT``, ``pandas.NA``."""
    if value is None:
        return True
    if isinstance(value, str | int):
        return False
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - only NaN and NaT are unlike themselves
    if isinstance(value, Decimal):  # comparing a signalling NaN raises
        return value.is_nan()
    kind = type(value).__name__  # numpy and pandas are known by name only: they are not imported here
    if isinstance(value, Real | date) or kind in {"datetime64", "timedelta64"}:
        return bool(value != value)  # noqa: PLR0124
    return kind == "NAType"


def is_number(value: object) -> bool:
    """Tell whether a value is a real number of any library; truth values are none."""
    return not isinstance(value, bool) and isinstance(value, Real | Decimal)


def whole(value: object) -> object:
    """
    Give a whole float back as the integer that it was, everything else as it is.

    Spreadsheets keep every number as a float, and pandas turns a column of integers into floats as soon as
    one is missing: the order 1234 arrives as ``1234.0``, and would be printed so.

    :raises InvalidValueError: a float too large to hold all digits of the integer that it may have been.
    """
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _FLOAT_LIMIT:
            raise InvalidValueError(
                "a float of this size may have lost digits; hand it in as an integer or a text"
            )
        return int(value)
    return value


def key_text(value: object, text_values: Collection[str] = ()) -> str:
    """
    Write the value of a key column as text, "" where it has none or nothing to be seen.

    :raises InvalidValueError: it is a stand-in, or holds several values, bytes or an object without a text.
    """
    if is_missing(value):
        return ""
    text = as_text(value)
    if is_blank(text):
        return ""
    if reason := find_stand_in(text, text_values):
        raise InvalidValueError(reason)
    return text


def as_text(value: object, spec: str = "") -> str:
    """
    Write one value as ``str.format`` does, whole floats as integers, a subclass of ``str`` as its own text.

    :raises InvalidValueError: it holds several values or bytes, is infinite, has no text of its own, or the
        format does not fit it.
    """
    if isinstance(value, str):
        value = str.__str__(value)
        if not spec:
            return value
    elif isinstance(value, CellError):
        raise InvalidValueError(value.reason)
    elif type(value) not in _SINGLES:
        _require_text_of_its_own(value)
    if isinstance(value, float | Decimal) and value in _INFINITIES:
        raise InvalidValueError("is infinite, not a number to be sent")
    if "." not in spec:  # a format with a precision is meant for a float
        value = whole(value)
    try:
        return format(value, spec)
    except Exception:  # noqa: BLE001 - a value's own code may raise anything, and quote itself
        raise InvalidValueError(
            f"a {type(value).__name__} does not take the format of the template"
        ) from None


def _require_text_of_its_own(value: object) -> None:
    """Refuse containers, and objects of which Python only knows what they are made of, or where they are."""
    kind = type(value)
    if isinstance(value, Iterable):
        raise InvalidValueError(f"holds a {kind.__name__}, not a single value")
    if isinstance(value, Enum) and kind.__str__ is Enum.__str__:
        raise InvalidValueError(f"holds a member of the enumeration {kind.__name__}; hand in its value")
    if kind.__str__ is object.__str__ and kind.__format__ is object.__format__:
        raise InvalidValueError(
            f"holds a value of type {kind.__name__}, which has no text of its own; "
            "hand in the value that was meant"
        )
