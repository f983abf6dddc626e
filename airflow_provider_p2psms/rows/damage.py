r"""
Texts that a program damaged before they came here: nobody wants to pay for them.

Some characters no SMS carries; U+FFFD and ``????`` are letters that were lost, ``Ø³Ù„Ø§Ù…`` is UTF-8 that was
read as something else, ``#REF!`` is a formula that failed, ``<object at 0x…>`` is what Python writes for an
object without a text. ``find_damage`` knows them; ``may_be_damaged`` looks for their bytes in many texts.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache

from airflow_provider_p2psms.rows.stand_ins import ERROR, ERROR_BEGINS, IS_ERROR

# C0 and DEL, but for the four that texts are made of.
_CONTROLS = frozenset({*range(0x20), 0x7F} - {*b"\t\n\f\r"})
# The bytes by which damage shows, none of which is frequent; what lies beyond the BMP shows by its first.
SIGNS = bytes(sorted({*_CONTROLS, *b"#?<\xc2\xc3\xef", *range(0xF0, 0xF5)}))
_OTHER_BYTES = bytes({*range(256)}.difference(SIGNS))
_LONG = 5_000
LOST_LETTERS = (
    "holds question marks in the place of letters, which an encoding lacked; export its source as UTF-8"
)

_NOT_CARRIED = r"\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
)
# What the bytes 80 to BF are in cp1252 and latin-1, letters left out, and in cp1256.
_SYMBOLS = r"\x80-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf€‚„…†‡ˆ‰‹‘’“”•–—˜™›"
_IN_CP1252 = rf"{_SYMBOLS}ªµºƒŠŒŽšœžŸ"
_IN_CP1256 = rf"{_SYMBOLS}ªµºƒŒœپٹچژڈگکڑںھہ؛؟،\u200c\u200d"


def find_damage(text: str) -> str:
    """Say what is wrong with a text, and what to do; "" if nothing is."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # UTF-8 has no half of a surrogate pair
        return "holds half a character (a lone surrogate), which no SMS can carry; remove it"
    signs = signs_in(encoded)
    if not signs or not may_be_damaged(encoded, signs):
        return ""
    return next((reason for is_so, reason in _damages() if is_so(text)), "")


def clean(text: str) -> str:
    """Take out of a text what no SMS carries, and where Python says that an object lies."""
    return re.sub(f"[{_NOT_CARRIED}\ud800-\udfff]", " ", re.sub(" at 0x[0-9a-fA-F]+>", ">", text))


def has_lost_letters(text: str) -> bool:
    """Tell whether question marks stand where words stood: two beside each other, or no letter is left."""
    if "??" not in text:
        return False
    if text.count("?") >= 5 and _lost_words().search(text):
        return True
    runs = re.findall(r"\?{2,}", text)
    return (len(runs) > 1 or len(runs[0]) > 2) and not any(map(str.isalpha, text))


def signs_in(joined: bytes) -> bytes:
    """Give the bytes of ``SIGNS`` that are among those of texts in UTF-8, each once or more often."""
    if len(joined) < _LONG:
        return joined.translate(None, _OTHER_BYTES)
    return bytes(filter(joined.__contains__, SIGNS))  # a search for one byte is that much faster


def may_be_damaged(joined: bytes, signs: Iterable[int]) -> bool:
    """
    Tell whether one of many texts may be damaged; false is certain.

    :param joined: all of them in UTF-8.
    :param signs: the bytes of ``SIGNS`` among them, and any others.
    """
    found = {*signs}
    return not _CONTROLS.isdisjoint(found) or any(
        sign in found and closer(joined) for sign, closer in _closer_looks()
    )


@cache
def _lost_words() -> re.Pattern[str]:
    return re.compile(r"""(?<![^\s(«"'])\?{2,}[,.;:!)»"']?\s+[(«"']?\?{2,}""")


@cache
def _misread_pairs() -> re.Pattern[str]:
    """Give the pattern of two bytes of UTF-8 that became two characters, where that is certain."""
    return re.compile(
        rf"(?:[ØÙÚÛ][{_IN_CP1252}]){{2}}"  # Arabic letters
        rf"|(?:[Ã-ß][{_SYMBOLS}]){{2}}"  # of any other alphabet
        rf"|Ã[{_SYMBOLS}Ÿ](?=[a-zÃ])|Â[£©®°±§]|â€[™œ˜¦“”\x9d]"  # "GrÃ¶ÃŸe", "Â£5", "donâ€™t"
    )


@cache
def _misread_as_arabic() -> re.Pattern[str]:
    return re.compile(f"(?:[طظعغ][{_IN_CP1256}]){{3,}}")


def _is_misread(text: str) -> bool:
    if _misread_pairs().search(text):
        return True
    return any(re.search(r"[\xa0-\xbf]", run) for run in _misread_as_arabic().findall(text))


@cache
def _damages() -> tuple[tuple[Callable[[str], object], str], ...]:
    # Compiled when it is needed: a DAG file's parsing, which checks a text too, would take longer for it.
    return (
        (_is_misread, "holds UTF-8 that was read in another encoding; read its source as UTF-8"),
        (
            re.compile(f"[{_NOT_CARRIED}]").search,
            "holds a control character (such as a NUL), which no SMS can carry; remove it",
        ),
        (
            re.compile("\ufffd").search,
            "holds U+FFFD, which stands for lost letters; read its source in the right encoding",
        ),
        (has_lost_letters, LOST_LETTERS),
        (re.compile(ERROR).search, IS_ERROR),
        (
            re.compile("<[^<>]* at 0x[0-9a-fA-F]+>").search,
            "holds what Python writes for an object without a text; hand in the value that was meant",
        ),
    )


@cache
def _closer_looks() -> tuple[tuple[int, Callable[[bytes], object]], ...]:
    """Give, for each sign that good texts may hold, what tells these from damaged ones, all texts at once."""
    return (
        (0xC2, re.compile(rb"\xc2[\x80-\x9f]|\xd8[\xb7-\xba]\xc2").search),
        (0xC3, re.compile(rb"\xc3[\x82-\x9f\xa2][\xc2\xc3\xc5\xc6\xcb\xe2]").search),
        (0xEF, re.compile(rb"\xef(?:\xbf[\xbd-\xbf]|\xb7[\x90-\xaf])").search),
        *((sign, re.compile(rb"\xbf[\xbe\xbf]").search) for sign in range(0xF0, 0xF5)),
        (ord("#"), re.compile(ERROR_BEGINS.encode()).search),
        (ord("?"), re.compile(rb"\?\?").search),
        (ord("<"), re.compile(rb" at 0x").search),
    )
