"""
Phone numbers as people type them and spreadsheets damage them, into E.164.

What a number is, is decided by the numbering plans of ``phonenumbers`` alone; there is no list of operators
here. What cannot be read for certain is refused with what to do, never guessed. Its parser is asked (in
``dialling``) only where the patterns of ``numbering_plans`` know nothing: it takes fifty times as long.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, country_code_for_region

from airflow_provider_p2psms.rows.cells import CellError
from airflow_provider_p2psms.rows.dialling import MOST_DIGITS, find_number, has_room
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.numbering_plans import certain_zeros, spellings
from airflow_provider_p2psms.rows.rounding import (
    LOST_DIGITS,
    LOST_ZEROS,
    ends_in_lost_zeros,
    is_coarse,
    is_quantity,
)
from airflow_provider_p2psms.rows.stand_ins import find_stand_in
from airflow_provider_p2psms.rows.values import is_missing, is_number

# Two runs of so many digits in one cell are two numbers.
_DIGITS_OF_A_NUMBER: Final = 7
_FLOAT32_LIMIT: Final = 2**24
_FLOAT_LIMIT: Final = 2**53


class _Plain(dict[int, str | None]):
    """
    The translation to plain digits, by what Unicode says of a character, so that no script is forgotten.

    Spaces, dashes, and what cannot be seen (bidi marks, joiners, byte order marks) go; the digits of any
    script become ASCII. These are kept once seen, there are not many of them; the rest, of which there are,
    is worked out each time and fills no memory.
    """

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        match unicodedata.category(char):
            case "Nd":
                return self.setdefault(code, str(unicodedata.decimal(char)))
            case "Zs" | "Cf" | "Pd":
                return self.setdefault(code, None)
            case _:
                return _LOOK_ALIKES.get(char, char)


_LOOK_ALIKES: Final = {
    "\N{FULLWIDTH PLUS SIGN}": "+",
    "\N{FULLWIDTH SOLIDUS}": "/",
    "\N{FULLWIDTH FULL STOP}": ".",
    "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
    "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
    "\N{MINUS SIGN}": "",
    "\N{ARABIC TATWEEL}": "",  # the dash that a Persian keyboard has at hand
    "\N{MIDDLE DOT}": "",
    "\N{ARABIC DECIMAL SEPARATOR}": ".",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
}
PLAIN: Final = _Plain({code: chr(code) for code in range(128)} | dict.fromkeys(map(ord, " -_\t"), None))
_GROUPING: Final = str.maketrans("", "", ".()/")
# What people and spreadsheets put around a number: Excel's text marker, its ="…" formula, a link.
_wrapped = re.compile(
    r"""'(?P<marked>[^']*)'?|="(?P<formula>[^"]*)"|tel:(?P<link>.*)""", re.IGNORECASE
).fullmatch
_is_number = re.compile(r"\+?[0-9]+").fullmatch
_is_float = re.compile(r"(\+?[0-9]+)\.0+").fullmatch
# Nobody puts a dot behind nine digits of a number: to drop it would add a digit to what was counted.
_is_fraction = re.compile(r"\+?[0-9]{9,}\.[0-9]+").fullmatch
# A few digits behind a number that is already told: a note, or the last digits of a second number.
_is_followed = re.compile(r".*[0-9](\([0-9]{1,3}\)|/[0-9]{1,3})").fullmatch
_is_scientific = re.compile(
    r"\+?[0-9]+([.,][0-9]+)?(e\+?[0-9]+|[x\xd7*]10(\^\+?[0-9]+|\*\*[0-9]+|[⁰¹²³⁴-⁹]+))", re.IGNORECASE
).fullmatch
_is_never_met = re.compile("(?!)")
_runs_of_digits = re.compile(r"\d+").findall

_EMPTY: Final = "is empty; it needs a phone number"
_TWO_NUMBERS: Final = "holds more than one number; a row holds one"
_TOO_LONG: Final = "too long for a phone number"
_DIGITS_LOST: Final = "digits were lost; format the column as text and fill it again"
_ROUNDED: Final = f"ends in six zeros, as rounded numbers do: {LOST_DIGITS}"
_NOT_WHOLE: Final = "is not a whole number; format the column as text"


def to_e164(value: object, region: str, *, trust_e164: bool = False, mobiles_only: bool = False) -> str:
    """
    Give the E.164 form of one number, however it was typed.

    :param region: the country of numbers without a country code.
    :param trust_e164: take a full number (``+``, or a prefix for calls abroad, and the country code) of a
        possible length that the metadata does not have.
    :param mobiles_only: refuse numbers that are certainly no mobile number.
    :raises InvalidValueError: it is no number, or not surely one; says why and what to do, and shows no
        digit.
    """
    typed = value if isinstance(value, str) else _digits_of(value)
    if known := known_numbers(region, mobiles_only=mobiles_only)(typed):
        return known
    plain = _plain(typed)
    if not _is_number(plain):
        raise InvalidValueError(_why_no_digits(typed, plain))
    if not has_room(plain, region):
        raise InvalidValueError(_TWO_NUMBERS if _holds_two(typed) else _TOO_LONG)
    return find_number(plain, region, trust_e164=trust_e164, mobiles_only=mobiles_only)


@cache
def known_numbers(region: str, *, mobiles_only: bool = False) -> Callable[[object], str]:
    """
    Give the reader of spellings that are certainly valid: their E.164 form, "" for all others.

    The country code of the region comes first and in one step; a country's patterns are compiled when its
    first number comes. What it does not know may still be a number: ``to_e164`` finds out, and says why not.
    Integers that end in six zeros are not certain: only the whole list tells (``rounding``).
    """
    country_code = country_code_for_region(region)
    at_home = spellings(country_code, region, mobiles_only=mobiles_only) if country_code else _is_never_met
    match, number, prefix = at_home.fullmatch, at_home.groups, f"+{country_code}"
    read_foreign = _foreign_numbers(region, mobiles_only=mobiles_only)

    def read(value: object) -> str:
        typed = value if isinstance(value, str) else _certain_digits_of(value)
        if found := match(typed):
            return prefix + found[number]
        plain = _plain(typed)
        if found := match(plain):
            return prefix + found[number]
        return read_foreign(plain)

    return read


def _foreign_numbers(region: str, *, mobiles_only: bool) -> Callable[[str], str]:
    """Give the reader of numbers with + or 00 and any country code."""
    codes = "|".join(map(str, COUNTRY_CODE_TO_REGION_CODE))
    is_abroad = re.compile(rf"(?:\+|{certain_zeros(region)})(?P<number>(?P<code>{codes})[0-9]*)").fullmatch

    def read(plain: str) -> str:
        if not (found := is_abroad(plain)):
            return ""
        full = f"+{found['number']}"
        return full if spellings(int(found["code"]), mobiles_only=mobiles_only).fullmatch(full) else ""

    return read


def _certain_digits_of(value: object) -> str:
    """Write a number that arrived as a number, "" if it may be a rounded one."""
    if type(value) is int and 0 < value < _FLOAT_LIMIT:
        return str(value) if value % LOST_ZEROS else ""
    digits = _digits_of(value)
    return "" if ends_in_lost_zeros(digits) else digits


def _digits_of(value: Any) -> str:
    """Write a number that arrived as a number; what is neither that nor text is refused."""
    if type(value) in {int, float} and 0 < value < _FLOAT_LIMIT and value == int(value):
        if type(value) is float and not value % LOST_ZEROS:
            raise InvalidValueError(_ROUNDED)
        return str(int(value))
    if is_missing(value):
        raise InvalidValueError(_EMPTY)
    if isinstance(value, CellError):
        raise InvalidValueError(value.reason)
    if not is_number(value):
        raise InvalidValueError(f"is a {type(value).__name__}, not a phone number")
    if not 0 < value < 10**MOST_DIGITS:
        raise InvalidValueError("is a number, but no phone number")
    if value != int(value):
        raise InvalidValueError(_NOT_WHOLE)
    if is_coarse(type(value).__name__) and value >= _FLOAT32_LIMIT:
        raise InvalidValueError(_DIGITS_LOST)
    digits = str(int(value))
    if is_quantity(value) and ends_in_lost_zeros(digits):
        raise InvalidValueError(_ROUNDED)
    return digits


def _plain(typed: str) -> str:
    """Reduce a spelling to digits and a leading +; what has other characters comes back with them."""
    plain = typed.translate(PLAIN).strip()
    if _is_number(plain):
        return plain
    if found := _wrapped(plain):
        plain = "".join(filter(None, found.groups()))
    if found := _is_float(plain):  # 9121234567.0: a spreadsheet or pandas took the number for a quantity
        return plain if ends_in_lost_zeros(found[1]) else found[1]
    if _is_fraction(plain) or _is_followed(plain) or ("/" in plain and _holds_two(plain)):
        return plain
    return plain.translate(_GROUPING)


def _holds_two(text: str) -> bool:
    # Zeros in front do not count: 0098912/1234567 is one number.
    return sum(len(run.lstrip("0")) >= _DIGITS_OF_A_NUMBER for run in _runs_of_digits(text)) > 1


def _why_no_digits(typed: str, plain: str) -> str:
    """Name what stands in the way, the most telling first."""
    stand_in = find_stand_in(typed)
    faults = (
        (is_blank(typed), _EMPTY),
        (bool(stand_in), stand_in),
        (_is_scientific(plain), _DIGITS_LOST),
        (_is_float(plain), _ROUNDED),
        (_holds_two(plain), _TWO_NUMBERS),
        (_is_fraction(plain), _NOT_WHOLE),
        (_is_followed(plain), "has digits in brackets or behind a slash at its end; write one number only"),
        (not any(map(str.isdecimal, plain)), "holds no digits; it needs a phone number"),
        (any(map(str.isalpha, plain)), "holds letters; write digits only"),
        ("+" in plain[1:], "has a + within it; write it in front of the country code"),
    )
    other = "holds a character that no phone number has; write digits only"
    return next((reason for is_so, reason in faults if is_so), other)
