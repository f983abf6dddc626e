"""What a cell holds, whoever filled it: nothing, a whole number dressed as a float, or what has a text."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from numbers import Real

from airflow_provider_p2psms.rows.unfit import UnfitError

# Known at once to be no containers; to ask for `Iterable` costs more than all the rest.
_SINGLES = frozenset({str, int, float, bool, Decimal, date, datetime})
# Spreadsheets keep 15 digits of a number and put zeros behind them.
_FLOAT_LIMIT = 10**15


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

    :raises UnfitError: a float too large to hold all digits of the integer that it may have been.
    """
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _FLOAT_LIMIT:
            raise UnfitError("a float of this size may have lost digits; hand it in as an integer or a text")
        return int(value)
    return value


def key_text(value: object) -> str:
    """
    Write the value of a key column as text, "" where it has none.

    :raises UnfitError: it holds several values or bytes.
    """
    if type(value) is str:
        return value
    return "" if is_missing(value) else as_text(value)


def as_text(value: object, spec: str = "") -> str:
    """
    Write one value as ``str.format`` does, whole floats as integers.

    :raises UnfitError: it holds several values or bytes, or the format does not fit it.
    """
    if type(value) is str and not spec:
        return value
    if type(value) not in _SINGLES and isinstance(value, Iterable) and not isinstance(value, str):
        raise UnfitError(f"holds a {type(value).__name__}, not a single value")
    if "." not in spec:  # a format with a precision is meant for a float
        value = whole(value)
    try:
        return format(value, spec)
    except Exception:  # noqa: BLE001 - a value's own code may raise anything, and quote itself
        raise UnfitError(f"a {type(value).__name__} does not take the format of the template") from None
