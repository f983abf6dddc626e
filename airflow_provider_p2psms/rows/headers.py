"""The columns of a table: cleaned of what spreadsheets leave on names, told apart, and found once."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.masking import describe_columns
from airflow_provider_p2psms.rows.row import Header
from airflow_provider_p2psms.rows.rules import RowRules
from airflow_provider_p2psms.rows.template import Template, parse_template

# Arabic and Persian keyboards write the same letter as two: yeh, kaf.
_ONE_LETTER = str.maketrans("\u064a\u0643", "\u06cc\u06a9")


@dataclass(frozen=True, slots=True)
class Columns:
    """The names that the rules' columns have in the rows at hand, and the text with those names in it."""

    recipient: str
    message: str
    key: str | None
    template: Template | None


def columns_of(rules: RowRules) -> Columns:
    """Give the columns as the rules name them: rows without a header are read by these names exactly."""
    template = None if rules.text is None else parse_template(rules.text)
    return Columns(rules.recipient_column, rules.message_column, rules.key_column, template)


def build_header(origin: str, names: Iterable[object], *, coarse: Iterable[bool] = ()) -> Header:
    """
    Clean the names of a table's columns.

    :raises InvalidMessageError: two have the same name, so that one would hide the other.
    """
    columns = tuple(_clean(str(name)) for name in names)
    named = [name for name in columns if name]  # columns without a name trail behind many spreadsheets
    if twice := [name for name, count in Counter(named).items() if count > 1]:
        raise InvalidMessageError(f"{origin} has columns of the same name; {describe_columns(sorted(twice))}")
    return Header(
        origin, columns, frozenset(name for name, flag in zip(columns, coarse, strict=False) if flag)
    )


def find_columns(header: Header, rules: RowRules) -> Columns:
    """
    Find the rules' columns in a table, whatever their case.

    :raises InvalidMessageError: one that every row needs is missing, once for the whole table.
    """
    wanted = columns_of(rules)
    template = wanted.template
    if template is not None:
        template = template.renamed({name: _find(header, name, "text") for name in template.columns})
    recipient = _find(header, rules.recipient_column, "recipient_column")
    if recipient in header.coarse:
        raise InvalidMessageError(
            f"{header.origin} holds the recipients as 32-bit floats, which lose digits; read them as text"
        )
    return Columns(
        recipient=recipient,
        message=_find(header, rules.message_column, "message_column", optional=template is not None),
        key=None if rules.key_column is None else _find(header, rules.key_column, "key_column"),
        template=template,
    )


def _find(header: Header, name: str, asked_by: str, *, optional: bool = False) -> str:
    """Find one column: by its very name, else by one that differs in case or in invisible characters only."""
    if name in header.columns:
        return name
    alike = [column for column in header.columns if column and _fold(column) == _fold(name)]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise InvalidMessageError(
            f"{header.origin} has several columns {name!r} ({asked_by}) that differ in case"
        )
    if optional:
        return name
    raise InvalidMessageError(
        f"{header.origin} has no column {name!r} ({asked_by}); {describe_columns(header.columns)}"
    )


def _fold(name: str) -> str:
    return _clean(name).casefold().translate(_ONE_LETTER)


def _clean(name: str) -> str:
    """Take off what cannot be seen at either end: spaces, line ends, byte order and bidi marks."""
    start, end = 0, len(name)
    while start < end and _is_invisible(name[start]):
        start += 1
    while start < end and _is_invisible(name[end - 1]):
        end -= 1
    return name[start:end]


def _is_invisible(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) == "Cf"
