"""A text with the columns of its row in it: ``Dear {name}, order {order_id} has shipped``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from string import Formatter
from typing import Any, TypeAlias

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.masking import describe_columns, mask
from airflow_provider_p2psms.rows.texts import check_text
from airflow_provider_p2psms.rows.unfit import UnfitError
from airflow_provider_p2psms.rows.values import as_text, is_missing

# Where a value stands: its name in a mapping, its index in a record.
Place: TypeAlias = str | int
_Piece: TypeAlias = tuple[str, Place | None, str, bool]


class Template:
    """
    A text, parsed once for all rows.

    ``pieces`` are literals, each with the place of the value behind it (``None`` for none), its format, and
    whether ``!s`` stands there. A row's own text is never a template: its braces are sent as they are.

    No dataclass: DAG files are parsed all day, and to make one takes longer than to parse a text.
    """

    __slots__ = ("pieces",)

    def __init__(self, pieces: tuple[_Piece, ...]) -> None:
        self.pieces = pieces

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

        :raises InvalidMessageError: a column is missing, has no value, or a value that its format does not
            take. (An ``UnfitError``, whose ``column`` is the one at fault.)
        """
        filled = []
        for literal, column, spec, by_str in self.pieces:
            filled.append(literal)
            if column is not None:
                try:
                    value = row[column]
                except KeyError:
                    reason = f"the text needs this column; {describe_columns(row)}"
                    raise UnfitError(reason, column=str(column)) from None
                plain = type(value) is str and not spec
                filled.append(value if plain else _value_text(value, str(column), spec, by_str=by_str))
        return "".join(filled)

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
                plain = not spec and set(map(type, values)) == {str}
                texts = values if plain else [_value_text(each, "", spec, by_str=by_str) for each in values]
                pieces.append(texts)
        return list(map("".join, zip(*pieces, strict=True)))

    def renamed(self, names: Mapping[str, Place]) -> "Template":
        """Give the same text with the names, or the places, that its columns have in a table."""
        return Template(
            tuple(
                (text, None if column is None else names[str(column)], spec, by_str)
                for text, column, spec, by_str in self.pieces
            )
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
        return literal, None, "", False
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


def _value_text(value: object, column: str, spec: str, *, by_str: bool) -> str:
    if is_missing(value):
        raise UnfitError("has no value, and the text needs one", column=column)
    try:
        return as_text(as_text(value) if by_str else value, spec)
    except UnfitError as err:
        raise UnfitError(str(err), column=column, shape=mask(value)) from None
