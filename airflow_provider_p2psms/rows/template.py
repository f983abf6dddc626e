"""A text with the columns of its row in it: ``Dear {name}, order {order_id} has shipped``."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import repeat
from string import Formatter
from typing import Any, TypeAlias

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.damage import LOST_LETTERS, find_damage, has_lost_letters
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.redaction import describe_columns, mask
from airflow_provider_p2psms.rows.rendering import BRACES
from airflow_provider_p2psms.rows.sms_text import check_text
from airflow_provider_p2psms.rows.stand_ins import as_words, find_stand_in
from airflow_provider_p2psms.rows.values import as_text, is_missing

# Where a value stands: its name in a mapping, its index in a record.
Place: TypeAlias = str | int
_Piece: TypeAlias = tuple[str, Place | None, str, bool]
# What is written is certainly meant.
_MEANT = frozenset({int, float, bool, Decimal, date, datetime})


class Template:
    """
    A text, parsed once for all rows.

    ``pieces`` are literals, each with the place of the value behind it (``None`` for none), its format, and
    whether ``!s`` stands there. A row's own text is never a template: its braces are sent as they are.
    ``text_values`` are words for no value that are meant as they are.

    No dataclass: DAG files are parsed all day, and to make one takes longer than to parse a text.
    """

    __slots__ = ("pieces", "text_values")

    def __init__(self, pieces: tuple[_Piece, ...], text_values: Collection[str] = ()) -> None:
        self.pieces = pieces
        self.text_values = text_values

    def __repr__(self) -> str:
        return "Template()"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns used, each once, in order."""
        return tuple(dict.fromkeys(str(column) for _, column, _, _ in self.pieces if column is not None))

    def fill(self, row: Any) -> str:
        """
        Write the text for one row, as ``str.format`` does; a whole float without a precision as an integer.

        :param row: a mapping, or what else the names given to ``renamed`` are places of.

        :raises InvalidMessageError: a column is missing, has no value or a stand-in, or a value that its
            format does not take. (An ``InvalidValueError``, whose ``column`` is the one at fault.)
        """
        filled = []
        for literal, column, spec, by_str in self.pieces:
            filled.append(literal)
            if column is not None:
                try:
                    value = row[column]
                except KeyError:
                    reason = f"the text needs this column; {describe_columns(row)}"
                    raise InvalidValueError(reason, column=str(column)) from None
                filled.append(self._write(value, str(column), spec, by_str=by_str))
        return "".join(filled)

    def damaged_column(self, row: Any) -> str:
        """Name the column to which a filled text owes its damage; "" if none is damaged by itself."""
        for _, column, spec, by_str in self.pieces:
            if column is not None and find_damage(self._write(row[column], "", spec, by_str=by_str)):
                return str(column)
        return ""

    def fill_all(self, take: Callable[[Place], Sequence[Any]], size: int) -> list[str]:
        """
        Write the texts of ``size`` rows, as ``fill`` does for each, from their columns.

        :param take: gives the values in one place of all rows.
        :raises LookupError, InvalidMessageError: a text cannot be written.
        """
        pieces: list[Iterable[str]] = []
        for literal, column, spec, by_str in self.pieces:
            pieces.append(repeat(literal, size))
            if column is not None:
                values = take(column)
                words = None if spec else as_words(values)
                pieces.append(words or [self._write(each, "", spec, by_str=by_str) for each in values])
        return list(map("".join, zip(*pieces, strict=True)))

    def renamed(self, names: Mapping[str, Place]) -> "Template":
        """Give the same text with the names, or the places, that its columns have in a table."""
        return Template(
            tuple(
                (text, None if column is None else names[str(column)], spec, by_str)
                for text, column, spec, by_str in self.pieces
            ),
            self.text_values,
        )

    def _write(self, value: object, column: str, spec: str, *, by_str: bool) -> str:
        """Write one value, which must be there."""
        if is_missing(value):
            raise InvalidValueError("has no value, and the text needs one", column=column)
        try:
            if by_str or isinstance(value, str):
                value = as_text(value)
            text = as_text(value, spec)
            if type(value) not in _MEANT:
                _require_meaning(value if isinstance(value, str) else text, self.text_values)
        except InvalidValueError as err:
            raise InvalidValueError(str(err), column=column, shape=mask(value)) from None
        return text


def parse_template(text: str, text_values: Collection[str] = ()) -> Template:
    """
    Read a text in the syntax of ``str.format``, with plain column names in its braces.

    Format specs and ``!s`` may follow a name; ``{{`` and ``}}`` are braces (in an operator Jinja comes
    first: see ``rendering``). Nothing else of ``str.format``
    is taken: no ``{}``, ``{0}``, ``{a.b}``, ``{a[0]}``, ``!r``, ``!a``, and no braces within a spec.

    :param text_values: words for no value, such as ``NULL``, that are meant where a row holds them.
    :raises InvalidMessageError: the syntax is another, or the text is empty, damaged, too long or a stand-in
        whatever the row.
    """
    if not isinstance(text, str):
        raise InvalidMessageError(f"text is a {type(text).__name__}, not a text")
    try:
        parsed = list(Formatter().parse(text))
    except ValueError:
        raise InvalidMessageError(f"text has a brace without its partner; {BRACES}") from None
    pieces = tuple(_piece(*found) for found in parsed)
    template = Template(pieces, text_values)
    literals = "".join(piece[0] for piece in pieces)
    if not is_blank(literals) or not template.columns:
        check_text(literals)
    if not template.columns and (reason := find_stand_in(literals, text_values)):
        raise InvalidMessageError(f"text {reason}")
    return template


def _piece(literal: str, named: str | None, spec: str | None, conversion: str | None) -> _Piece:
    if named is None:
        return literal, None, "", False
    name = named.strip()
    if not name or name.isdecimal():
        raise InvalidMessageError(
            f"text has {{}} or {{0}}; put the name of a column between the braces, or {BRACES}"
        )
    if not {".", "[", "]"}.isdisjoint(name):
        raise InvalidMessageError("text reaches into a value with . or []; only plain column names are taken")
    if conversion not in (None, "s"):
        raise InvalidMessageError("text has !r or !a behind a column; only !s is taken")
    if spec and not {"{", "}"}.isdisjoint(spec):
        raise InvalidMessageError("text has braces within a format; write the format out")
    return literal, name, spec or "", conversion is not None


def _require_meaning(text: str, text_values: Collection[str]) -> None:
    # Rows in memory may say "" or " " on purpose, where a part of a text is not for everybody.
    if not text or text.isspace():
        return
    if is_blank(text):
        raise InvalidValueError("has no value that can be seen, and the text needs one")
    if reason := find_stand_in(text, text_values):
        raise InvalidValueError(reason)
    if has_lost_letters(text):
        raise InvalidValueError(LOST_LETTERS)
