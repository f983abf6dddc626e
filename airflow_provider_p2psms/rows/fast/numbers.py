"""
The numbers of a column in one search. Buys 0.34 s of CPU instead of 0.50 s.

Columns in Persian digits, with spaces or dashes gain more: they are read three to five times as fast.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Final, cast

from phonenumbers import country_code_for_region

from airflow_provider_p2psms.rows.numbering_plans import spellings
from airflow_provider_p2psms.rows.phone_numbers import PLAIN

# What columns are typed with: digits of Persian and Arabic keyboards, marks and spaces. To replace these
# one by one takes a tenth of the time of a translation, which is fast for ASCII alone.
_USUAL: Final = tuple(
    (char, PLAIN[ord(char)] or "")
    for char in (
        *map(chr, (*range(0x06F0, 0x06FA), *range(0x0660, 0x066A))),
        *"\u00a0\u200b\u200c\u200e\u200f\u2010\u2011\u2013\u202a\u202b\u202c\u202f\ufeff",
    )
)


@cache
def known_column(
    region: str, *, mobiles_only: bool = False
) -> Callable[[Sequence[object]], list[str] | None]:
    """
    Give the reader of many numbers in one search: ``known_numbers`` of each that is a number of the region.

    "" for all others; ``None`` for columns that are not all text, or have line ends in them.
    """
    country_code = country_code_for_region(region)
    if not country_code:
        return lambda _values: None
    at_home = _any_line(_as_line(spellings(country_code, region, mobiles_only=mobiles_only)))
    in_full = _as_column(_as_line(spellings(country_code, mobiles_only=mobiles_only)))
    prefix = f"+{country_code}"

    def read_all(values: Sequence[object]) -> list[str] | None:
        if set(map(type, values)) != {str}:
            return None
        lines = "\n".join([*cast("Sequence[str]", values), ""])
        if lines.count("+") == len(values) == lines.count("\n") and in_full.fullmatch(lines):
            return cast("list[str]", list(values))  # they are E.164 as they stand
        if not lines.isascii():
            for char, plain in _USUAL:
                if char in lines:
                    lines = lines.replace(char, plain)
        lines = lines.translate(PLAIN)
        found = at_home.findall(lines)
        if len(found) != len(values):
            return None
        numbers = found if type(found[0]) is str else list(map(itemgetter(-1), found))
        return [number and prefix + number for number in numbers]

    return read_all


def _as_line(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """Make the pattern of a line in a column from that of a number: it stands there alone, and ends it."""
    line = pattern.pattern.replace(r"\Z", r"(?=\n)")
    return re.compile(rf"^{line}\n", re.ASCII | re.MULTILINE)


def _any_line(line: re.Pattern[str]) -> re.Pattern[str]:
    """Make a pattern that finds each line of a column; its groups are empty where one is no number."""
    return re.compile(rf"{line.pattern}|^.*\n", line.flags)


def _as_column(line: re.Pattern[str]) -> re.Pattern[str]:
    """Make the pattern of a whole column from that of its lines; none is tried in two ways."""
    return re.compile(rf"(?:{line.pattern})*+", line.flags)
