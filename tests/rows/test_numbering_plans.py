"""Numbering plans as patterns: what they know is what the parser would say, in any region."""

import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.fast.numbers import known_column
from airflow_provider_p2psms.rows.phone_numbers import known_numbers, to_e164

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
SHARED_CODES = sorted({r for found in COUNTRY_CODE_TO_REGION_CODE.values() if len(found) > 1 for r in found})
# With prefixes that rewrite numbers, leading zeros that stay, and numbers that begin like their country code.
INTRICATE = ["AR", "AU", "BR", "DE", "FI", "IN", "IR", "IT", "KZ", "MX", "RU", "SM", "UY", "VA"]
# Regions with prefixes for calls abroad that are not 00, and such prefixes.
ABROAD = ["AU", "BO", "BR", "CO", "FI", "HK", "ID", "JP", "KH", "KR", "KZ", "SG", "TH", "TJ", "TW", "US"]
PREFIXES = ["0011", "0014", "001", "002", "005", "0015", "0055", "008", "009", "010", "810", "00700", "0030"]
KINDS = [getattr(PhoneNumberType, name) for name in dir(PhoneNumberType) if name.isupper()]
# Every number of theirs begins with what may be a prefix: the parser reads them.
LEFT_TO_THE_PARSER = {"AR"}
# Where 00 and a country code begin like another prefix for calls abroad, or like a number of the region.
ZEROS_LEFT_TO_THE_PARSER = {"BR", "CO", "CV", "HK", "ID", "JP", "KH", "KR", "SG", "TH", "WS"}
# Numbers have more kinds than the profile's examples show: `make explore` draws 9,000.
EXAMPLES = 3 * settings().max_examples
# These compile the patterns of every region. Python's compiler is written in Python: coverage slows it down.
NOT_MEASURED = pytest.mark.no_cover


def each_once(regions):
    """Give cases of which one process runs all of a region: it compiles the region's patterns once."""
    return [pytest.param(region, marks=pytest.mark.xdist_group(f"numbers of {region}")) for region in regions]


def valid(digits, region=None, *, exact=False):
    """Give what the parser alone makes of a number: its E.164 form, "" for one that is not valid."""
    if len(digits.lstrip("+")) > 16:
        return ""
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    form = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return form if phonenumbers.is_valid_number(number) and (form == digits or not exact) else ""


def parsed(digits, region):
    """Give the only number that digits can be, by any prefix for calls abroad that may be in front of it."""
    if digits.startswith("+"):
        return valid(digits)
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan
    prefix = re.compile(plan.international_prefix or "(?!)")
    own = prefix.match(digits)
    dialled = own and digits[own.end() : own.end() + 1] != "0"
    found = {valid("+" + digits[own.end() :]) if own and dialled else valid(digits, region)}
    behind = [digits[end:] for end in range(1, len(digits)) if prefix.fullmatch(digits[:end])]
    if digits.startswith("00"):
        behind.append(digits[2:])
    found |= {valid("+" + rest, exact=True) for rest in behind}
    if found == {""}:
        found = {valid("+" + rest) for rest in behind}
    found -= {""}
    return found.pop() if len(found) == 1 else ""


def mobile(e164):
    """Tell whether the metadata has a valid number as one that may be a mobile."""
    kind = phonenumbers.number_type(phonenumbers.parse(e164))
    return kind in {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


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
        | st.sampled_from(PREFIXES).map(lambda abroad: abroad + code)
        | st.sampled_from(
            ["0", "1", "8", "15", "031", "011" + code, f"+{code}0", f"{code}{prefix}", code * 2]
        )
        | st.text("0123456789", max_size=3)
    )
    return before + national, draw(
        st.just(region) | st.just(region) | st.sampled_from(ABROAD) | st.sampled_from(REGIONS)
    )


@given(dialled())
@settings(max_examples=EXAMPLES)
def test_the_patterns_say_what_the_parser_says(drawn):
    """What the patterns know is valid and has the parser's form; all else has the parser's verdict."""
    digits, region = drawn
    expected = parsed(digits, region)

    assert known_numbers(region)(digits) in {"", expected}
    assert expected == (to_e164_or_none(digits, region) or "")


@given(dialled(), st.booleans())
@settings(max_examples=EXAMPLES)
def test_mobiles_and_trust(drawn, trust):
    """With all options, too, what the patterns know is what the long way round finds."""
    digits, region = drawn
    expected = parsed(digits, region)
    found = to_e164_or_none(digits, region, trust_e164=trust, mobiles_only=True) or ""

    assert known_numbers(region, mobiles_only=True)(digits) in {"", found}
    if expected:
        assert found == (expected if mobile(expected) else "")
    elif found:
        assert trust
        assert found[1:] in digits
        assert not valid(found, exact=True)


@NOT_MEASURED
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


@pytest.mark.sampled(61)
@NOT_MEASURED
@pytest.mark.parametrize("region", each_once(sorted(set(REGIONS) - LEFT_TO_THE_PARSER)))
def test_usual_numbers_need_no_parser(region):
    """In every region but few, the patterns know mobile and fixed numbers in all their usual spellings."""
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in KINDS[:2]]
    spellings = [spelling for example in examples if example for spelling in spell(example)]
    left_out = "00" if region in ZEROS_LEFT_TO_THE_PARSER else "none"
    good = [each for each in spellings if to_e164_or_none(each, region) and not each.startswith(left_out)]

    assert [] == [spelling for spelling in good if not known_numbers(region)(spelling)]


def to_e164_or_none(spelling, region, **options):
    try:
        return to_e164(spelling, region, **options)
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


@pytest.mark.sampled(99)
@NOT_MEASURED
@pytest.mark.parametrize("mobiles_only", [False, True])
@pytest.mark.parametrize("region", each_once(REGIONS))
def test_a_column_reads_as_its_numbers(region, mobiles_only):
    """Good numbers of a region, all at once and in one search, give what each gives by itself."""
    read = known_numbers(region, mobiles_only=mobiles_only)
    good = [number for number in spellings_of(region) if read(number)]

    column, each = known_column(region, mobiles_only=mobiles_only)(good), list(map(read, good))
    assert column is None or each == [number or one for number, one in zip(column, each, strict=True)]
    assert all(mobile(read(number)) for number in good) or not mobiles_only


PERSIAN, ARABIC = (str.maketrans("0123456789", digits) for digits in ("۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩"))
TYPED = st.lists(
    st.one_of(
        st.from_regex(r"(0|\+98|0098|98|)9[0-9]{9}", fullmatch=True),
        st.text(st.sampled_from("0۱٢9+ -\u200f\u00a0()/.\n\tx７"), max_size=12),
    ),
    min_size=1,
)


@given(
    TYPED,
    st.sampled_from([{}, PERSIAN, ARABIC]),
    st.sampled_from(["", " ", "-", "\u200f", "\u00a0", "\u2013"]),
)
def test_a_column_reads_as_its_spellings(values, digits, between):
    """Whatever digits, spaces, dashes and marks it is typed with, a column gives what each number gives."""
    typed = [f"{value[:4]}{between}{value[4:]}{between}".translate(digits) for value in values]

    column, each = known_column("IR")(typed), list(map(known_numbers("IR"), typed))
    assert column is None or each == [number or one for number, one in zip(column, each, strict=True)]


def test_usual_spellings_are_read_at_once():
    """Columns as they are typed in Iran need no look at each number."""
    for typed in ("0912 123 4567", "0912-123-4567", "۰۹۱۲۱۲۳۴۵۶۷", "٠٩١٢١٢٣٤٥٦٧", "\u200f+98 912 123 45 67"):
        assert ["+989121234567", "+989351234567"] == known_column("IR")([typed, "۹۳۵ ۱۲۳ ۴۵ ۶۷"])


@NOT_MEASURED
def test_mobiles_need_no_parser():
    """Nearly all regions' mobile numbers are known by their patterns where only mobiles are wanted."""
    kind = PhoneNumberType.MOBILE
    examples = {region: phonenumbers.example_number_for_type(region, kind) for region in REGIONS}
    spelled = {
        region: phonenumbers.format_number(example, PhoneNumberFormat.E164)
        for region, example in examples.items()
        if example
    }
    unknown = [r for r, number in spelled.items() if not known_numbers(r, mobiles_only=True)(number)]

    assert LEFT_TO_THE_PARSER == set(unknown)


def test_a_column_in_full():
    """A column of E.164 numbers of the region is taken as it stands."""
    column = ["+989121234567", "+989351234567"]

    assert column == known_column("IR")(column)
    assert [*column, "", ""] == known_column("IR")([*column, "+4915123456789", "x"])
    assert known_column("IR")([*column, "0912\n1234567"]) is None
    assert known_column("IR")([*column, 9121234567]) is None


def test_a_column_of_a_region_that_is_none():
    """Without a country, numbers are read one by one."""
    assert known_column("XX")(["+989121234567"]) is None


@NOT_MEASURED
@given(region=st.sampled_from(INTRICATE) | st.sampled_from(REGIONS), data=st.data())
@settings(deadline=None)
def test_any_column_reads_as_its_cells(region, data):
    """Whatever stands in a column, line ends included, each cell is read as if it stood alone."""
    cell = st.sampled_from(spellings_of(region) or [""]) | st.from_regex(r"\A[+0-9\n]{0,14}\Z")
    column = data.draw(st.lists(cell, min_size=1, max_size=6))

    assert known_column(region)(column) in (None, list(map(known_numbers(region), column)))
