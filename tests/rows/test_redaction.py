"""Masks: the shape of what stood in a row, never its content."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.rows import mask
from airflow_provider_p2psms.rows.redaction import describe_columns


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("09121234567", "•••••••••67"),
        ("+98 912-123 4567", "+•• •••-••• ••67"),
        ("۰۹۱۲۱۲۳۴۵۶۷", "•••••••••۶۷"),
        ("Ali رضا", "xxx xxx"),
        ("a1b2c3", "x•x2x3"),
        ("½", "•"),
        ("a\nb\u200f", "x?x?"),
        ("x" * 24, "x" * 24),
        ("x" * 25, "x" * 23 + "…"),
        ("1" * 30, "•" * 23 + "…"),
        (9121234567, "••••••••67"),
        (9121234567.0, "•••••••••7.0"),
        (None, ""),
        (float("nan"), ""),
        (pd.NA, ""),
        (True, "(bool)"),
        (["09121234567"], "(list)"),
        (b"09121234567", "(bytes)"),
        pytest.param(10**5000, "(int)", id="huge"),
    ],
)
def test_masks(value, masked):
    """Digits but the last two, and letters, are hidden; what is no text or number is named by its type."""
    assert masked == mask(value)


@given(st.text())
def test_a_mask_is_short_and_tells_nothing(text):
    """A mask has at most 24 characters, two digits, and no letter but its own."""
    masked = mask(text)

    assert len(masked) <= 24
    assert sum(map(str.isdecimal, masked)) <= 2
    assert not any(char.isalpha() and char != "x" for char in masked)


def test_columns_are_listed_up_to_ten():
    """Names of columns are shown, and how many more there are."""
    names = [f"c{n}" for n in range(13)]

    assert "found: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 3 more" == describe_columns(names)
    assert "found: none" == describe_columns([])
    assert "found: a b, (41 characters), 3" == describe_columns(["a\nb", "x" * 41, 3])


def test_names_that_look_like_people_are_not_shown():
    """A file without a header has numbers and texts for names, which are not shown."""
    assert "Ali" not in describe_columns(["09121234567", "Hello Ali"])
    assert "header row" in describe_columns(["۰۹۱۲۱۲۳۴۵۶۷", "Hello Ali"])
