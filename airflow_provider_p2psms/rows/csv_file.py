"""CSV as it comes: any usual encoding, delimiter and line end, with quotes as RFC 4180 has them."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import accumulate, chain, islice
from typing import Any, BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.chunked import in_chunks
from airflow_provider_p2psms.rows.encoding import decode, display_name
from airflow_provider_p2psms.rows.fast.csv_columns import split_columns
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.rows.table import Placed, Record

_DELIMITERS = ",;\t|"
_BYTES = 3 << 15  # about a thousand lines; more of them would not stay in the processor's cache
# Characters of one cell: a quote that is never closed must not load a whole file into memory.
_LONGEST_CELL = 1 << 22
# Excel writes and reads this line above the header, to say which delimiter follows.
_says_delimiter = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE).fullmatch
_WRITE_TWO = 'write a quote within a text as ""'


def read_csv(
    stream: BinaryIO,
    encoding: str,
    reading: Reading,
    *,
    delimiter: str | None = None,
    first_line: int = 1,
) -> Iterator[Sequence[Record]]:
    """
    Stream the records of a CSV file, in chunks; its texts are not altered. Leaves the stream open.

    Each record has its line in the file, counted from 1, as its place: the first of its lines if it has many.

    :param delimiter: the delimiter. Default: that of the header, or of the line above it.
    :param first_line: the line of the file that the stream begins with.
    :raises InvalidMessageError: a byte is none of its encoding, or a quote is open or stands in the wrong
        place, with the line.
    """
    texts = whole_lines(decode(stream, encoding, origin=reading.origin, size=_BYTES))
    first = next(texts, "")
    start, found = look_at_head(first) if first_line == 1 else (0, ",")
    delimiter = delimiter or found
    reading.encoding, reading.delimiter = display_name(encoding), delimiter
    line = 2 if start else first_line
    for text in filter(None, chain([first[start:]], texts)):
        split = split_columns(text, delimiter) if len(text) <= _LONGEST_CELL else None
        if split is None:  # from here on all is for Python's reader
            yield from _read_on(chain([text], texts), line, stream, encoding, reading)
            return
        records, quoted = split
        breaks = _count_ends(quoted)
        rows = partial(zip, *records.columns)  # not the records themselves: they would hold each other
        records.places = _Starts(rows, line) if breaks else range(line, line + len(records))
        yield records
        line += len(records) + breaks


class _Starts(Sequence[int]):
    """The lines in which records begin, counted when one is asked for: few ever are."""

    def __init__(self, records: Callable[[], Iterable[Record]], first: int) -> None:
        self._records = records
        self._first = first

    @cached_property
    def _found(self) -> list[int]:
        sizes = (1 + _count_ends('"'.join(record)) for record in self._records())
        return list(accumulate(sizes, initial=self._first))[:-1]

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        return self._found[index]


def _read_on(
    texts: Iterable[str], first: int, stream: BinaryIO, encoding: str, reading: Reading
) -> Iterator[Placed]:
    """Read the rest of a file, from one of its lines on, as Python's reader does."""
    reader = open_reader(lines_of(texts), reading.delimiter)
    start = end = first
    try:
        for chunk in in_chunks(reader):
            start, end = end, first + reader.line_num
            has_breaks = end - start != len(chunk)
            yield Placed(chunk, _Starts(chunk.__iter__, start) if has_breaks else range(start, end))
    except csv.Error as err:
        end = first + reader.line_num
        text = "".join(_lines_between(stream, encoding, start, end))
        line, reason = _explain(err, text, reading.delimiter, start, end - 1)
        raise InvalidMessageError(f"{reading.origin}, line {line:,}: {reason}") from None


def open_reader(lines: Iterable[str], delimiter: str) -> Any:
    """Return Python's reader of these lines; it takes no more of them than the record needs that it gives."""
    # The limit is the whole process's; to raise it takes nothing from others.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    return csv.reader(lines, delimiter=delimiter, strict=True)


def whole_lines(texts: Iterable[str]) -> Iterator[str]:
    """Cut a text behind whole lines, and not within quotes: what stands there may go on over many lines."""
    rest, quotes, counted = "", 0, 0
    for text in texts:
        searched = max(0, len(rest) - 1)
        rest += text
        end = _end_of_line(rest, searched, len(rest) - 1) or counted
        # To find that there is no quote is fast, to count them is not; so it is with line ends below.
        if quotes or '"' in rest:
            quotes += rest.count('"', counted, end)
            counted = end
            if quotes % 2 and len(rest) <= _LONGEST_CELL:
                end = _end_of_line(rest, 0, rest.rfind('"', 0, end))
        if end:
            yield rest[:end]
            rest, counted = rest[end:], counted - end if counted else 0
            quotes = rest.count('"', 0, counted)
    if rest:
        yield rest


def _end_of_line(text: str, start: int, last: int) -> int:
    """Find where the last line ends, 0 if none does; a CR at the very last place may be half of an end."""
    return max(text.rfind("\n", start, last + 1), text.rfind("\r", start, last)) + 1


def lines_of(texts: Iterable[str]) -> Iterator[str]:
    """Give line by line what ``whole_lines`` gives."""
    return chain.from_iterable(io.StringIO(text, newline="") for text in texts)


def _lines_between(stream: BinaryIO, encoding: str, start: int, end: int) -> Iterator[str]:
    """Read some lines of a file once more; the last of them is the one before ``end``."""
    stream.seek(0)
    lines = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
    try:
        yield from islice(lines, start - 1, end - 1)
    finally:
        lines.detach()  # else it closes a stream that is not ours


def _count_ends(text: str) -> int:
    if "\r" not in text:
        return text.count("\n") if "\n" in text else 0
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def look_at_head(text: str) -> tuple[int, str]:
    """Find where the table begins, and the delimiter that its header shows, or the line above that."""
    head = ""
    for line in lines_of([text]):
        if not head and (said := _says_delimiter(line)):
            return len(line), said[1]
        head += line
        if head.strip() and head.count('"') % 2 == 0:
            break
    unquoted = re.sub(r'"[^"]*"', "", head)
    return 0, max(_DELIMITERS, key=unquoted.count)


def _explain(err: csv.Error, text: str, delimiter: str, head: int, tail: int) -> tuple[int, str]:
    """
    Say in which line a cell begins that cannot be read, and what to do.

    The errors of Python's reader hold nothing of the file, but nothing to go by either.

    :param text: the lines ``head`` to ``tail``, of which the last is where the reader gave up.
    """
    start = _cells(delimiter, text)
    line = min(head + _count_ends(text[:start]), tail)
    if "end of data" in str(err):
        return line, f"a quote is opened and never closed; {_WRITE_TWO}"
    if "field limit" in str(err):
        reason = f"a cell is longer than {_LONGEST_CELL:,} characters: is a quote opened and never closed?"
        return line, f"{reason} If so, {_WRITE_TWO}; else leave this column out"
    where = f"the quoted text that begins here is closed in line {tail:,}, and " if tail > line else ""
    return line, f"{where}something stands behind a closing quote; {_WRITE_TWO}"


def _cells(delimiter: str, text: str) -> int:
    """Find how far a text consists of whole cells."""
    mark = re.escape(delimiter)
    cell = rf'(?:"(?:[^"]|"")*+"|(?!")[^{mark}\r\n]*+)'
    whole: Any = re.compile(rf"(?:{cell}(?:{mark}|\r\n|\r|\n))*+").match(text)
    return int(whole.end())
