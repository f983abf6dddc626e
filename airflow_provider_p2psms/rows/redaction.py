"""Shows what stood in a row without showing it: shapes, lengths, and names of columns."""

import unicodedata
from collections.abc import Callable, Iterable

from airflow_provider_p2psms.errors import name_some
from airflow_provider_p2psms.rows.cells import CellError
from airflow_provider_p2psms.rows.values import is_missing, is_number

_LONGEST = 24
_LONGEST_NAME = 40
_MOST_NAMES = 10
# How much of two names must be the same for one to be taken for a misspelling of the other.
_ALIKE = 0.6
# With so many digits a name may be somebody's number: a file without a header has people for column names.
_DIGITS_OF_A_NUMBER = 5


def mask(value: object) -> str:
    """
    Show the shape of a value: digits as ``•`` but for the last two, letters as ``x``, the rest as it is.

    At most 24 characters long; characters that do not print become ``?``. What stands for nothing (``None``,
    NaN) gives an empty text, what is neither text nor number the name of its type.
    """
    if is_missing(value) or isinstance(value, CellError):
        return ""
    if isinstance(value, str):
        return _shape(value)
    if is_number(value):
        try:
            return _shape(str(value))
        except ValueError:  # an integer of more than 4,300 digits has no text
            pass
    return f"({type(value).__name__})"


def measure(text: str) -> str:
    """Show the length of a text: ``(1,532 characters)``."""
    return f"({len(text):,} characters)"


def describe_columns(names: Iterable[object], *, show: Callable[[str], str] = str) -> str:
    """
    Say which columns were found, ten at most, and none where they look like people's data.

    :param show: writes a name, if not as it is.
    """
    shown = [name if isinstance(name, str) else mask(name) for name in names]
    if any(sum(map(str.isdecimal, name)) >= _DIGITS_OF_A_NUMBER for name in shown):
        return "the names found hold numbers and are not shown: is the header row missing?"
    return f"found: {name_some([_short(name, show) for name in shown], most=_MOST_NAMES)}"


def escape_strangers(name: str, others: Iterable[str]) -> str:
    r"""
    Write a name that nearly is another with what tells them apart: ``recipi\u0435nt``.

    Characters that no such other has are escaped, unless they are ASCII. A name that is like none is left as
    it is; so are their own letters to names of any alphabet.
    """
    alike = [other for other in others if other != name and _are_alike(name, other)]
    if not alike:
        return name
    known = set("".join(alike))
    return "".join(char if char in known else _escape(char) for char in name)


def _are_alike(name: str, other: str) -> bool:
    if max(len(name), len(other)) > _LONGEST_NAME:
        return False
    from difflib import SequenceMatcher  # noqa: PLC0415 - not while a DAG file is parsed

    return SequenceMatcher(None, name, other).ratio() >= _ALIKE


def _escape(char: str) -> str:
    return char if " " <= char <= "~" else char.encode("unicode_escape").decode()


def _short(name: str, show: Callable[[str], str]) -> str:
    return " ".join(show(name).split()) if len(name) <= _LONGEST_NAME else measure(name)


def _shape(text: str) -> str:
    cut = len(text) > _LONGEST
    shown = text[: _LONGEST - 1] if cut else text
    digits = sum(map(str.isdecimal, shown))
    masked = []
    for char in shown:
        masked.append(_shape_of(char, is_open=not cut and digits <= 2))
        digits -= char.isdecimal()
    return "".join(masked) + ("…" if cut else "")


def _shape_of(char: str, *, is_open: bool) -> str:
    match unicodedata.category(char)[0]:
        case "N":
            return char if is_open and char.isdecimal() else "•"
        case "L" | "M":
            return "x"
        case _:
            return char if char.isprintable() else "?"
