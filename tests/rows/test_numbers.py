"""Phone numbers: every honest spelling gives the same E.164, and nothing is guessed."""

from decimal import Decimal

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.numbers import to_e164

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
        ("0912123456", "no number of IR"),
        ("091212345678", "too long for a number of IR"),
        ("1" * 40, "too long for a phone number"),
        ("+", "holds no digits"),
        ("00", "too short"),
        ("0098", "too short"),
        ("+9991234567", "country code is unknown"),
        ("+0989121234567", "country code is unknown"),
        ("+98912123456", "no number of IR is like this"),
        ("+9891212345678", "too long for a number of IR"),
        ("+9121234567", "no number of IN is like this"),
    ],
)
def test_what_is_refused_says_why(typed, reason):
    """What cannot be read for certain is refused with a reason, and the reason shows no digit of it."""
    with pytest.raises(InvalidMessageError, match=reason.replace("+", r"\+")) as caught:
        to_e164(typed, "IR")

    assert not any(map(str.isdecimal, str(caught.value)))


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
    assert caught.value.__suppress_context__


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
