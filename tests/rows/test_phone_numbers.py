"""Phone numbers: every honest spelling gives the same E.164, and nothing is guessed."""

from decimal import Decimal

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.phone_numbers import to_e164

RIGHT = "+989121234567"
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
FULLWIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")
UNSEEN = (
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\u200c\u200d\u200b\ufeff\xad"
)
SPACES = " \xa0\u2009\u202f\u3000\t"
DASHES = "-\u2010\u2011\u2013\u2014\u2212_\u0640"


@pytest.mark.parametrize(
    "typed",
    [
        "09121234567",
        "9121234567",
        "989121234567",
        "00989121234567",
        "+989121234567",
        "+98 (0) 912 123 4567",
        "+98-0912-1234567",
        "(0912) 123-4567",
        "(+98)9121234567",
        "（0912）1234567",
        "0912.123.4567",
        "0912/1234567",
        "0912/123/4567",
        "0098912/1234567",
        "  09121234567\r\n",
        "'09121234567",
        "'09121234567'",
        "’09121234567",
        '="09121234567"',
        "tel:+98-912-123-4567",
        "TEL: 09121234567",
        "۰۹۱۲۱۲۳۴۵۶۷",
        "٠٩١٢١٢٣٤٥٦٧",
        "०९१२१२३४५६७",
        "９１２１２３４５６７",
        "9121234567.0",
        "9121234567.00",
        "۹۱۲۱۲۳۴۵۶۷٫۰",
        "989121234567.0",
        9121234567,
        989121234567,
        9121234567.0,
        np.int64(9121234567),
        np.float64(9121234567.0),
        Decimal("9121234567.00"),
        np.str_("09121234567"),
    ],
)
def test_spellings_of_one_number(typed):
    """However people and spreadsheets write it, a number has one E.164 form."""
    assert RIGHT == to_e164(typed, "IR")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (None, "is empty"),
        ("", "is empty"),
        ("  ", "is empty"),
        (float("nan"), "is empty"),
        (Decimal("sNaN"), "is empty"),
        (pd.NA, "is empty"),
        (pd.NaT, "is empty"),
        (np.datetime64("NaT", "s"), "is empty"),
        ("\u200f-", "holds no digits"),
        ("none", "holds no digits"),
        ("0912 CALL ME", "holds letters"),
        ("0912123456a", "holds letters"),
        ("09121234567 ext 5", "holds letters"),
        ("0912123456²", "holds a character"),
        ("0912*1234567", "holds a character"),
        ("9,121,234,567", "holds a character"),
        ("0912+1234567", "has a + within"),
        ("++989121234567", "has a + within"),
        ("9.12E+09", "digits were lost"),
        ("9,12e+09", "digits were lost"),
        ("۹٫۱۲E+۰۹", "digits were lost"),
        (np.float32(9121234567), "digits were lost"),
        ("9121234567.5", "not a whole number"),
        (9121234567.5, "not a whole number"),
        (Decimal("0.5"), "not a whole number"),
        ("09121234567, 09351234567", "more than one number"),
        ("09121234567/09351234567", "more than one number"),
        ("۰۹۱۲۱۲۳۴۵۶۷، ۰۹۳۵۱۲۳۴۵۶۷", "more than one number"),
        ("09121234567 و 09351234567", "more than one number"),
        ("09121234567 09351234567", "more than one number"),
        ("09121234567\n09351234567", "more than one number"),
        ("+989121234567+989351234567", "more than one number"),
        ("0912123456 (7)", "digits in brackets or behind a slash"),
        ("09121234567/8", "digits in brackets or behind a slash"),
        (float("inf"), "no phone number"),
        (-9121234567, "no phone number"),
        (0, "no phone number"),
        pytest.param(10**5000, "no phone number", id="huge"),
        (Decimal("1E+1000000"), "no phone number"),
        (True, "is a bool"),
        (b"09121234567", "is a bytes"),
        (["09121234567"], "is a list"),
        ({}, "is a dict"),
        (1j, "is a complex"),
        ("12", "too short for a number of IR; one of another country"),
        ("0912123456", "no number of IR has this length: a digit is missing or too many; one of another"),
        ("09401234567", "no number of IR is like this in phonenumbers"),
        ("091212345678", "too long for a number of IR"),
        ("1" * 40, "too long for a phone number"),
        ("+", "holds no digits"),
        ("00", "too short"),
        ("0098", "too short"),
        ("+9991234567", "country code is unknown"),
        ("+0989121234567", "country code is unknown"),
        ("+98912123456", "no number of IR has this length: a digit is missing or too many"),
        ("+989401234567", "no number of IR is like this in phonenumbers"),
        ("+9891212345678", "too long for a number of IR"),
        ("+9121234567", "no number of IN has this length"),
    ],
)
def test_what_is_refused_says_why(typed, reason):
    """What cannot be read for certain is refused with a reason, and the reason shows no digit of it."""
    with pytest.raises(InvalidMessageError, match=reason.replace("+", r"\+")) as caught:
        to_e164(typed, "IR")

    told = str(caught.value).replace(f"phonenumbers {phonenumbers.__version__}", "").replace("trust_e164", "")
    assert not any(map(str.isdecimal, told))


def test_a_number_without_its_area_code():
    """Where the area code alone is missing, the reason says so."""
    with pytest.raises(InvalidMessageError, match="lacks the area code that a number of US has"):
        to_e164("253-0000", "US")


def test_the_region_reads_short_numbers_only():
    """A region reads numbers without a country code, in its own prefixes; the others stand for themselves."""
    assert "+14155552671" == to_e164("415 555 2671", "US")
    assert RIGHT == to_e164("011 98 912 123 4567", "US")
    assert RIGHT == to_e164("0098 912 123 4567", "US")
    assert "+4915123456789" == to_e164("+49 151 23456789", "IR")


def test_no_chain_behind_a_refusal():
    """The parser's own error, which could quote the number, is not chained to the refusal."""
    with pytest.raises(InvalidMessageError) as caught:
        to_e164("+9991234567", "IR")

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("typed", "region", "expected"),
    [
        ("0011 32 12 34 56 78", "AU", "+3212345678"),
        ("0014 98 912 123 4567", "AU", RIGHT),
        ("00 98 912 123 4567", "AU", RIGHT),
        ("14110011 98 912 123 4567", "AU", RIGHT),
        ("0015 98 912 123 4567", "BR", RIGHT),
        ("00 55 11 96123 4567", "BR", "+5511961234567"),
        ("009 98 912 123 4567", "CO", RIGHT),
        ("001 98 912 123 4567", "HK", RIGHT),
        ("00 98 912 123 4567", "HK", RIGHT),
        ("008 98 912 123 4567", "ID", RIGHT),
        ("010 98 912 123 4567", "JP", RIGHT),
        ("001 98 912 123 4567", "KH", RIGHT),
        ("00700 98 912 123 4567", "KR", RIGHT),
        ("001 98 912 123 4567", "SG", RIGHT),
        ("009 98 912 123 4567", "TH", RIGHT),
        ("002 98 912 123 4567", "TW", RIGHT),
        ("8~10 98 912 123 4567".replace("~", ""), "RU", RIGHT),
        ("011 44 (0)20 7946 0958", "US", "+442079460958"),
        ("00 44 (0)20 7946 0958", "US", "+442079460958"),
        ("00 44 (0)20 7946 0958", "IR", "+442079460958"),
        ("00 1 415 555 2671", "KR", "+14155552671"),
        ("00 49 30 12345678901", "JP", "+493012345678901"),  # as digits of Japan they would be too many
    ],
)
def test_prefixes_for_calls_abroad(typed, region, expected):
    """The prefixes are those of the region; 00 stands for + everywhere if nothing else is possible."""
    assert expected == to_e164(typed, region)
    assert expected == to_e164(typed.translate(PERSIAN), region)


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("0016468124857", "AU"),
        ("0016497121234", "HK"),
        ("001 32 12 34 56 78", "KR"),
        ("001 32 12 34 56 78", "TH"),
    ],
)
def test_a_prefix_that_can_be_two(typed, region):
    """Where two prefixes give two valid numbers, nobody knows which one was meant."""
    with pytest.raises(InvalidMessageError, match="may be two numbers, by two prefixes for calls abroad"):
        to_e164(typed, region)
    with pytest.raises(InvalidMessageError, match="may be two numbers"):
        to_e164(typed, region, trust_e164=True)


def test_a_trusted_number_that_can_be_two():
    """Digits that may be two numbers which the metadata lacks are not trusted."""
    typed = "008 61 199 999 999"
    with pytest.raises(InvalidMessageError, match="is like this in phonenumbers"):
        to_e164(typed, "ID")
    with pytest.raises(InvalidMessageError, match="may be two numbers"):
        to_e164(typed, "ID", trust_e164=True)


@pytest.mark.parametrize("typed", ["+98 940 123 4567", "0098 940 123 4567", "۰۰۹۸۹۴۰۱۲۳۴۵۶۷"])
def test_a_number_that_the_metadata_lacks(typed):
    """A number of a new range is refused with the library's version, and taken in full if it is trusted."""
    with pytest.raises(InvalidMessageError, match=rf"{phonenumbers.__version__}.* set trust_e164=True"):
        to_e164(typed, "IR")

    assert "+989401234567" == to_e164(typed, "IR", trust_e164=True)
    assert "+989401234567" == to_e164("011 98 940 123 4567", "US", trust_e164=True)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("09401234567", "write it in full"),
        ("989401234567", "write it in full"),
        ("+98940123456", "has this length"),
        ("+98940123456789", "too long"),
        ("+9999401234567", "country code is unknown"),
        ("+49 0 100 1234567", "is like this"),
        ("+2909999", "too short|is like this"),
        ("+98" + "1" * 14, "too long for a phone number|too long for a number"),
    ],
)
def test_what_is_not_trusted(typed, reason):
    """Trust is for numbers in full, of a known country, as long as its numbers are."""
    with pytest.raises(InvalidMessageError, match=reason):
        to_e164(typed, "IR", trust_e164=True)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("021 8877 6655", "a landline"),
        ("+44 20 7946 0958", "a landline"),
        ("+1 800 555 1234", "a toll-free number"),
        ("+44 56 1234 5678", "a VoIP number"),
        ("+44 70 1234 5678", "a personal number"),
    ],
)
def test_mobiles_only(typed, kind):
    """Landlines are taken unless only mobiles are wanted; then the reason names what the number is."""
    assert to_e164(typed, "IR")
    with pytest.raises(InvalidMessageError, match=f"is {kind} and no mobile number"):
        to_e164(typed, "IR", mobiles_only=True)


@pytest.mark.parametrize("typed", ["09121234567", "+1 415 555 2671", "+44 7400 123456"])
def test_mobiles_among_mobiles(typed):
    """Mobile numbers pass, and those of countries where a number may be either."""
    assert to_e164(typed, "IR") == to_e164(typed, "IR", mobiles_only=True)


def test_a_trusted_number_among_mobiles():
    """What the metadata lacks is of no kind: it is taken if it is trusted."""
    assert to_e164("+989401234567", "IR", mobiles_only=True, trust_e164=True)


def national(region):
    """Draw from the numbers that the metadata holds for an example, with other digits at their end."""
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example
    digits = phonenumbers.national_significant_number(example)
    tails = st.text("0123456789", min_size=4, max_size=4)
    return tails.map(lambda tail: phonenumbers.parse(digits[:-4] + tail, region))


numbers = st.sampled_from(["IR", "DE", "US", "GB", "TR", "AE", "FR", "IN"]).flatmap(
    lambda region: st.tuples(st.just(region), national(region))
)


@st.composite
def spelled(draw):
    """Draw a valid number, and a spelling of it as people and their keyboards produce them."""
    region, number = draw(numbers.filter(lambda drawn: phonenumbers.is_valid_number(drawn[1])))
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    in_country = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    typed = draw(st.sampled_from([e164, "00" + e164[1:], in_country]))
    noise = st.lists(st.sampled_from(UNSEEN + SPACES + DASHES), max_size=2).map("".join)
    typed = "".join(char + draw(noise) for char in typed)
    typed = typed.translate(draw(st.sampled_from([{}, PERSIAN, ARABIC, FULLWIDTH])))
    return region, draw(st.sampled_from(["", "'", "\u200e", "\ufeff"])) + typed, e164


@given(spelled())
def test_any_spelling_gives_the_verdict_of_the_numbering_plan(drawn):
    """Marks, spaces, dashes and other scripts' digits change nothing about a valid number, in any region."""
    region, typed, e164 = drawn

    assert e164 == to_e164(typed, region)


@given(st.text("0123456789", min_size=1, max_size=15), st.sampled_from(["IR", "DE", "US"]))
def test_digits_alone_are_judged_by_the_numbering_plan(digits, region):
    """What comes out is valid by the metadata; what it calls valid comes out."""
    plain = "+" + digits.removeprefix("00") if digits.startswith("00") else digits
    try:
        parsed = phonenumbers.parse(plain, region)
        valid = phonenumbers.is_valid_number(parsed)
    except phonenumbers.NumberParseException:
        valid = False

    if valid:
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == to_e164(
            digits, region
        )
    else:
        with pytest.raises(InvalidMessageError):
            to_e164(digits, region)
