"""
Many texts that can be sent as they are, looked at as one. Buys 0.34 s of CPU instead of 0.84 s.

What makes a text fit, and how many parts it is, ``sms_text`` says.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from operator import itemgetter

from airflow_provider_p2psms.rows.damage import SIGNS, find_damage, may_be_damaged, signs_in
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank, may_be_blank
from airflow_provider_p2psms.rows.sms_text import (
    GSM_BASIC,
    GSM_ESCAPED,
    GSM_SINGLES_OF_ASCII,
    MAX_CHARACTERS,
    MAX_PARTS,
    check_text,
    count_parts,
    count_singles,
)
from airflow_provider_p2psms.rows.stand_ins import LONGEST, have_stand_in

# Bytes with which characters begin in UTF-8.
_FIRST_OF_GSM = frozenset(char.encode()[0] for char in GSM_BASIC + GSM_ESCAPED)
_FIRST_BEYOND_THE_BMP = frozenset(range(0xF0, 0xF5))
# With those of them that may be a sign of damage left over, and what is left then if none is.
_GSM_WITHOUT_SIGNS = GSM_SINGLES_OF_ASCII.translate(None, SIGNS)
# In UTF-8 text of GSM-7, bytes that only characters that count twice have; the same for UCS-2.
_NOT_DOUBLE_IN_GSM = bytes({*range(1, 256)} - {*GSM_ESCAPED.encode("ascii", "ignore"), "€".encode()[0]})
_NOT_DOUBLE_IN_UCS2 = bytes({*range(1, 256)} - _FIRST_BEYOND_THE_BMP)
_GSM_OF_ASCII = (GSM_BASIC + GSM_ESCAPED).encode("ascii", "ignore")


def check_texts(
    texts: Sequence[str], encoded: Sequence[bytes], *, are_whole: bool = False, has_no_sign: bool = False
) -> bytes:
    """
    Count the parts of many texts, a byte each, as ``check_text`` does, looking at all of them as one.

    :param encoded: the texts in UTF-8, in which what is sought has bytes of its own.
    :param are_whole: they are cells or values as they came, of which none may be a stand-in.
    :param has_no_sign: none of them has a byte of ``damage.SIGNS``, as far as that is known.
    :raises InvalidValueError: one of them cannot be sent, or is of a class of its own.
    """
    if set(map(type, texts)) != {str} or not all(texts):
        raise InvalidValueError("not all texts can be sent as they are")
    lengths = list(map(len, texts))
    different = frozenset(lengths)
    longest = max(different)
    if are_whole and min(different) <= LONGEST and have_stand_in(texts):
        raise InvalidValueError("a text may be a stand-in")
    joined = b"".join(encoded)
    firsts: AbstractSet[int] = frozenset()
    if is_ascii := joined.isascii():
        signs = joined.translate(None, _GSM_WITHOUT_SIGNS)
        is_empty = any(map(str.isspace, texts))
    else:
        signs = b"" if has_no_sign else signs_in(joined)
        firsts = frozenset(map(itemgetter(0), encoded))
        is_empty = may_be_blank(firsts, joined) and any(map(is_blank, texts))
    if is_empty or longest > MAX_CHARACTERS or (signs and _are_damaged(texts, joined, signs)):
        raise InvalidValueError("not all texts can be sent as they are")
    if is_ascii and not signs.translate(None, SIGNS):
        parts = _parts_by_length(lengths, different, single=160, several=153)
    elif is_ascii and not joined.translate(None, _GSM_OF_ASCII):
        parts = _parts_with_doubles(texts, encoded, lengths, _NOT_DOUBLE_IN_GSM, single=160, several=153)
    else:
        parts = _count_ucs2(texts, encoded, lengths, is_in_bmp=_FIRST_BEYOND_THE_BMP.isdisjoint(signs))
        # A text that begins as nothing of GSM-7 does, like nearly all Persian ones, is UCS-2.
        if max(parts) > 1 and (is_ascii or not _FIRST_OF_GSM.isdisjoint(firsts)):
            parts = _correct_gsm(texts, encoded, lengths, parts)
    return parts if max(parts) <= MAX_PARTS else bytes(map(check_text, texts))


def _count_ucs2(
    texts: Sequence[str], encoded: Sequence[bytes], lengths: Sequence[int], *, is_in_bmp: bool
) -> bytes:
    if is_in_bmp:
        return _parts_by_length(lengths, frozenset(lengths), single=70, several=67)
    return _parts_with_doubles(texts, encoded, lengths, _NOT_DOUBLE_IN_UCS2, single=70, several=67)


def _correct_gsm(
    texts: Sequence[str], encoded: Sequence[bytes], lengths: Sequence[int], parts: bytes
) -> bytes:
    """Count the texts of GSM-7 anew among those that were counted as UCS-2."""
    beyond_gsm = _beyond_gsm().findall("\0".join([*texts, ""]))
    if all(beyond_gsm):
        return parts
    of_gsm = _parts_with_doubles(texts, encoded, lengths, _NOT_DOUBLE_IN_GSM, single=160, several=153)
    return bytes(
        count if beyond else other for count, other, beyond in zip(parts, of_gsm, beyond_gsm, strict=True)
    )


@cache
def _beyond_gsm() -> re.Pattern[str]:
    """Give the pattern that finds the first character beyond GSM-7 of each text, or none, before its NUL."""
    gsm = re.escape(GSM_BASIC + GSM_ESCAPED)
    return re.compile(f"[{gsm}]*+([^{gsm}\0]?)[^\0]*+\0")


def _are_damaged(texts: Iterable[str], joined: bytes, signs: Iterable[int]) -> bool:
    return may_be_damaged(joined, signs) and any(map(find_damage, texts))


def _parts_by_length(
    lengths: Sequence[int], different: Collection[int], *, single: int, several: int
) -> bytes:
    parts = _by_length(single, several)
    least, most = parts[min(different)], parts[max(different)]
    return bytes([most]) * len(lengths) if least == most else bytes(map(parts.__getitem__, lengths))


def _parts_with_doubles(
    texts: Sequence[str],
    encoded: Sequence[bytes],
    lengths: Sequence[int],
    others: bytes,
    *,
    single: int,
    several: int,
) -> bytes:
    """
    Count the parts of texts of which some have characters that count twice.

    :param others: the bytes that no such character begins with, in texts of this alphabet.
    """
    doubles = map(len, b"\0".join(encoded).translate(None, others).split(b"\0"))
    by_length = _by_length(single, several)
    return bytes(
        by_length[length + double] if not double or length + double <= single else count_parts(text)
        for text, length, double in zip(texts, lengths, doubles, strict=True)
    )


@cache
def _by_length(single: int, several: int) -> bytes:
    """Give the parts of texts in which every character counts once: the n-th is that of n characters."""
    return bytes(
        count_singles(length, single=single, several=several) for length in range(MAX_CHARACTERS + 1)
    )
