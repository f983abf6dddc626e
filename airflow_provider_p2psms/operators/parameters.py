"""
What each kind of parameter may be: a value of a DAG file, a template or another task becomes a typed one.

Knows no operator. Templates and XCom carry many values as text, so a text is read as the number, the boolean
or the list that it stands for, in the DAG file, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar, get_args

from airflow_provider_p2psms.errors import InvalidMessageError

T = TypeVar("T")

_TEXT = "a text: a number has lost its plus and its leading zeros"

# What Jinja and JSON write for None, beside an empty text.
_NOTHING = frozenset({"", "None", "null"})
_BOOLEANS = {"true": True, "false": False}
# Larger numbers may be phone numbers and are not shown.
_SHOWN_UP_TO = 10**6
# What conversions raise on values that are of another type, malformed, too large or nested too deeply.
_REFUSED = (TypeError, ValueError, ArithmeticError, SyntaxError, RecursionError, MemoryError)


class Parameter:
    """
    One parameter of a task: what it may be.

    :param wanted: what it is, in words that follow "is".
    :param read: returns the typed value of a value; raises an exception of ``_REFUSED`` for any other. The
        text of an ``InvalidMessageError`` is shown as it is.
    :param is_optional: whether None, an empty text and "None" mean that it is not set.
    :param unset: its value where it is not set.
    :param is_guard: whether a limit that another task should have given must not be missing.
    """

    __slots__ = ("_read", "_unset", "_wanted", "is_guard", "is_optional")

    def __init__(
        self,
        wanted: str,
        read: Callable[[Any], Any],
        *,
        is_optional: bool = False,
        unset: object = None,
        is_guard: bool = False,
    ) -> None:
        self._wanted = wanted
        self._read = read
        self._unset = unset
        self.is_optional = is_optional
        self.is_guard = is_guard

    def parse(self, name: str, value: object) -> Any:
        """
        Return the typed value; a typed value is returned as it is.

        :raises InvalidMessageError: it is none; names the parameter, what is wanted and the type that came.
        """
        if self.is_optional and (value is None or (isinstance(value, str) and value.strip() in _NOTHING)):
            return self._unset
        try:
            return self._read(value)
        except InvalidMessageError:
            raise
        except _REFUSED:
            pass  # not chained: such an error may quote the value
        raise InvalidMessageError(f"{name} must be {self._wanted}. It is {_describe(value)}.")


def choice(allowed: object) -> Parameter:
    """Return a parameter that is one of the texts of a ``Literal``."""
    choices: tuple[str, ...] = get_args(allowed)

    def read(value: object) -> str:
        return choices[choices.index(_require(value, str).strip())]

    return Parameter(f"one of {', '.join(choices)}", read)


def boolean() -> Parameter:
    """Return a parameter that is True or False, or a text of one of them."""

    def read(value: object) -> bool:
        if isinstance(value, bool):
            return value
        found = _BOOLEANS.get(_require(value, str).strip().casefold())
        if found is None:
            raise ValueError
        return found

    return Parameter("True or False", read)


def number(
    wanted: str,
    fits: Callable[[float], bool],
    *,
    is_whole: bool = False,
    is_optional: bool = True,
    is_guard: bool = False,
) -> Parameter:
    """
    Return a parameter that is a finite number, or a text of one.

    :param fits: whether a number is in range.
    :param is_whole: whether it has no fraction; then it is an ``int``.
    """

    def read(value: object) -> float | None:
        if value is None and is_guard:  # as the DAG's author wrote it: no limit
            return None
        found = _to_number(value)
        if not fits(found) or (is_whole and found != int(found)):
            raise ValueError
        return int(found) if is_whole else found

    return Parameter(wanted, read, is_optional=is_optional, is_guard=is_guard)


def count(*, is_optional: bool = True) -> Parameter:
    """Return a parameter that is a whole number of at least 1."""
    return number("a whole number of at least 1", _is_at_least_1, is_whole=True, is_optional=is_optional)


def guard(*, is_whole: bool) -> Parameter:
    """Return a limit of at least 1, or None for no limit, which only the DAG's author can set."""
    wanted = "a whole number of at least 1" if is_whole else "a number of at least 1"
    return number(wanted, _is_at_least_1, is_whole=is_whole, is_optional=False, is_guard=True)


def duration() -> Parameter:
    """Return a parameter that is a positive timedelta, or its seconds as a number or a text of one."""

    def read(value: object) -> timedelta:
        found = value if isinstance(value, timedelta) else timedelta(seconds=_to_number(value))
        if found <= timedelta(0):
            raise ValueError
        return found

    return Parameter("a timedelta above 0, such as timedelta(hours=6), or seconds", read, is_optional=True)


def text(
    wanted: str = _TEXT,
    *,
    is_optional: bool = False,
    may_be_none: bool = False,
    may_be_empty: bool = False,
    is_path: bool = False,
) -> Parameter:
    """
    Return a parameter that is a text.

    :param is_optional: whether None, an empty text and "None" mean that it is not set.
    :param may_be_none: whether None is a value, but "None" is a text like any other.
    :param may_be_empty: whether an empty text is a value.
    :param is_path: whether a path object is taken, too.
    """

    def read(value: object) -> object:
        if (value is None and may_be_none) or (is_path and hasattr(value, "joinpath")):
            return value
        return _require(value, str) if may_be_empty else _require_text(value)

    return Parameter(wanted, read, is_optional=is_optional)


def rows_file() -> Parameter:
    """Return a parameter that is a path or a slice made by ``shards``, or a JSON or Python text of one."""

    def read(value: object) -> object:
        if value is None or hasattr(value, "joinpath"):
            return value
        found = value
        if isinstance(value, str) and value.lstrip().startswith("{"):
            with suppress(*_REFUSED):
                found = _from_text(value)
        if not isinstance(found, Mapping):
            return _require_text(value)
        from airflow_provider_p2psms.rows.slices import parse_slice

        parse_slice(found)
        return found

    return Parameter(_TEXT, read)


def sheet() -> Parameter:
    """Return a parameter that is the name of a worksheet or its number from 1."""

    def read(value: object) -> str | int:
        # A text of digits stays a text: a sheet may be called "2026".
        if isinstance(value, str):
            return value
        found = _to_number(value)
        if found < 1 or found != int(found):
            raise ValueError
        return int(found)

    return Parameter("the name of a worksheet or its number from 1", read, is_optional=True)


def words() -> Parameter:
    """Return a parameter that is a list of texts, or a JSON or Python text of one; empty by default."""

    def read(value: object) -> tuple[str, ...]:
        found = _require(_from_text(value), Collection)
        if isinstance(found, str | Mapping):
            raise TypeError
        return _require_all(found, str)

    return Parameter('a list of words, such as ["NULL"]', read, is_optional=True, unset=())


def mapping_or_list(*, is_mapping: bool = False) -> Parameter:
    """
    Return an optional parameter that is a mapping or a list, or a JSON or Python text of one.

    :param is_mapping: whether only a mapping is taken, and its keys are texts.
    """

    def read(value: object) -> object:
        found = _require(_from_text(value), Mapping if is_mapping else Mapping | Sequence)
        if isinstance(found, str | bytes):
            raise TypeError
        if is_mapping:
            _require_all(found, str)
        return found

    return Parameter("a mapping" if is_mapping else "a mapping or a list", read, is_optional=True)


def send_time() -> Parameter:
    """Return a parameter that is a time with a time zone; None and an empty text mean at once."""

    def read(value: object) -> object:
        if value is not None and value != "":
            from airflow_provider_p2psms.sending.timing import parse_send_time

            parse_send_time(value)
        return value

    return Parameter("a time that has a time zone", read)


def send_window() -> Parameter:
    """Return a parameter such as ``("08:00", "21:00", "Asia/Tehran")``, or a JSON or Python text of one."""

    def read(value: object) -> tuple[str, ...]:
        from airflow_provider_p2psms.sending.timing import SendWindow

        found = _require_all(_require(_from_text(value), list | tuple), str)
        SendWindow.parse(found)
        return found

    return Parameter('of the form ("08:00", "21:00", "Asia/Tehran")', read, is_optional=True)


def has_iterator(values: object) -> bool:
    """Whether values are an iterator, such as a generator, or hold one: it is empty once it was read."""
    items: Iterable[object] = values if isinstance(values, list | tuple) else ()
    items = values.values() if isinstance(values, Mapping) else items
    return any(isinstance(each, Iterator) for each in (values, *items))


def _require_text(value: object) -> str:
    found: str = _require(value, str)
    if not found:
        raise ValueError
    return found


def _require(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _require_all(values: Iterable[object], kind: type[T]) -> tuple[T, ...]:
    return tuple(_require(each, kind) for each in values)


def _is_at_least_1(value: float) -> bool:
    return value >= 1


def _to_number(value: object) -> float:
    from decimal import Decimal
    from numbers import Real

    if isinstance(value, str):
        if "_" in value:  # Python's own notation
            raise ValueError
        found: float = _parse_number(value)
    elif isinstance(value, bool):
        raise TypeError
    else:
        given = _require(value, Real | Decimal)
        whole = int(given)
        found = whole if given == whole else float(given)
    if not math.isfinite(found):
        raise ValueError
    return found


def _parse_number(written: str) -> float:
    try:
        return int(written)
    except ValueError:
        return float(written)


def _from_text(value: object) -> object:
    """Return what a JSON text, or one of a Python literal, says; any other value as it is."""
    if not isinstance(value, str):
        return value
    import ast
    import json

    try:
        return json.loads(value)
    except ValueError:
        return ast.literal_eval(value.strip())


def _describe(value: object) -> str:
    """Name the type of a value; of values only small numbers are shown."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool):
        return f"{value}"
    if isinstance(value, str) and not value.strip():
        return "an empty text"
    is_shown = isinstance(value, int | float) and -_SHOWN_UP_TO < value < _SHOWN_UP_TO
    return f"{value} ({kind})" if is_shown else f"of the type {kind}"
