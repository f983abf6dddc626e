"""
The hot path: blocks of rows that are certainly good, at a microsecond a row.

Nearly every row of a million is good, so this knows good ones only. Whatever it does not know for certain of
a whole block gives ``None``; the block is halved and tried again, and what is left goes to the general check:
reasons, masks and odd types are its affair, and what comes out here is what would come out there (a test
holds them against each other).

The shape is the profile's: in Python a call costs as much as a check, so no call is made for a row. Rows are
turned into columns, and each step takes a column whole: one search over all numbers, one look at all texts
as one text, ``map`` and ``zip`` for what is left. All that the rules decide is decided when the function is
built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from airflow_provider_p2psms.rows.headers import Columns
from airflow_provider_p2psms.rows.message import Block, encode_all
from airflow_provider_p2psms.rows.row import GROUP, Header
from airflow_provider_p2psms.rows.table import Columnar, is_blank
from airflow_provider_p2psms.rows.template import Place, Template
from airflow_provider_p2psms.rows.texts import check_texts
from airflow_provider_p2psms.rows.values import key_text

# Gives the values in one place of all rows; raises LookupError or ValueError if they are not all there.
Take: TypeAlias = Callable[[Place], Sequence[Any]]
Bulk: TypeAlias = Callable[[int, Sequence[Any]], Block | None]
# Gives the E.164 form of each number, "" where it is not certain.
Known: TypeAlias = Callable[[Sequence[Any]], list[str]]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the values of a row stand."""

    recipient: Place
    message: Place | None
    key: Place | None
    template: Template | None


def for_mappings(columns: Columns, known: Known) -> Bulk:
    """Check dicts (not what only behaves like one) that are no groups."""

    def open_rows(rows: Sequence[Any]) -> Take:
        if set(map(type, rows)) != {dict} or any(GROUP in row for row in rows):
            raise ValueError
        return lambda place: list(map(itemgetter(place), rows))

    return _build(
        _Places(columns.recipient, columns.message, columns.key, columns.template), known, open_rows
    )


def for_pairs(columns: Columns, known: Known) -> Bulk:
    """Check pairs with a text of their own."""
    if columns.key is not None:
        return _unsure

    def open_rows(rows: Sequence[Any]) -> Take:
        if set(map(type, rows)) != {tuple}:
            raise ValueError
        cells: dict[Place, Sequence[Any]] = dict(enumerate(zip(*rows, strict=True)))
        return cells.__getitem__

    return _build(_Places(0, 1, None, None), known, open_rows)


def for_records(columns: Columns, header: Header, known: Known, *, blank_is_nothing: bool) -> Bulk:
    """Check the records of a table that have as many cells as its header."""
    index = {name: place for place, name in enumerate(header.columns)}
    if GROUP in index and columns.recipient != GROUP:
        return _unsure
    template = columns.template
    places = _Places(
        recipient=index[columns.recipient],
        message=index.get(columns.message),
        key=None if columns.key is None else index[columns.key],
        template=template and template.renamed(index),
    )

    # A number or text of a row that is blank is found out as one that lacks.
    pieces = places.template.pieces if places.template else ()
    as_they_are = {places.recipient, places.message} - {places.key, *(place for _, place, _, _ in pieces)}

    def open_rows(rows: Sequence[Any]) -> Take:
        columns = rows.columns if isinstance(rows, Columnar) else zip(*rows, strict=True)
        cells: dict[Place, Sequence[Any]] = dict(enumerate(columns))
        if len(cells) != len(header.columns):
            raise ValueError
        if not blank_is_nothing:
            return cells.__getitem__
        return lambda place: cells[place] if place in as_they_are else _without_blanks(cells[place])

    return _build(places, known, open_rows)


def _build(places: _Places, known: Known, open_rows: Callable[[Sequence[Any]], Take]) -> Bulk:
    def bulk(first: int, rows: Sequence[Any]) -> Block | None:
        try:
            take = open_rows(rows)
            recipients = known(take(places.recipient))
            if "" in recipients:
                return None
            texts = _texts(places, take, len(rows))
            encoded = encode_all(texts)
            parts = check_texts(texts, encoded)
            keys = [""] * len(rows) if places.key is None else list(map(key_text, take(places.key)))
            numbers = range(first, first + len(rows))
            return Block(numbers, encode_all(recipients), encoded, parts, keys)
        except (LookupError, TypeError, ValueError):  # an `UnfitError` is one, too
            return None

    return bulk


def _texts(places: _Places, take: Take, size: int) -> Sequence[str]:
    message, template = places.message, places.template
    if template is None:
        return take(message) if message is not None else ()
    if message is None:
        return template.fill_all(take, size)
    own = take(message)
    if not set(map(type, own)) <= {str, type(None)}:
        raise TypeError
    filled = template.fill_all(take, size)
    return [mine if mine and not mine.isspace() else other for mine, other in zip(own, filled, strict=True)]


def _without_blanks(cells: Sequence[Any]) -> Sequence[Any]:
    """Put ``None`` where a cell of a file has nothing to be seen in it."""
    if set(map(type, cells)) == {str} and all(map(str.strip, cells)):
        return cells
    return [None if is_blank(cell) else cell for cell in cells]


def _unsure(first: int, rows: Sequence[Any]) -> None:  # noqa: ARG001
    return None
