"""Texts: what the gateway takes, and how many parts it is estimated to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.rows import count_parts
from airflow_provider_p2psms.rows.fast.texts import check_texts
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.message import encode_all
from airflow_provider_p2psms.rows.sms_text import check_text

GSM_DOUBLES = "^{}\\[~]|€\f"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("€" * 152, 2),
        ("€" * 153, 3),  # 76 fit into a part of 153: the half left over is lost
        ("a" + "€" * 76, 1),
        ("a" + "€" * 152, 2),
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("س" * 70, 1),
        ("س" * 71, 2),
        ("س" * 134, 2),
        ("س" * 135, 3),
        ("a" * 69 + "س", 1),
        ("ç" * 70, 1),  # only the capital is in GSM-7
        ("ç" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 66, 2),
        ("😀" * 67, 3),
        ("@£$¥èéùìòÇ\nØø\rÅå" * 10, 1),
    ],
)
def test_parts(text, parts):
    """GSM-7 has 160 and 153 characters, anything else 70 and 67 UTF-16 units; no character is split."""
    assert parts == count_parts(text)


@given(st.text("aß" + GSM_DOUBLES, min_size=81) | st.text("سa😀", min_size=36))
def test_parts_are_those_of_filling_one_by_one(text):
    """Counting in one go agrees with putting character after character into parts."""
    is_gsm = not set(text) & set("س😀")
    double = GSM_DOUBLES if is_gsm else "😀"
    single, several = (160, 153) if is_gsm else (70, 67)
    units = [2 if char in double else 1 for char in text]

    parts, room = 1, several
    for unit in units:
        if unit > room:
            parts, room = parts + 1, several
        room -= unit

    assert count_parts(text) == (1 if sum(units) <= single else parts)


@pytest.mark.parametrize("text", ["x", " x\n", "a" * 1400, "س" * 1340, "{not} a template", "۱۲۳"])
def test_texts_that_can_be_sent(text):
    """A text up to the gateway's limits is taken."""
    assert count_parts(text) == check_text(text)


@pytest.mark.parametrize(
    ("text", "reason", "shape"),
    [
        ("", "empty", ""),
        (" \n\t\u3000", "empty", ""),
        ("a" * 1401, "1,400 characters", "(1,401 characters)"),
        ("س" * 1341, "takes 21 SMS parts", "(1,341 characters)"),
        ("a\0b", "NUL", "(3 characters)"),
        ("a\ud83d", "half a character", "(2 characters)"),
    ],
)
def test_texts_that_cannot_be_sent(text, reason, shape):
    """A text that is empty, too long or broken is refused by its length, not by its words."""
    with pytest.raises(InvalidValueError, match=reason) as caught:
        check_text(text)

    assert shape == caught.value.shape


@given(
    st.lists(
        st.sampled_from(["hi", " ", "", "س" * 80, "a" * 200, "[" * 100, "😀" * 40, "a\0", "س" * 1_341])
        | st.text(alphabet="aß\n[€Ωسç", min_size=60, max_size=170)
        | st.text(),
        min_size=1,
    )
)
def test_many_texts_count_as_each_alone(texts):
    """Many texts at once have the parts that each has, and are refused if one of them is."""
    try:
        alone = list(map(check_text, texts))
    except InvalidValueError:
        alone = None
    try:
        together = list(check_texts(texts, encode_all(texts)))
    except (InvalidValueError, UnicodeEncodeError):
        together = None

    assert alone == together
