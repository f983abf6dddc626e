"""
Opens what is handed in as ``messages``: rows in memory, data frames, generators, JSON.

Data frames and rows of databases are known by what they can do; no library of theirs is imported.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.frames import is_frame, read_frame
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.row import Row

_ACCEPTED = (
    "messages takes rows: a list or any iterable of {'recipient': …, 'message': …} mappings, "
    "(recipient, message) pairs or {'recipients': […], 'message': …} groups, a pandas or polars DataFrame, "
    "or a JSON text of rows"
)
_NO_ROW = "is no row: a row is a mapping, a (recipient, message) pair or a group"

# What str() of a Python list, dict, tuple, None or object looks like, where JSON would have double quotes.
_looks_like_python = re.compile(r"\(|None$|<|\[\s*\(|\[?\s*[\[{]\s*'").match


def read_rows(messages: object) -> Iterator[Row]:
    """
    Open anything handed in as ``messages``, and stream its rows; nothing is checked but their form.

    A row that is none stays in the stream as what is wrong with it. Errors of the caller's own iterator
    pass through.

    :raises InvalidMessageError: at once, where ``messages`` as a whole is nothing that holds rows.
    """
    if messages is None:
        raise InvalidMessageError(
            f"messages is None: the task before it may have returned nothing. {_ACCEPTED}"
        )
    if isinstance(messages, str | bytes | bytearray):
        messages = _decode_json(messages)
    if is_frame(messages):
        return read_frame(messages)
    if isinstance(messages, Mapping):
        return iter((_read_row(messages),))
    if hasattr(messages, "collect_schema"):
        raise InvalidMessageError("messages is a LazyFrame; call .collect() on it")
    if not isinstance(messages, Iterable):
        raise InvalidMessageError(f"messages is a {type(messages).__name__}; {_ACCEPTED}")
    return _read_items(messages)


def _read_items(items: Iterable[object]) -> Iterator[Row]:
    for item in items:
        # The two most frequent first: a row costs as little as it can.
        if type(item) is dict:
            yield item
        elif type(item) is not tuple and is_frame(item):  # a query read in chunks
            yield from read_frame(item)
        else:
            yield _read_row(item)


def _read_row(item: Any) -> Row:
    if isinstance(item, dict):
        return item
    if hasattr(item, "_mapping"):  # SQLAlchemy's rows are tuples and mappings at once; their names are safer
        item = item._mapping  # noqa: SLF001 - a public attribute in spite of its name
    if isinstance(item, tuple) and (names := getattr(item, "_fields", None)):
        return dict(zip(names, item, strict=True))
    if isinstance(item, tuple | list):
        return _read_pair(item)
    if hasattr(item, "keys") and hasattr(item, "__getitem__"):
        return _read_mapping(item)
    return InvalidValueError(f"a {type(item).__name__} {_NO_ROW}")


def _read_pair(item: tuple[object, ...] | list[object]) -> Row:
    if len(item) != 2:
        return InvalidValueError(
            f"a {type(item).__name__} of length {len(item)}; a pair is (recipient, message)"
        )
    return item[0], item[1]


def _read_mapping(item: Any) -> Row:
    try:
        return {name: item[name] for name in item.keys()}  # noqa: SIM118 - iterating sqlite3.Row gives its values
    except Exception:  # noqa: BLE001 - a foreign class may raise anything, and quote its values
        return InvalidValueError(f"a {type(item).__name__} that cannot be read by its keys {_NO_ROW}")


def _decode_json(text: str | bytes | bytearray) -> object:
    try:
        decoded = json.loads(text.removeprefix("\ufeff") if isinstance(text, str) else text)
    except (ValueError, RecursionError) as err:
        # Not chained: a decoder's error holds the whole document.
        where = f" (line {err.lineno}, column {err.colno})" if isinstance(err, json.JSONDecodeError) else ""
        reason = f"messages is a text that is not JSON{where}; {_hint(text)}"
        raise InvalidMessageError(reason) from None
    if not isinstance(decoded, list | dict):
        raise InvalidMessageError(f"messages is JSON, but neither a list of rows nor one row; {_hint(text)}")
    return decoded


def _hint(text: str | bytes | bytearray) -> str:
    if isinstance(text, str) and _looks_like_python(text.strip()):
        return (
            "it looks like the text of a Python value: pass `task.output` in place of a Jinja template, "
            "or set render_template_as_native_obj=True on the DAG"
        )
    return f"{_ACCEPTED}. A file's path belongs in `file`"
