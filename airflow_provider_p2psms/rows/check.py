"""Turns rows into messages, or into what is wrong with them: one result for each recipient handed in."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Any, TypeAlias, cast

from airflow_provider_p2psms.errors import RowProblem
from airflow_provider_p2psms.rows.bulk import Bulk, Known, for_mappings, for_pairs, for_records
from airflow_provider_p2psms.rows.chunks import in_chunks
from airflow_provider_p2psms.rows.headers import Columns, columns_of, find_columns
from airflow_provider_p2psms.rows.masking import describe_columns, mask
from airflow_provider_p2psms.rows.message import Block, Message
from airflow_provider_p2psms.rows.row import GROUP, Header, NumberedRow, Row
from airflow_provider_p2psms.rows.rules import RowRules
from airflow_provider_p2psms.rows.table import Table
from airflow_provider_p2psms.rows.texts import check_text
from airflow_provider_p2psms.rows.unfit import UnfitError
from airflow_provider_p2psms.rows.values import as_text, is_missing, is_number, key_text

_ABSENT = object()
# To compile the patterns of a column takes as long as to read thousands of numbers one by one.
_FEW_NUMBERS = 100
_FEW = 16


class Checked(Iterator[Message | RowProblem]):
    """The results of a check: one by one as an iterator, or by ``blocks``; both read one stream, once."""

    def __init__(self, results: Iterator[Block | Message | RowProblem]) -> None:
        self._results = results
        self._singly = chain.from_iterable(
            result if isinstance(result, Block) else (result,) for result in results
        )

    def __next__(self) -> Message | RowProblem:
        return next(self._singly)

    def blocks(self) -> Iterator[Block | RowProblem]:
        """Give all messages in blocks, and each problem in its place between them."""
        return join_blocks(self._results)


def check_rows(rows: Iterable[Row], rules: RowRules) -> Checked:
    """
    Check rows as they stream by: exactly one result for each recipient handed in, in order.

    Rows are numbered from 1; the recipients of a group share its number, and each is checked on its own. A
    row without a readable recipient gives one problem. Nothing is kept but the thousand rows that are checked
    at a time: duplicates are not looked for.

    :raises InvalidMessageError: a table lacks a column that all its rows need, or cannot be read on.
    """
    return Checked(_check_table(rows, rules) if isinstance(rows, Table) else _check_stream(rows, rules))


def join_blocks(results: Iterable[Block | Message | RowProblem]) -> Iterator[Block | RowProblem]:
    """Put messages that follow each other into blocks."""
    for is_message, run in groupby(results, key=lambda result: isinstance(result, Message)):
        if is_message:
            for messages in in_chunks(cast("Iterator[Message]", run)):
                yield Block.of(messages)
        else:
            yield from cast("Iterator[Block | RowProblem]", run)


_Results: TypeAlias = Generator[Block | Message | RowProblem, None, int]
_CheckOne: TypeAlias = Callable[[int, Any], _Results]


def _check_table(table: Table, rules: RowRules) -> Iterator[Block | Message | RowProblem]:
    normalise, known = _numbers(rules)
    header = table.header
    if header is None:
        return
    columns = find_columns(header, rules)
    bulk = for_records(columns, header, known, blank_is_nothing=table.blank_is_nothing)

    def check_one(number: int, record: Any) -> _Results:
        if (row := table.name(record)) is None:
            return number
        yield from _check_row(number, row, columns, normalise)
        return number + 1

    number = 1
    for records in filter(len, table.chunks):
        number = yield from _check_chunk(number, records, bulk, check_one)


def _check_stream(rows: Iterable[Row], rules: RowRules) -> Iterator[Block | Message | RowProblem]:
    normalise, known = _numbers(rules)
    columns = columns_of(rules)
    mappings, pairs = for_mappings(columns, known), for_pairs(columns, known)

    def bulk(number: int, chunk: Sequence[Any]) -> Block | None:
        return (mappings if type(chunk[0]) is dict else pairs)(number, chunk)

    def check_one(number: int, row: Row) -> _Results:
        nonlocal columns, mappings
        if isinstance(row, Header):
            columns = find_columns(row, rules)
            mappings = for_mappings(columns, known)
            return number
        yield from _check_row(number, row, columns, normalise)
        return number + 1

    number = 1
    for chunk in in_chunks(rows):
        number = yield from _check_chunk(number, chunk, bulk, check_one)


def _check_chunk(number: int, rows: Sequence[Any], bulk: Bulk, check_one: _CheckOne) -> _Results:
    """Check rows together if they are all good, else each half by itself; a few are checked one by one."""
    if (block := bulk(number, rows)) is not None:
        yield block
        return number + len(rows)
    if len(rows) <= _FEW:
        for row in rows:
            number = yield from check_one(number, row)
        return number
    half = len(rows) // 2
    number = yield from _check_chunk(number, rows[:half], bulk, check_one)
    return (yield from _check_chunk(number, rows[half:], bulk, check_one))


def _numbers(rules: RowRules) -> tuple[Callable[[object], str], Known]:
    # Here and not above: a DAG file that only imports this room does not pay for phone number metadata.
    from airflow_provider_p2psms.rows.numbers import known_columns, known_numbers, to_e164  # noqa: PLC0415

    region = rules.region

    def known(values: Sequence[object]) -> list[str]:
        few = len(values) < _FEW_NUMBERS
        return list(map(known_numbers(region), values)) if few else known_columns(region)(values)

    return partial(to_e164, region=region), known


def _check_row(
    number: int, row: NumberedRow, columns: Columns, normalise: Callable[[object], str]
) -> Iterator[Message | RowProblem]:
    if isinstance(row, tuple):
        row = _name_pair(row, columns)
    if isinstance(row, UnfitError):
        yield row.as_problem(number)
        return
    key, text, parts, fault = "", "", 0, None
    try:
        key = _key_of(row, columns)
        text = _text_of(row, columns)
        parts = check_text(text)
    except UnfitError as err:
        fault = err.as_problem(number, key=key, column=columns.message)
    try:
        column, recipients = _recipients_of(row, columns)
    except UnfitError as err:
        yield err.as_problem(number, key=key)
        return
    for recipient in recipients:
        try:
            e164 = normalise(recipient)
        except UnfitError as err:
            yield RowProblem(number, column, mask(recipient), str(err), key)
        else:
            yield fault or Message(number, e164, text, parts, key)


def _name_pair(pair: tuple[Any, Any], columns: Columns) -> dict[Any, Any] | UnfitError:
    if columns.key is not None:
        return UnfitError("a pair has no key column; hand in mappings with one", column=columns.key)
    return {columns.recipient: pair[0], columns.message: pair[1]}


def _recipients_of(row: dict[Any, Any], columns: Columns) -> tuple[str, Sequence[object]]:
    """Find the recipients of one row, and the column that they stand in."""
    many = row.get(GROUP)
    own = row.get(columns.recipient, _ABSENT)
    if isinstance(many, list | tuple):
        if own is not _ABSENT and own is not many:
            raise UnfitError(f"has both {GROUP} and {columns.recipient}; leave one out", column=GROUP)
        if not many:
            raise UnfitError("an empty list; a group has at least one recipient", column=GROUP)
        return GROUP, many
    if own is not _ABSENT:
        return columns.recipient, (own,)
    if GROUP in row:
        reason = f"not a list; a single number belongs in {columns.recipient!r}"
        raise UnfitError(reason, column=GROUP, shape=mask(many))
    raise UnfitError(f"no such column; {describe_columns(row)}", column=columns.recipient)


def _text_of(row: dict[Any, Any], columns: Columns) -> str:
    """Find the text of one row: its own, else the template's."""
    own = row.get(columns.message)
    if isinstance(own, str):
        if own and not own.isspace():
            return str.__str__(own)  # a subclass (an enum, numpy's) as the plain text that it holds
    elif not is_missing(own):
        return _number_as_text(own)
    if columns.template is not None:
        return columns.template.fill(row)
    if columns.message in row:
        raise UnfitError("is empty, and there is no text for rows without one")
    raise UnfitError(f"no such column, and no text for rows without one; {describe_columns(row)}")


def _number_as_text(own: object) -> str:
    # A code alone in its column is a number to a database; nothing else was meant to be sent as a text.
    if not is_number(own):
        raise UnfitError(f"is a {type(own).__name__}, not a text")
    return as_text(own)


def _key_of(row: dict[Any, Any], columns: Columns) -> str:
    if columns.key is None:
        return ""
    if columns.key not in row:
        raise UnfitError(f"no such column; {describe_columns(row)}", column=columns.key)
    value = row[columns.key]
    try:
        return key_text(value)
    except UnfitError as err:
        raise UnfitError(str(err), column=columns.key, shape=mask(value)) from None
