"""
Tells in which 8-bit or East Asian code page a file is written that is not UTF-8.

A region has the code page that its Windows saves text files in. It is believed only if it makes words of all
bytes; else the encoding is not known. Another region's code page is never tried: most of them make words of
each other's letters, only wrong ones.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.words import Sample, find_odd, may_be_odd, why_no_words

# Gives the whole lines of a file, some at a time.
Blocks = Callable[[], Iterable[bytes]]

_REGIONS = {
    "cp1250": "AL BA CZ HR HU ME MD PL RO RS SI SK TM XK",
    "cp1251": "BA BG BY KG KZ MD ME MK MN RS RU TJ UA UZ",
    "cp1253": "CY GR",
    "cp1254": "AZ TR UZ",
    "cp1255": "IL",
    "cp1256": "AE AF BH DJ DZ EG EH IQ IR JO KM KW LB LY MA MR OM PK PS QA SA SD SO SY TD TN YE",
    "cp1257": "EE LT LV",
    "cp1258": "VN",
    "cp874": "TH",
    "cp932": "JP",
    "cp949": "KP KR",
    "cp950": "HK MO TW",
    "gb18030": "CN SG",
}
# Where French is written beside Arabic.
_ALSO_WESTERN = frozenset(["DJ", "DZ", "EH", "KM", "LB", "MA", "MR", "TD", "TN"])
_WESTERN = "cp1252"
# So many characters of UTF-8 in a line, and no other bytes beyond ASCII, are no chance: in cp1256 and in East
# Asia two neighbours may look like one, elsewhere hardly ever.
_ENOUGH = {
    "cp1256": 3,
    "cp932": 5,
    "cp949": 5,
    "cp950": 5,
    "gb18030": 5,
    "cp1251": 2,
    "cp1253": 2,
    "cp1255": 2,
}
_CERTAINLY_ENOUGH = 3
_ASCII = rb"[^\x80-\xff\r\n]*+"
_CHARACTER = rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"


def code_pages_of(region: str) -> list[str]:
    """Name the code pages that text files of a region may be in."""
    found = [page for page, regions in _REGIONS.items() if region in regions.split()]
    return [*found, _WESTERN] if not found or region in _ALSO_WESTERN else found


def find_code_page(blocks: Blocks, *, origin: str, region: str) -> str:
    """
    Name the code page of a file that is not UTF-8.

    :raises InvalidMessageError: some of its lines are UTF-8, or its bytes make no words in the code pages of
        the region, or different ones in each; with the line.
    """
    pages = code_pages_of(region)
    enough = _ENOUGH.get(pages[0], 1)
    _refuse_utf8_lines(blocks, origin, max(enough, _CERTAINLY_ENOUGH))
    odd = {page: _find_odd_line(blocks, page, region) for page in pages}
    good = [page for page in pages if odd[page] is None]
    if not good:
        line, reason = odd[pages[0]] or (1, "")
        raise InvalidMessageError(
            f"{origin}, line {line:,}: the encoding is not known: not UTF-8, and {pages[0]}, the code page "
            f"of {region}, {reason}; save the file as UTF-8, or name its encoding, e.g. encoding='cp1252'"
        )
    if enough < _CERTAINLY_ENOUGH:
        _refuse_utf8_lines(blocks, origin, enough)
    if len(good) > 1 and (line := _find_difference(blocks, good)):
        raise InvalidMessageError(
            f"{origin}, line {line:,}: the encoding is not known: not UTF-8, and {' and '.join(good)} make "
            f"different words; save the file as UTF-8, or name its encoding, e.g. encoding={good[0]!r}"
        )
    return good[0]


_utf8_lines = re.compile(rb"[\r\n]%b((?:%b%b)++)(?=[\r\n]|\Z)" % (_ASCII, _CHARACTER, _ASCII)).finditer
_characters = re.compile(_CHARACTER).findall


def _refuse_utf8_lines(blocks: Blocks, origin: str, enough: int) -> None:
    for first, block in _numbered(blocks):
        for found in _utf8_lines(b"\n" + block):
            characters = _characters(found[1])
            if len(characters) >= enough or max(map(len, characters)) > 3:
                line = first + _count_ends(block[: found.start()])
                raise InvalidMessageError(
                    f"{origin}, line {line:,}: this line is UTF-8, others are not: the file mixes encodings; "
                    "export all of it as UTF-8"
                )


def _find_odd_line(blocks: Blocks, page: str, region: str) -> tuple[int, str] | None:
    """Find the first line that is none of a code page, and why."""
    sample, line = Sample(), 1
    for first, block in _numbered(blocks):
        try:
            text = block.decode(page)
        except UnicodeDecodeError as err:
            return first + _count_ends(block[: err.start]), "lacks one of its bytes"
        if not text.isascii():
            if may_be_odd(block, page) and (place := find_odd(text, page)) is not None:
                return first + _count_ends(
                    text[:place].encode("utf-8", "ignore")
                ), "makes no words of its letters"
            line = line if sample.size else first + _first_beyond_ascii(block)
            sample.add(text)
    reason = why_no_words(sample, page, region)
    return (line, reason) if reason else None


def _first_beyond_ascii(block: bytes) -> int:
    found = re.search(rb"[\x80-\xff]", block)
    return _count_ends(block[: found.start() if found else 0])


def _find_difference(blocks: Blocks, pages: Iterable[str]) -> int:
    """Find the first line that is another in each of two code pages; 0 if there is none."""
    first, second = pages
    for start, block in _numbered(blocks):
        pairs = zip(block.decode(first).split("\n"), block.decode(second).split("\n"), strict=True)
        for place, (one, other) in enumerate(pairs):
            if one != other:
                return start + place
    return 0


def _count_ends(block: bytes) -> int:
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")


def _numbered(blocks: Blocks) -> Iterator[tuple[int, bytes]]:
    """Give the blocks, each with the number of its first line."""
    line = 1
    for block in blocks():
        yield line, block
        line += _count_ends(block)
