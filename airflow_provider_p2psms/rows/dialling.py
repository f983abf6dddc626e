"""
Digits as they are dialled somewhere, into the one number that they certainly are.

A number with ``+`` has one reading. Without it, digits may be a number of the region, or one of another
country behind a prefix for calls abroad: the region's own (011 in the US, 0011 in Australia), of which it
may have several, or 00, which people write for ``+`` in countries with another prefix, too. A reading counts
if the metadata of ``phonenumbers`` has its number; digits with two that count are refused.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from airflow_provider_p2psms.rows.invalid_value import InvalidValueError

# E.164, section 6: 15 digits with the country code; one more is a zero for the way within the country.
MOST_DIGITS: Final = 16
_E164_DIGITS: Final = range(8, 16)
_LIBRARY: Final = f"phonenumbers {phonenumbers.__version__}"
_AMBIGUOUS: Final = "may be two numbers, by two prefixes for calls abroad; write + and the country code"
_NO_COUNTRY: Final = "its country code is unknown"
_TOO_SHORT: Final = "too short for a phone number"
_TYPES: Final = {
    PhoneNumberType.FIXED_LINE: "a landline",
    PhoneNumberType.TOLL_FREE: "a toll-free number",
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.VOIP: "a VoIP number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a company's number",
    PhoneNumberType.VOICEMAIL: "a voicemail box",
}


class _Reading(NamedTuple):
    """Digits with ``+`` in front, or as they are dialled in a region (``region`` is not "")."""

    digits: str
    region: str = ""
    as_written: bool = False  # nothing but E.164 counts: no zero for the way within the country


def find_number(digits: str, region: str, *, trust_e164: bool, mobiles_only: bool) -> str:
    """
    Give the E.164 form of plain digits, with or without ``+`` in front.

    :param trust_e164: take a full number (``+`` or a prefix for calls abroad) that is not in the metadata.
    :param mobiles_only: refuse numbers that the metadata has as something else.
    :raises InvalidValueError: it is no number, or not surely one; shows no digit of it.
    """
    readings = _readings(digits, region)
    found = {form for each in readings if (form := _valid_form(each))}
    found = found or {form for each in readings if (form := _valid_form(each._replace(as_written=False)))}
    if trust_e164:
        found = found or {each.digits for each in readings if _is_plausible(each)}
    if len(found) > 1:
        raise InvalidValueError(_AMBIGUOUS)
    if not found:
        raise InvalidValueError(_why_invalid(readings[0]))
    (number,) = found
    if mobiles_only:
        _require_mobile(number)
    return number


def has_room(digits: str, region: str) -> bool:
    """Tell whether digits are few enough for a number, whatever prefix is in front of it."""
    return any(len(each.digits.lstrip("+")) <= MOST_DIGITS for each in _readings(digits, region))


def prefix_abroad(region: str) -> str:
    """Give the pattern of a region's own prefixes for calls abroad; it never matches if there is none."""
    plan = PhoneMetadata.metadata_for_region(region)
    return (plan and plan.international_prefix) or "(?!)"


def _readings(digits: str, region: str) -> Sequence[_Reading]:
    """Say what digits may mean, the likeliest first."""
    if digits.startswith("+"):
        return (_Reading(digits),)
    prefix = re.compile(prefix_abroad(region))
    first = prefix.match(digits)
    # As the parser has it: no country code begins with a zero.
    own = first.end() if first and digits[first.end() : first.end() + 1] != "0" else 0
    main = _Reading("+" + digits[own:]) if own else _Reading(digits, region)
    others = [end for end in range(1, len(digits)) if end != own and prefix.fullmatch(digits, 0, end)]
    if digits.startswith("00") and 2 not in (own, *others):
        others.append(2)
    return main, *(_Reading("+" + digits[end:], as_written=True) for end in others)


def _valid_form(reading: _Reading) -> str:
    """Give the E.164 form of a reading, "" if its number is not in the metadata."""
    if len(reading.digits.lstrip("+")) > MOST_DIGITS:
        return ""
    try:
        parsed = phonenumbers.parse(reading.digits, reading.region or None)
    except NumberParseException:
        return ""
    form = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    is_other = reading.as_written and form != reading.digits
    return "" if is_other or not phonenumbers.is_valid_number(parsed) else form


def _is_plausible(reading: _Reading) -> bool:
    """Tell whether a reading is E.164 to the letter: a known country, and a length that its numbers have."""
    if reading.region or len(reading.digits) - 1 not in _E164_DIGITS:
        return False
    try:
        parsed = phonenumbers.parse(reading.digits)
    except NumberParseException:
        return False
    as_written = phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == reading.digits
    return as_written and _has_a_length(parsed) and not _has_trunk_prefix(parsed)


def _has_a_length(parsed: PhoneNumber) -> bool:
    """Tell whether mobiles or landlines of its country are as long; others send and get no SMS."""
    return any(
        phonenumbers.is_possible_number_for_type_with_reason(parsed, kind) == ValidationResult.IS_POSSIBLE
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
    )


def _has_trunk_prefix(parsed: PhoneNumber) -> bool:
    """Tell whether the zero for calls within the country stands behind its country code: ``+49 0151…``."""
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    plan = PhoneMetadata.metadata_for_region(region)
    return bool(parsed.italian_leading_zero and plan and plan.national_prefix == "0")


def _require_mobile(number: str) -> None:
    """Refuse what is certainly no mobile; what the metadata does not have was trusted before."""
    kind = phonenumbers.number_type(phonenumbers.parse(number))
    if told := _TYPES.get(kind):
        raise InvalidValueError(f"is {told} and no mobile number, and only these are wanted (mobiles_only)")


def _why_invalid(reading: _Reading) -> str:
    """Say what is wrong with a number."""
    try:
        parsed = phonenumbers.parse(reading.digits, reading.region or None)
    except NumberParseException as err:
        is_unknown = err.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return _NO_COUNTRY if is_unknown else _TOO_SHORT
    if _has_trunk_prefix(parsed):
        parsed.italian_leading_zero = False  # the parser leaves it where it finds no number behind it
    country = reading.region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    elsewhere = "; one of another country needs + and its country code" if reading.region else ""
    match phonenumbers.is_possible_number_with_reason(parsed):
        case ValidationResult.TOO_SHORT:
            return f"too short for a number of {country}{elsewhere}"
        case ValidationResult.TOO_LONG:
            return f"too long for a number of {country}{elsewhere}"
        case ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            return f"lacks the area code that a number of {country} has"
        case _ if not _has_a_length(parsed):
            return f"no number of {country} has this length: a digit is missing or too many{elsewhere}"
        case _:
            return (
                f"no number of {country} is like this in {_LIBRARY}: a digit is missing, wrong or too many"
                f"{elsewhere}; if it is right, because its range is newer, write it in full (+ and the "
                "country code) and set trust_e164=True"
            )
