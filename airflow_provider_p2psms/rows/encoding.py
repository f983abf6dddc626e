"""Tells how a text file is encoded, by its mark, its zeros or what is UTF-8 in it, and decodes it."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CHUNK = 1 << 15  # what is decoded of it stays in the processor's cache
_FEWEST_ZEROS = 2
# So many letters beyond ASCII are never UTF-8 by chance: in cp1256 a handful would not be.
_ENOUGH_LETTERS = 1_000


def detect_encoding(stream: BinaryIO, *, origin: str) -> str:
    """
    Name the encoding of a text file, having decoded as much of it as that takes, and rewind it.

    What is not UTF-8 is cp1256, as Excel on a Persian or Arabic Windows saves its CSV. But UTF-8 with a
    broken byte is not taken for it: every text in it would become another.

    :raises InvalidMessageError: it is damaged, with the place of the first byte at fault.
    """
    encoding = _by_sight(stream.read(4096))
    letters = 0
    try:
        for text in decode(stream, encoding, origin=origin) if encoding == "utf-8" else ():
            letters += _count_beyond_ascii(text)
            if letters >= _ENOUGH_LETTERS:
                break
    except InvalidMessageError:
        if _is_mostly_utf8(stream):
            raise
        encoding = "cp1256"
    stream.seek(0)
    return encoding


def decode(stream: BinaryIO, encoding: str, *, origin: str, size: int = _CHUNK) -> Iterator[str]:
    """
    Decode a stream from its beginning to its end, so many bytes at a time.

    :raises InvalidMessageError: it is damaged, with the place of the first byte at fault.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    place, fault = 0, None
    for chunk in _chunks(stream, size):
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as err:
            fault = place - held + err.start
            break
        yield text
        place += len(chunk)
    if fault is not None:  # not above: the library's error holds what it could not decode
        name = encoding.removesuffix("-sig").upper()
        raise InvalidMessageError(
            f"{origin} is {name} with a broken character at byte {fault:,}; export it again"
        )


def _by_sight(head: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # UTF-16 without a mark has a zero beside each delimiter, digit and Latin letter, always on one side.
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < _FEWEST_ZEROS or min(even, odd) * 8 > max(even, odd):
        return "utf-8"
    return "utf-16-le" if odd > even else "utf-16-be"


def _is_mostly_utf8(stream: BinaryIO) -> bool:
    """Tell broken UTF-8 from cp1256, where two neighbours seldom look like one character of UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    for chunk in _chunks(stream, _CHUNK):
        text = decoder.decode(chunk, final=not chunk)
        broken = text.count("\N{REPLACEMENT CHARACTER}")
        bad += broken
        good += _count_beyond_ascii(text) - broken
    return good > bad


def _count_beyond_ascii(text: str) -> int:
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def _chunks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read a stream from its beginning, with an empty chunk behind its end."""
    stream.seek(0)
    while chunk := stream.read(size):
        yield chunk
    yield b""
