"""
When two texts, or two spellings of a line or a number, are the same.

Gateways show texts, lines and numbers in other spellings than they were sent in. This module says which
differences do not count. It knows neither messages nor records.
"""

import html
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache

from airflow_provider_p2psms.batch import BETWEEN

_BREAK = re.compile(r"</?br/?>", re.IGNORECASE)

# After NFKC a letter is replaced by another, or left out. The code points are listed, not taken from Python's
# Unicode tables: those change with Python.
_REPLACED = {
    **dict.fromkeys("\u064a\u0649", "\u06cc"),  # ya
    "\u0643": "\u06a9",  # kaf
    **{chr(zero + digit): str(digit) for zero in (0x0660, 0x06F0) for digit in range(10)},
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u0060\u00b4\u02bc", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212", "-"),
}
_LEFT_OUT = (
    (0x01, 0x20),  # controls, white space; NUL stands between texts
    (0x7F, 0xA0),
    (0xAD, 0xAD),  # soft hyphen
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x0640, 0x0640),  # tatweel
    (0x115F, 0x1160),
    (0x1680, 0x1680),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2000, 0x200F),  # white space, ZWNJ, ZWJ, marks of direction
    (0x2028, 0x202F),
    (0x205F, 0x206F),
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFC),
    (0xE0000, 0xE0FFF),
)
_NOT_KEPT = re.compile(
    f"[{re.escape(''.join(_REPLACED))}{''.join(f'{chr(first)}-{chr(last)}' for first, last in _LEFT_OUT)}]"
)

# Most texts have nothing but ASCII, letters of the Arabic block and ZWNJ; in UTF-8 that is soon seen.
_END = b"\x7f"  # instead of ``BETWEEN``, which is no UTF-8; it is in no text that was checked
_ASCII = bytes.maketrans(b"`" + BETWEEN, b"'" + _END)
_ASCII_LEFT_OUT = bytes(range(0x01, 0x21))
_ZWNJ = "\u200c".encode()
_FIRST_OF_ZWNJ = _ZWNJ[:1]
_ASCII_OR_ARABIC = bytes({*range(0xC0), 0xD8, 0xD9, 0xDA, 0xDB})
_ARABIC = tuple(map(chr, range(0x600, 0x700)))
_ARABIC_NOT_KEPT = tuple(filter(_NOT_KEPT.match, _ARABIC))
# Marks, which join what stands before them, and letters that stand for others.
_ARABIC_NORMALIZED = tuple(
    letter
    for letter in _ARABIC
    if unicodedata.combining(letter) or not unicodedata.is_normalized("NFKC", letter)
)
# As they stand in a character class: ZWNJ, which folding leaves out, and the Arabic letters that it keeps.
SIMPLE_LETTERS = re.escape(
    "".join(("\u200c", *sorted(set(_ARABIC).difference(_ARABIC_NOT_KEPT, _ARABIC_NORMALIZED))))
)

# Stand for digits that are not shown; the second only where too few digits are left for a whole number.
_MASK = re.compile(r"[*xX\u2022\u25cf\u2588#?_]+")
_LOOSE_MASK = re.compile(r"[-.]+")
_LEAST_DIGITS, _LEAST_WHOLE, _LEAST_SEPARATED = 4, 8, 10
_LONGEST_COUNTRY = 3
_PUNCTUATION = str.maketrans("", "", "+()/")
# What stands before a national number, but for a country code: zeros, or the country code and a zero.
_TRUNK = re.compile(r"^(?:0+|980+)")

_COUNTRY = re.compile(r"^(?:98)+(?=\d{3}|\D)")


def fold(text: str) -> str:
    """
    Return the form in which texts are compared: two texts are the same if this form is.

    It has no white space and none of these differences: compatibility forms (NFKC); which ya, kaf and digits
    are used; ZWNJ, ZWJ and other invisible characters, tatweel; white space and ``<br>``; HTML escapes;
    typographic quotes and dashes. Case counts. ``fold(fold(text)) == fold(text)``.

    The ledger holds digests of this form, so it must never change: a version that folds in another way would
    not recognise what an earlier one has sent. Another form needs another format number of the ledger.
    """
    while (folded := _BREAK.sub("", html.unescape(_fold_letters(text.replace("\0", ""))))) != text:
        text = folded
    return folded


def is_simple(text: str) -> bool:
    """Tell whether a text has nothing but ASCII and the letters of ``SIMPLE_LETTERS``."""
    return text.isascii() or bool(_simple().fullmatch(text))


def fold_messages(messages: bytes, *, are_simple: bool = False) -> list[bytes]:
    """
    Fold the texts of many messages: the same as ``fold`` of each, in a fraction of the time.

    :param messages: recipient (E.164), NUL, text, in UTF-8, as they stand in a batch. No text has a NUL.
    :param are_simple: whether ``is_simple`` is known of all texts.
    """
    if not messages:
        return []
    folded = messages.translate(_ASCII, _ASCII_LEFT_OUT)
    if _FIRST_OF_ZWNJ in folded:
        folded = folded.replace(_ZWNJ, b"")
    each = folded.split(_END)
    if len(each) > messages.count(BETWEEN) + 1 or not (are_simple or _is_folded(folded)):
        parts = _fold_letters(messages.replace(BETWEEN, b"\0").decode()).encode().split(b"\0")
        each = list(map(b"\0".join, zip(parts[::2], parts[1::2], strict=True)))
    # Looked for in all as one: one by one that takes as long as all the rest.
    if b"&" in messages or b"<" in messages:
        return [_fold_html(message) for message in each]
    return each


def canonical_line(line: str) -> str:
    """
    Return the form in which lines (senders) are compared.

    ``3000505``, ``+983000505``, ``00983000505`` and ``983000505`` are the same.
    So are ``+98BANK`` and ``bank``.
    """
    shown = "".join(filter(str.isalnum, fold(line))).casefold().lstrip("0")
    return _COUNTRY.sub("", shown)


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """The first and the last digits of a phone number in a report. ``is_whole``: none is masked."""

    head: str = field(repr=False)
    tail: str = field(repr=False)
    is_whole: bool

    def fits(self, number: str) -> bool:
        """Return whether this may be ``number`` (E.164): with or without ``+``, country code and mask."""
        digits = number.lstrip("+")
        if len(self.head) + len(self.tail) > len(digits) or not digits.endswith(self.tail):
            return False
        return any(digits.startswith(self.head, start) for start in range(_LONGEST_COUNTRY + 1))


def read_number(shown: str) -> ShownNumber | None:
    """Read a phone number as a report shows it; ``None`` if fewer than 4 digits can be told."""
    folded = fold(shown).translate(_PUNCTUATION)
    digits = re.sub(r"\D", "", folded)
    mask = _MASK if _MASK.search(folded) else _LOOSE_MASK
    parts = mask.split(folded)
    if mask is _LOOSE_MASK and len(digits) >= _LEAST_SEPARATED:
        parts = ["".join(parts)]
    if len(digits) < _LEAST_DIGITS or not all(part.isdecimal() for part in parts if part):
        return None
    if len(parts) > 1:
        return ShownNumber(_TRUNK.sub("", parts[0]), parts[-1], is_whole=False)
    national = _TRUNK.sub("", digits)
    return ShownNumber("", national, is_whole=len(national) >= _LEAST_WHOLE)


@cache
def _simple() -> re.Pattern[str]:
    return re.compile(rf"[\0-\x7f{SIMPLE_LETTERS}]*+")


def _is_folded(texts: bytes) -> bool:
    """Tell whether texts without white space and ZWNJ are folded; may say no where they are."""
    if texts.isascii():
        return True
    if texts.translate(None, _ASCII_OR_ARABIC):
        return False
    text = texts.decode()
    return not any(map(text.__contains__, _ARABIC_NOT_KEPT)) and unicodedata.is_normalized("NFKC", text)


def _fold_html(message: bytes) -> bytes:
    if b"&" not in message and b"<" not in message:
        return message
    recipient, _, text = message.partition(b"\0")
    return b"%b\0%b" % (recipient, fold(text.decode()).encode())


def _fold_letters(text: str) -> str:
    """Fold all but HTML. A NUL is kept: it separates texts."""
    # Both are frequent, and NFKC takes far longer than to look for them.
    text = text.replace("\u2026", "...").replace("\u00a0", " ")
    while True:
        if not unicodedata.is_normalized("NFKC", text):
            text = unicodedata.normalize("NFKC", text)
        text = text.replace(" ", "")
        for letter in set(_NOT_KEPT.findall(text)):
            text = text.replace(letter, _REPLACED.get(letter, ""))
        if unicodedata.is_normalized("NFKC", text):  # else letters that were apart now stand together
            return text
