"""
The hot path through a sheet's XML: rows in which nothing is to be noted, found in a tenth of the time.

It knows only visible rows of plain values, in columns that were met before, as spreadsheet programs write
them. All else goes to ``SheetParser``, which is the specification: a test holds them against each other. It
buys the line "XLSX" of the benchmark: without it the check of a workbook takes twice as long.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from airflow_provider_p2psms.rows.sheet_parser import SheetParser, column_name

_START, _END = b"<sheetData>", b"</row>"
# A row without an end within so many bytes is for the parser, in pieces.
_LONGEST_ROW = 1 << 20
_LAST_OF_TWO_LETTERS = 26 + 26 * 26
_row_numbers = re.compile(rb'<row r="([0-9]+)"').findall
# An error is a text to the reader: it knows not all of them, and would refuse the workbook.
_error_cells = re.compile(rb"""(<(?:\w+:)?c\s[^<>]*?\bt\s*=\s*)(?:"e"|'e')""").sub


def parse_sheet(chunks: Iterable[bytes], parser: SheetParser) -> Iterator[bytes]:
    """Note the facts of a sheet in ``parser``, and hand its XML on as the reader of values may have it."""
    rest, is_inside = b"", False
    for chunk in chunks:
        rest += chunk
        if not is_inside:
            start = rest.find(_START) + len(_START)
            is_inside = start >= len(_START)
            end = start if is_inside else _end_of_tag(rest[: -len(_START)])
            yield _feed(rest[:end], parser)
            rest = rest[end:]
        if is_inside:
            end = yield from _parse_rows(rest, parser)
            rest = rest[end:]
        if len(rest) > _LONGEST_ROW:
            end = _end_of_tag(rest) or len(rest)
            yield _feed(rest[:end], parser)
            rest = rest[end:]
    yield _feed(rest, parser, is_last=True)


def _parse_rows(data: bytes, parser: SheetParser) -> Generator[bytes, None, int]:
    """Parse whole rows; returns where they end."""
    place, end, facts = 0, data.rfind(_END) + len(_END), parser.facts
    if end < len(_END):
        return 0
    while place < end:
        plain = _plain(facts.first_column, facts.last_column)
        found = None if parser.is_in_arrays else plain.match(data, place, end)
        if found and found.end() > place:
            rows = found[0]
            parser.take(list(map(int, _row_numbers(rows))), rows.count(b"</c>"))
            yield rows
            place = found.end()
        else:
            stop = data.index(_END, place) + len(_END)
            yield _feed(data[place:stop], parser)
            place = stop
    return place


def _feed(data: bytes, parser: SheetParser, *, is_last: bool = False) -> bytes:
    parser.feed(data, is_last=is_last)
    return _error_cells(rb'\1"str"', data)


def _end_of_tag(data: bytes) -> int:
    return data.rfind(b">") + 1


@lru_cache(16)
def _plain(first_column: int, last_column: int) -> re.Pattern[bytes]:
    """Compile what rows without anything to be noted look like, with cells between two columns."""
    start = rb'<c r="' + _columns(first_column, last_column) + rb'\1"(?: s="[0-9]++")?'
    number = rb'(?: t="n")?><v>[0-9.+-]++(?:E[+-]?[0-9]{1,2})?</v>'
    other = rb' t="(?:s|b|d|str)"><v>[^<]++</v>'
    inline = rb' t="inlineStr"><is><t(?: xml:space="preserve")?>[^<]++</t></is>'
    full = start + b"(?:" + number + b"|" + other + b"|" + inline + b")</c>"
    empty = start + rb'(?: t="[ns]")?(?:/>|></c>)'
    attributes = (
        rb"(?: (?:spans|s|customFormat|customHeight|thickBot|thickTop|outlineLevel|collapsed|x14ac:dyDescent)"
        rb'="[^"<>]*+"| hidden="(?:0|false)"| ht="[1-9][0-9.]*+")*+'
    )
    row = rb'<row r="([0-9]{1,7})"' + attributes + rb">(?:" + empty + rb")*+" + full
    return re.compile(rb"(?:" + row + rb"(?:" + full + b"|" + empty + rb")*+</row>)*+")


def _columns(first: int, last: int) -> bytes:
    """Match the names of columns, of one or two letters."""
    names = map(column_name, range(first, min(last, _LAST_OF_TWO_LETTERS) + 1))
    ranges = []
    for lead, group in groupby(names, key=lambda name: name[:-1]):
        letters = [name[-1] for name in group]
        ranges.append(f"{lead}[{letters[0]}-{letters[-1]}]")
    return f"(?:{'|'.join(ranges) or '(?!)'})".encode()
