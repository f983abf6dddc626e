"""The columns of a table: cleaned of what spreadsheets leave on names, told apart, and found once."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.redaction import describe_columns, escape_strangers
from airflow_provider_p2psms.rows.row import GROUP, Header
from airflow_provider_p2psms.rows.rules import RowRules
from airflow_provider_p2psms.rows.template import Template, parse_template

# Arabic and Persian keyboards write the same letter in two ways (yeh, kaf), and digits in three; a tatweel
# only stretches a word.
_ONE_LETTER = str.maketrans(
    "\u064a\u0649\u0643" + "".join(map(chr, [*range(0x660, 0x66A), *range(0x6F0, 0x6FA)])),
    "\u06cc\u06cc\u06a9" + "0123456789" * 2,
    "\u0640",
)

# To compare two names takes a while, and a file that is none may have a million.
_MOST_COMPARED = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """The names that the rules' columns have in the rows at hand, and the text with those names in it."""

    recipient: str
    message: str
    key: str | None
    template: Template | None
    text_values: Collection[str] = ()


def columns_of(rules: RowRules) -> Columns:
    """Give the columns as the rules name them: rows without a header are read by these names exactly."""
    words = frozenset(rules.text_values)
    template = None if rules.text is None else parse_template(rules.text, words)
    return Columns(rules.recipient_column, rules.message_column, rules.key_column, template, words)


def build_header(
    origin: str, names: Iterable[object], *, coarse: Iterable[bool] = (), is_first_row: bool = False
) -> Header:
    """Clean the names of a table's columns; ``is_first_row`` says that they are the first row of a file."""
    columns = tuple(_clean(str(name)) for name in names)
    flagged = frozenset(name for name, flag in zip(columns, coarse, strict=False) if flag)
    return Header(origin, columns, flagged, is_first_row)


def find_columns(header: Header, rules: RowRules) -> Columns:
    """
    Find the rules' columns in a table, by their very names, else by names that look the same.

    :raises InvalidMessageError: one that every row needs is missing, or two have the name of one that is
        used: once for the whole table.
    """
    wanted = columns_of(rules)
    template = wanted.template
    if template is not None:
        template = template.renamed({name: _find(header, name, "text") for name in template.columns})
    recipient = _find(header, rules.recipient_column, "recipient_column")
    if recipient in header.coarse:
        raise InvalidMessageError(
            f"{header.origin} holds the recipients as floats of 32 bits or fewer, which lose digits; "
            "read them as text"
        )
    message = _find(header, rules.message_column, "message_column", optional=template is not None)
    key = None if rules.key_column is None else _find(header, rules.key_column, "key_column")
    _require_single(header, {recipient, message, key, GROUP, *(template.columns if template else ())})
    return Columns(recipient, message, key, template, wanted.text_values)


def _require_single(header: Header, used: Collection[str | None]) -> None:
    """Refuse two columns of the same name, so that one would hide the other; others may be there twice."""
    counts = Counter(header.columns)
    if twice := sorted(name for name, count in counts.items() if count > 1 and name in used):
        raise InvalidMessageError(
            f"{header.origin} has columns of the same name; {describe_columns(twice)}; rename or remove one"
        )


def _find(header: Header, name: str, asked_by: str, *, optional: bool = False) -> str:
    """Find one column: by its very name, else by one that differs in nothing that a person sees."""
    if name in header.columns:
        return name
    names, folded = set(header.columns) - {""}, _fold(name)
    alike = sorted(column for column in names if _fold(column) == folded)
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise InvalidMessageError(
            f"{header.origin} has several columns that look like {name!r} ({asked_by}); "
            f"{_found(alike, name)}; rename or remove all but one, or give its exact name"
        )
    if optional and not any(_looks_like(column, name) for column in names):
        return name
    perhaps = ", or the header is not the first row" if header.is_first_row else ""
    escaped = escape_strangers(name, header.columns[:_MOST_COMPARED])
    shown = repr(name) if escaped == name else f"'{escaped}'"
    raise InvalidMessageError(
        f"{header.origin} has no column {shown} ({asked_by}){perhaps}; {_found(header.columns, name)}"
    )


def _found(columns: Iterable[str], name: str) -> str:
    return describe_columns(columns, show=lambda column: escape_strangers(column, [name]))


def _looks_like(column: str, name: str) -> bool:
    """Tell whether a column has an English name but for a few letters of another alphabet."""
    found, wanted = _fold(column), _fold(name)
    others = [mine for mine, letter in zip(found, wanted, strict=False) if mine != letter]
    return (
        len(found) == len(wanted)
        and wanted.isascii()
        and len(others) * 2 <= len(wanted)
        and not any(map(str.isascii, others))
    )


def _fold(name: str) -> str:
    """Write a name as all that look like it are written: case, keyboards, white space and marks left out."""
    seen = "".join(char for char in unicodedata.normalize("NFC", name) if not _is_format(char))
    return unicodedata.normalize("NFC", " ".join(seen.split()).casefold().translate(_ONE_LETTER))


def _clean(name: str) -> str:
    """Take off what cannot be seen at either end: spaces, line ends, byte order and bidi marks."""
    start, end = 0, len(name)
    while start < end and is_blank(name[start]):
        start += 1
    while start < end and is_blank(name[end - 1]):
        end -= 1
    return name[start:end]


def _is_format(char: str) -> bool:
    return is_blank(char) and not char.isspace()
