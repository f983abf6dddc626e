"""A text with the columns of its row in it: ``Dear {name}, order {order_id} has shipped``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, TypeAlias

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.masking import describe_columns, mask
from airflow_provider_p2psms.rows.row import UnfitError
from airflow_provider_p2psms.rows.texts import check_text
from airflow_provider_p2psms.rows.values import as_text, is_missing

_Piece: TypeAlias = tuple[str, str, str, bool]


@dataclass(frozen=True, slots=True)
class Template:
    """
    A text, parsed once for all rows.

    ``pieces`` are literals, each with the column behind it ("" for none), its format, and whether ``!s``
    stands there. A row's own text is never a template: its braces are sent as they are.
    """

    pieces: tuple[_Piece, ...] = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns used, each once, in order."""
        return tuple(dict.fromkeys(column for _, column, _, _ in self.pieces if column))

    def fill(self, row: Mapping[Any, Any]) -> str:
        """
        Write the text for one row, as ``str.format`` does; a whole float without a precision as an integer.

        :raises InvalidMessageError: a column is missing, has no value, or a value that its format does not
            take. (An ``UnfitError``, whose ``column`` is the one at fault.)
        """
        filled = []
        for literal, column, spec, by_str in self.pieces:
            filled.append(literal)
            if column:
                filled.append(_value_text(row, column, spec, by_str=by_str))
        return "".join(filled)

    def renamed(self, names: Mapping[str, str]) -> "Template":
        """Give the same text with the names that its columns have in a table."""
        return Template(
            tuple((text, names.get(name, name), spec, by_str) for text, name, spec, by_str in self.pieces)
        )


def parse_template(text: str) -> Template:
    """
    Read a text in the syntax of ``str.format``, with plain column names in its braces.

    Format specs and ``!s`` may follow a name; ``{{`` and ``}}`` are braces. Nothing else of ``str.format``
    is taken: no ``{}``, ``{0}``, ``{a.b}``, ``{a[0]}``, ``!r``, ``!a``, and no braces within a spec.

    :raises InvalidMessageError: the syntax is another, or the text is empty or too long whatever the row.
    """
    if not isinstance(text, str):
        raise InvalidMessageError(f"text is a {type(text).__name__}, not a text")
    try:
        parsed = list(Formatter().parse(text))
    except ValueError:
        raise InvalidMessageError(
            "text has a brace without its partner; write {{ and }} for braces that are no column"
        ) from None
    pieces = tuple(_piece(*found) for found in parsed)
    template = Template(pieces)
    literals = "".join(piece[0] for piece in pieces)
    if literals.strip() or not template.columns:
        check_text(literals)
    return template


def _piece(literal: str, named: str | None, spec: str | None, conversion: str | None) -> _Piece:
    if named is None:
        return literal, "", "", False
    name = named.strip()
    if not name or name.isdecimal():
        raise InvalidMessageError("text has {} or {0}; put the name of a column between the braces")
    if not {".", "[", "]"}.isdisjoint(name):
        raise InvalidMessageError("text reaches into a value with . or []; only plain column names are taken")
    if conversion not in (None, "s"):
        raise InvalidMessageError("text has !r or !a behind a column; only !s is taken")
    if spec and not {"{", "}"}.isdisjoint(spec):
        raise InvalidMessageError("text has braces within a format; write the format out")
    return literal, name, spec or "", conversion is not None


def _value_text(row: Mapping[Any, Any], column: str, spec: str, *, by_str: bool) -> str:
    try:
        value = row[column]
    except KeyError:
        raise UnfitError(f"the text needs this column; {describe_columns(row)}", column=column) from None
    if is_missing(value):
        raise UnfitError("has no value, and the text needs one", column=column)
    try:
        return as_text(as_text(value) if by_str else value, spec)
    except UnfitError as err:
        raise UnfitError(str(err), column=column, shape=mask(value)) from None
