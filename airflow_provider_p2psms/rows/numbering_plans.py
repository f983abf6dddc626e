"""
Numbering plans as patterns: which spellings of which numbers are certainly valid, without asking a parser.

Each pattern is put together from the metadata of ``phonenumbers`` and says what its parser would do with a
number, for the usual ways of writing it. What it matches is valid and its E.164 form is known; what it does
not match may still be valid, and is the parser's to judge. So a rule that no pattern says (an area code
that stands in for a prefix, another country's prefix for calls abroad) costs time and never a wrong verdict.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final, cast

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc

from airflow_provider_p2psms.rows.dialling import MOST_DIGITS, prefix_abroad

_NEVER: Final = "(?!)"
# The likeliest first; which of them a number is does not matter.
_KINDS: Final = (
    "mobile fixed_line voip personal_number pager uan voicemail shared_cost toll_free premium_rate"
).split()


@cache
def spellings(country_code: int, region: str | None = None, *, mobiles_only: bool = False) -> re.Pattern[str]:
    """
    Compile what is certainly a valid number of a country code; its last group is the number behind that code.

    :param region: a region of this country code, for spellings without ``+``, as dialled there.
    :param mobiles_only: only those that are certainly mobile numbers, too.
    """
    main = _plan(country_code, COUNTRY_CODE_TO_REGION_CODE[country_code][0])
    abroad = rf"(?:\+|{certain_zeros(region)})" if region else r"\+"
    ways = [f"{abroad}{country_code}{_kept(main)}"]
    if region:
        ways += _ways_within(country_code, _plan(country_code, region), main)
    valid = _valid(country_code, mobiles_only=mobiles_only)
    return re.compile(f"(?:{'|'.join(ways)})({valid})", re.ASCII)


def certain_zeros(region: str) -> str:
    """
    Match 00 in front of a number where it certainly stands for ``+`` in a region.

    Where it is not the only prefix for calls abroad, no other one may fit, and no number of the region.
    """
    prefix = prefix_abroad(region)
    if prefix == "00":
        return prefix
    plan = PhoneMetadata.metadata_for_region(region)
    at_home = f"(?!{_uncaptured(_whole(plan))})" if plan else ""
    return rf"(?:{at_home}(?!(?:{prefix})(?<!00))00)"


def _plan(country_code: int, region: str) -> PhoneMetadata:
    return cast("PhoneMetadata", PhoneMetadata.metadata_for_region_or_calling_code(country_code, region))


def _general(plan: PhoneMetadata) -> PhoneNumberDesc:
    return cast("PhoneNumberDesc", plan.general_desc)


def _ways_within(code: int, here: PhoneMetadata, main: PhoneMetadata) -> list[str]:
    """Say how numbers are written in a region: as they are, behind a prefix, behind the country code."""
    whole = _whole(here)
    not_abroad = f"(?!00|{here.international_prefix or _NEVER})"
    too_long = rf"\d{{{_general(here).possible_length[-1] + 1}}}"
    # The parser takes the country code off only if the number could not be one with it.
    own = f"{not_abroad}(?:(?!{code})|(?={whole})(?!{too_long}))"
    ways = [f"{own}{_kept(here)}"]
    if prefix := here.national_prefix_for_parsing:
        # One with a rule to rewrite what follows is plain only if its last group took no part.
        plain = f"(?({_groups(prefix)}){_NEVER})" if here.national_prefix_transform_rule else ""
        # It is taken off for certain if a possible number is left; within one region a valid number is one.
        shares_code = len(COUNTRY_CODE_TO_REGION_CODE[code]) > 1
        possible = f"(?={_long(_lengths(here))})(?={whole})" if shares_code else ""
        ways.insert(0, rf"(?!\d{{{MOST_DIGITS + 1}}}){own}(?>{prefix}){plain}{possible}")
    ways.append(f"{not_abroad}(?!{whole}){code}(?={whole}){_kept(here)}{_kept(main)}")
    return ways


def _kept(plan: PhoneMetadata) -> str:
    """Look ahead at a number of which the parser takes no national prefix off."""
    prefix = plan.national_prefix_for_parsing
    if not prefix:
        return ""
    if plan.national_prefix_transform_rule:
        return f"(?!{_uncaptured(prefix)})"
    whole = _whole(plan)
    return f"(?:(?!{_uncaptured(prefix)})|(?={whole})(?!(?:{_uncaptured(prefix)}){whole}))"


def _valid(country_code: int, *, mobiles_only: bool) -> str:
    """Match a valid number of a country code: of the first of its regions that claims it."""
    pattern = _NEVER
    for region in reversed(COUNTRY_CODE_TO_REGION_CODE[country_code]):
        plan = _plan(country_code, region)
        wanted = own = _valid_in(plan)
        if mobiles_only:
            wanted = _mobile_in(plan)
        if claim := plan.leading_digits:
            pattern = f"(?:(?={claim}){wanted}|(?!{claim}){pattern})"
        elif mobiles_only:
            pattern = f"(?:{wanted}|(?!{own}){pattern})"
        else:
            pattern = f"(?:{own}|{pattern})"
    return pattern


def _valid_in(plan: PhoneMetadata) -> str:
    # The parser does not look at mobile numbers where their pattern is that of the fixed lines.
    return f"(?={_whole(plan)}){_of_kinds(plan, _KINDS[bool(plan.same_mobile_and_fixed_line_pattern) :])}"


def _mobile_in(plan: PhoneMetadata) -> str:
    # The parser asks for mobiles last: what may be one of the others, too, is left to it.
    mobile = _of_kinds(plan, _KINDS[1:2] if plan.same_mobile_and_fixed_line_pattern else _KINDS[:1])
    return f"(?={_whole(plan)})(?!{_of_kinds(plan, _KINDS[2:])}){mobile}"


def _of_kinds(plan: PhoneMetadata, kinds: Sequence[str]) -> str:
    """Match a whole number that has the pattern and a length of one of the kinds."""
    descriptions = (cast("PhoneNumberDesc | None", getattr(plan, kind)) for kind in kinds)
    patterns = (
        rf"(?={_long(_lengths(plan).intersection(kind.possible_length))})(?:{kind.national_number_pattern})\Z"
        for kind in descriptions
        if kind and kind.national_number_pattern
    )
    return f"(?:{'|'.join(patterns) or _NEVER})"


def _lengths(plan: PhoneMetadata) -> set[int]:
    """Give the lengths that a number has with its area code and fewer digits than ``to_e164`` takes."""
    most = MOST_DIGITS - len(str(plan.country_code))
    possible = {length for length in _general(plan).possible_length if length <= most}
    return possible.difference(_general(plan).possible_length_local_only)


def _whole(plan: PhoneMetadata) -> str:
    return rf"(?:{_general(plan).national_number_pattern})\Z"


def _long(lengths: set[int]) -> str:
    runs = "|".join(rf"\d{{{length}}}" for length in sorted(lengths, reverse=True))
    return rf"(?:{runs or _NEVER})\Z"


def _uncaptured(pattern: str) -> str:
    return re.sub(r"\((?!\?)", "(?:", pattern)


def _groups(pattern: str) -> int:
    return re.compile(pattern).groups
