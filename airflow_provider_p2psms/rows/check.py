"""Turns rows into messages, or into what is wrong with them: one result for each recipient handed in."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, pairwise
from typing import Any, TypeAlias, cast

from msgspec import structs

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.errors import RowProblem
from airflow_provider_p2psms.rows.cells import CellError
from airflow_provider_p2psms.rows.chunked import in_chunks
from airflow_provider_p2psms.rows.fast.columns import CheckColumns, build_check
from airflow_provider_p2psms.rows.headers import Columns, columns_of, find_columns
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.message import Message, messages_of, to_batch
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.recipients import Recipients
from airflow_provider_p2psms.rows.redaction import describe_columns, mask
from airflow_provider_p2psms.rows.row import GROUP, Header, NumberedRow, Row
from airflow_provider_p2psms.rows.rules import RowRules
from airflow_provider_p2psms.rows.sms_text import check_text
from airflow_provider_p2psms.rows.stand_ins import LONGEST, find_stand_in
from airflow_provider_p2psms.rows.swallowed import SwallowedRows
from airflow_provider_p2psms.rows.table import Record, Table
from airflow_provider_p2psms.rows.values import as_text, is_missing, is_number, key_text

_ABSENT = object()
_FEW = 16


class Checked(Iterator[Message | RowProblem]):
    """
    The results of a check: one by one as an iterator, or by ``batches``; both read one stream, once.

    ``reading`` says how the rows were read, and is complete after the last result.
    """

    def __init__(self, results: Iterator[Batch | Message | RowProblem], reading: Reading) -> None:
        self._results = results
        self.reading = reading
        self._singly = chain.from_iterable(
            messages_of(result) if isinstance(result, Batch) else (result,) for result in results
        )

    def __next__(self) -> Message | RowProblem:
        return next(self._singly)

    def batches(self) -> Iterator[Batch | RowProblem]:
        """Give all messages in batches, and each problem in its place between them."""
        for is_message, run in groupby(self._results, key=lambda result: isinstance(result, Message)):
            if is_message:
                yield from map(to_batch, in_chunks(cast("Iterator[Message]", run)))
            else:
                yield from cast("Iterator[Batch | RowProblem]", run)


def check_rows(rows: Iterable[Row], rules: RowRules) -> Checked:
    """
    Check rows as they stream by: exactly one result for each recipient handed in, in order.

    Rows are numbered from 1; the recipients of a group share its number, and each is checked on its own. A
    row without a readable recipient gives one problem. Nothing is kept but the thousand rows that are checked
    at a time, and integers that end in six zeros with their texts: duplicates are not looked for.

    :raises InvalidMessageError: a table lacks a column that all its rows need, or cannot be read on; or the
        recipients show together that they lost digits (``rounding``).
    """
    if isinstance(rows, Table):
        rows.region = rules.region
        return Checked(_check_table(rows, rules), rows.reading)
    reading = Reading()
    return Checked(_check_stream(rows, rules, reading), reading)


_Results: TypeAlias = Generator[Batch | Message | RowProblem, None, int]
# Given the number of a row, the row, and its index in its chunk.
_CheckOne: TypeAlias = Callable[[int, Any, int], _Results]


def _check_table(table: Table, rules: RowRules) -> Iterator[Batch | Message | RowProblem]:
    reader = Recipients(rules)
    header = table.header
    # A frame or a query without rows may lack any column: it is nobody's that one is missed.
    if header is None or not (header.is_first_row or table.has_rows()):
        return
    columns = find_columns(header, rules)
    check_columns = build_check(
        columns, reader.known, table.reading, header=header, blank_is_nothing=table.blank_is_nothing
    )
    swallowed = SwallowedRows(table, header, columns, reader.known)

    def check_one(records: Sequence[Record], number: int, record: Any, index: int) -> _Results:
        if (row := table.name(record)) is None:
            return number
        for result in _check_row(number, row, columns, reader, table.reading):
            if isinstance(result, RowProblem):
                result = result._replace(place=table.locate(records, index))  # noqa: PLW2901
            yield result
        return number + 1

    number = table.first_number
    for records in filter(len, table.chunks):
        swallowed.refuse_in(records)
        number = yield from _check_chunk(number, records, check_columns, partial(check_one, records))
        reader.losses.require_none(header.origin)


def _check_stream(
    rows: Iterable[Row], rules: RowRules, reading: Reading
) -> Iterator[Batch | Message | RowProblem]:
    reader = Recipients(rules)
    columns = columns_of(rules)
    check_columns = build_check(columns, reader.known, reading)

    def check_one(number: int, row: Row, _index: int) -> _Results:
        nonlocal columns, check_columns
        if isinstance(row, Header):
            columns = find_columns(row, rules)
            check_columns = build_check(columns, reader.known, reading)
            return number
        yield from _check_row(number, row, columns, reader, reading)
        return number + 1

    number = 1
    for chunk in in_chunks(rows):
        number = yield from _check_chunk(number, chunk, check_columns, check_one)
        reader.losses.require_none()


def _check_chunk(
    number: int, rows: Sequence[Any], check_columns: CheckColumns, check_one: _CheckOne, index: int = 0
) -> _Results:
    """Check good rows together, and others one by one; where most are others, each half by itself."""
    if (found := check_columns(number, rows)) is not None:
        good, others = found
        if not others:
            yield good
            return number + len(good)
        # How many good rows are before each of the others, and in all.
        ends = [other - place for place, other in enumerate(others)] + [len(good)]
        pieces = good.pieces(pairwise([0, *ends]))
        for piece, other in zip(pieces, [*others, None], strict=True):
            if piece:
                yield structs.replace(piece, rows=range(number, number + len(piece)))
                number += len(piece)
            if other is not None:
                number = yield from check_one(number, rows[other], index + other)
        return number
    if len(rows) <= _FEW:
        for place, row in enumerate(rows, index):
            number = yield from check_one(number, row, place)
        return number
    half = len(rows) // 2
    number = yield from _check_chunk(number, rows[:half], check_columns, check_one, index)
    return (yield from _check_chunk(number, rows[half:], check_columns, check_one, index + half))


def _check_row(
    number: int, row: NumberedRow, columns: Columns, reader: Recipients, reading: Reading
) -> Iterator[Message | RowProblem]:
    if isinstance(row, tuple):
        row = _name_pair(row, columns)
    if isinstance(row, InvalidValueError):
        yield row.as_problem(number)
        return
    key, own, text, parts, fault = "", None, "", 0, None
    try:
        key = _key_of(row, columns)
        own = _own_text(row, columns)
        text = _common_text(row, columns) if own is None else own
        parts = check_text(text)
    except InvalidValueError as err:
        filled = columns.template is not None and text and own is None
        damaged = columns.template.damaged_column(row) if columns.template and filled else ""
        fault = err.as_problem(number, key=key, column=damaged or columns.message)
    try:
        column, recipients = _recipients_of(row, columns)
    except InvalidValueError as err:
        yield err.as_problem(number, key=key)
        return
    for recipient in recipients:
        try:
            e164 = reader.read(recipient)
        except InvalidValueError as err:
            yield RowProblem(number, column, mask(recipient), str(err), key)
        else:
            if fault is None:
                reader.losses.require_one_text(number, column, recipient, e164, text)
                reading.count_texts(1, of_column=0 if own is None else 1)
            yield fault or Message(number, e164, text, parts, key)


def _name_pair(pair: tuple[Any, Any], columns: Columns) -> dict[Any, Any] | InvalidValueError:
    if columns.key is not None:
        return InvalidValueError("a pair has no key column; give mappings with one", column=columns.key)
    return {columns.recipient: pair[0], columns.message: pair[1]}


def _recipients_of(row: dict[Any, Any], columns: Columns) -> tuple[str, Sequence[object]]:
    """Find the recipients of one row, and the column that they stand in."""
    many = row.get(GROUP)
    own = row.get(columns.recipient, _ABSENT)
    if isinstance(many, list | tuple):
        if own is not _ABSENT and own is not many:
            raise InvalidValueError(f"has both {GROUP} and {columns.recipient}; leave one out", column=GROUP)
        if not many:
            raise InvalidValueError("an empty list; a group has at least one recipient", column=GROUP)
        return GROUP, many
    if own is not _ABSENT:
        return columns.recipient, (own,)
    if GROUP in row:
        reason = f"not a list; a single number belongs in {columns.recipient!r}"
        raise InvalidValueError(reason, column=GROUP, shape=mask(many))
    raise InvalidValueError(f"no such column; {describe_columns(row)}", column=columns.recipient)


def _own_text(row: dict[Any, Any], columns: Columns) -> str | None:
    """Find the text that a row has itself; ``None`` if it has none."""
    own = row.get(columns.message)
    if is_missing(own):
        return None
    if isinstance(own, str):
        text = str.__str__(own)  # a subclass (an enum, numpy's) as the plain text that it holds
        if is_blank(text):
            return None
    elif isinstance(own, CellError) or is_number(own):
        # A code alone in its column is a number to a database; nothing else was meant to be sent as a text.
        text = as_text(own)
    else:
        raise InvalidValueError(f"is a {type(own).__name__}, not a text")
    if len(text) <= LONGEST and (reason := find_stand_in(text, columns.text_values)):
        raise InvalidValueError(reason)
    return text


def _common_text(row: dict[Any, Any], columns: Columns) -> str:
    """Write the template's text for a row without one."""
    if columns.template is not None:
        return columns.template.fill(row)
    if columns.message in row:
        raise InvalidValueError("is empty, and there is no text for rows without one")
    raise InvalidValueError(f"no such column, and no text for rows without one; {describe_columns(row)}")


def _key_of(row: dict[Any, Any], columns: Columns) -> str:
    if columns.key is None:
        return ""
    if columns.key not in row:
        raise InvalidValueError(f"no such column; {describe_columns(row)}", column=columns.key)
    value = row[columns.key]
    try:
        return key_text(value, columns.text_values)
    except InvalidValueError as err:
        raise InvalidValueError(str(err), column=columns.key, shape=mask(value)) from None
