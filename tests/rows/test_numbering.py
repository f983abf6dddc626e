"""Numbering plans as patterns: what they know is what the parser would say, in any region."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.numbers import known_columns, known_numbers, to_e164

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
SHARED_CODES = sorted({r for found in COUNTRY_CODE_TO_REGION_CODE.values() if len(found) > 1 for r in found})
# With prefixes that rewrite numbers, leading zeros that stay, and numbers that begin like their country code.
INTRICATE = ["AR", "AU", "BR", "DE", "FI", "IN", "IR", "IT", "KZ", "MX", "RU", "SM", "UY", "VA"]
KINDS = [getattr(PhoneNumberType, name) for name in dir(PhoneNumberType) if name.isupper()]
# Every number of theirs begins with what may be a prefix: the parser reads them.
LEFT_TO_THE_PARSER = {"AR"}


def parsed(digits, region):
    """Give what the parser alone makes of a number: its E.164 form, "" for one that is not valid."""
    plain = "+" + digits[2:] if digits.startswith("00") else digits
    if len(plain.lstrip("+")) > 16:
        return ""
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        return ""
    return (
        phonenumbers.format_number(number, PhoneNumberFormat.E164)
        if phonenumbers.is_valid_number(number)
        else ""
    )


@st.composite
def dialled(draw):
    """Draw an example of any kind from any region, with other digits, in some spelling, dialled somewhere."""
    region = draw(st.sampled_from(INTRICATE) | st.sampled_from(SHARED_CODES) | st.sampled_from(REGIONS))
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in KINDS]
    number = draw(st.sampled_from([example for example in examples if example]))
    digits = list(phonenumbers.national_significant_number(number))
    for _ in range(draw(st.integers(0, 4))):
        digits[draw(st.integers(0, len(digits) - 1))] = draw(st.sampled_from("0123456789"))
    cut = draw(st.sampled_from([0, 0, 0, 0, 1, 2]))
    national = "".join(digits)[: len(digits) - cut] + draw(st.sampled_from(["", "", "", "", "0", "12"]))
    code, prefix = str(plan.country_code), plan.national_prefix or "0"
    before = draw(
        st.sampled_from(["", code, "+" + code, "00" + code, prefix])
        | st.sampled_from(
            ["0", "1", "8", "15", "031", "011" + code, f"+{code}0", f"{code}{prefix}", code * 2]
        )
        | st.text("0123456789", max_size=3)
    )
    return before + national, draw(st.just(region) | st.just(region) | st.sampled_from(REGIONS))


@given(dialled())
@settings(max_examples=600)
def test_the_patterns_say_what_the_parser_says(drawn):
    """What the patterns know is valid and has the parser's form; all else has the parser's verdict."""
    digits, region = drawn
    expected = parsed(digits, region)

    assert known_numbers(region)(digits) in {"", expected}
    if expected:
        assert expected == to_e164(digits, region)
    else:
        with pytest.raises(InvalidMessageError):
            to_e164(digits, region)


@given(
    st.text("0123456789", min_size=1, max_size=18), st.sampled_from(REGIONS), st.sampled_from(["+", "00", ""])
)
def test_digits_at_random(digits, region, before):
    """Digits that nobody chose are judged as the parser judges them."""
    assert known_numbers(region)(before + digits) in {"", parsed(before + digits, region)}


def spell(number):
    """Give the usual spellings of a number in its region."""
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    in_country = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return e164, "00" + e164[1:], e164[1:], in_country, phonenumbers.national_significant_number(number)


@pytest.mark.parametrize("region", sorted(set(REGIONS) - LEFT_TO_THE_PARSER))
def test_usual_numbers_need_no_parser(region):
    """In every region but few, the patterns know mobile and fixed numbers in all their usual spellings."""
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in KINDS[:2]]
    spellings = [spelling for example in examples if example for spelling in spell(example)]
    valid = [spelling for spelling in spellings if to_e164_or_none(spelling, region)]

    assert [] == [spelling for spelling in valid if not known_numbers(region)(spelling)]


def to_e164_or_none(spelling, region):
    try:
        return to_e164(spelling, region)
    except InvalidMessageError:
        return None


def test_numbers_of_a_region_that_is_none():
    """Without a country to read them in, numbers with a country code are read all the same."""
    assert "+989121234567" == to_e164("+98 912 123 4567", "XX")
    with pytest.raises(InvalidMessageError, match="country code is unknown"):
        to_e164("09121234567", "XX")


def spellings_of(region):
    """Give examples of a region's numbers in all usual spellings."""
    plans = filter(None, (phonenumbers.example_number_for_type(region, kind) for kind in KINDS))
    return [
        f"{before}{plan.national_number}"
        for plan in plans
        for before in ("", "0", f"+{plan.country_code}", f"00{plan.country_code}", f"{plan.country_code}")
    ]


@pytest.mark.parametrize("region", REGIONS)
def test_a_column_reads_as_its_numbers(region):
    """Good numbers of a region, all at once and in one search, give what each gives by itself."""
    good = [number for number in spellings_of(region) if known_numbers(region)(number)]

    assert list(map(known_numbers(region), good)) == known_columns(region)(good)


@given(region=st.sampled_from(INTRICATE) | st.sampled_from(REGIONS), data=st.data())
@settings(deadline=None)
def test_any_column_reads_as_its_cells(region, data):
    """Whatever stands in a column, line ends included, each cell is read as if it stood alone."""
    cell = st.sampled_from(spellings_of(region) or [""]) | st.from_regex(r"\A[+0-9\n]{0,14}\Z")
    column = data.draw(st.lists(cell, min_size=1, max_size=6))

    assert list(map(known_numbers(region), column)) == known_columns(region)(column)
