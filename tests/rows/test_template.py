"""Templates: ``str.format`` with plain column names, and nothing that could surprise a customer."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Template, parse_template
from airflow_provider_p2psms.rows.unfit import UnfitError


def test_columns_are_named_once_in_order():
    """The columns of a template are known before any row is."""
    template = parse_template("{b}: {a}, {نام مشتری}, { b } {{not one}}")

    assert ("b", "a", "نام مشتری") == template.columns


def test_a_text_without_columns_is_a_template_too():
    """A constant text is sent to everyone, with its doubled braces as braces."""
    assert "Hello {you}" == parse_template("Hello {{you}}").fill({})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Dear {", "brace without its partner"),
        ("Dear }", "brace without its partner"),
        ("Dear {name", "brace without its partner"),
        ("Dear {}", "put the name of a column"),
        ("Dear { }", "put the name of a column"),
        ("Dear {0}", "put the name of a column"),
        ("Dear {a.b}", "reaches into a value"),
        ("Dear {a[0]}", "reaches into a value"),
        ("Dear {a!r}", "only !s"),
        ("Dear {a!a}", "only !s"),
        ("Dear {a:{b}}", "braces within a format"),
        ("", "empty"),
        (" \n", "empty"),
        ("a" * 1401, "1,400 characters"),
        ("a" * 1401 + "{b}", "1,400 characters"),
        ("\0{b}", "NUL"),
        (None, "NoneType"),
        (b"bytes", "bytes"),
    ],
)
def test_what_is_no_template_is_refused_when_parsed(text, reason):
    """A bad template is refused before any row is seen, and the error shows none of its words."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        parse_template(text)

    assert "Dear" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ("{x}", "متن", "متن"),
        ("{x}", "", ""),
        ("{x}", 1234, "1234"),
        ("{x}", 1234.0, "1234"),
        ("{x!s}", 1234.0, "1234"),
        ("{x!s:>6}", 1234.0, "  1234"),
        ("{x:,}", 1234.0, "1,234"),
        ("{x:d}", 1234.0, "1234"),
        ("{x:06d}", 1234, "001234"),
        ("{x:.2f}", 1234.0, "1234.00"),
        ("{x:.3}", 1234.0, "1.23e+03"),
        ("{x}", 12.5, "12.5"),
        ("{x}", Decimal("12.50"), "12.50"),
        ("{x:.1f}", Decimal("12.55"), "12.6"),
        ("{x}", True, "True"),
        ("{x}", date(2026, 3, 21), "2026-03-21"),
        ("{x:%d.%m.}", date(2026, 3, 21), "21.03."),
        ("{x}", datetime(2026, 3, 21, 8, tzinfo=UTC), "2026-03-21 08:00:00+00:00"),
        ("{x}", uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_are_written_as_their_owner_knows_them(text, value, filled):
    """Values are written as ``str.format`` does, and whole floats as the integers that they were."""
    assert filled == parse_template(text).fill({"x": value})


class Broken:
    """A value whose own code fails, and quotes its content."""

    def __format__(self, spec):
        raise ValueError("secret 09121234567")


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        ("{x}", {"y": 1, "z": 2}, "needs this column; found: y, z"),
        ("{x}", {}, "found: none"),
        ("{x}", {"x": None}, "has no value"),
        ("{x}", {"x": float("nan")}, "has no value"),
        ("{x}", {"x": pd.NA}, "has no value"),
        ("{x}", {"x": pd.NaT}, "has no value"),
        ("{x:d}", {"x": "secret"}, "does not take the format"),
        ("{x}", {"x": Broken()}, "does not take the format"),
        ("{x}", {"x": ["secret"]}, "holds a list"),
        ("{x}", {"x": b"secret"}, "holds a bytes"),
        ("{x}", {"x": {"secret": 1}}, "holds a dict"),
        ("{x}", {"x": 6.0379912e15}, "may have lost digits"),
    ],
)
def test_values_that_cannot_be_written(text, row, reason):
    """A column that is missing, empty or of another kind is named, its value is not shown."""
    with pytest.raises(UnfitError, match=reason) as caught:
        parse_template(text).fill(row)

    assert "x" == caught.value.column
    assert "secret" not in f"{caught.value}{caught.value.shape}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_template_shows_no_text():
    """The text is in no ``repr``."""
    assert "Template()" == repr(parse_template("Dear {name}"))
    assert isinstance(parse_template("x"), Template)


columns = st.text("abcنام _", min_size=1, max_size=6).filter(lambda name: name == name.strip())
literals = st.text(max_size=10).map(lambda text: text.replace("{", "{{").replace("}", "}}").replace("\0", ""))
values = st.integers() | st.text(max_size=5) | st.booleans() | st.decimals(allow_nan=False)


@given(st.lists(st.tuples(literals, columns, values), min_size=1, max_size=5), literals)
def test_good_templates_fill_as_str_format_does(pieces, tail):
    """For plain columns the result is that of ``str.format``, character by character."""
    text = "".join(f"{literal}{{{name}}}" for literal, name, _ in pieces) + tail
    row = {name: value for _, name, value in pieces}

    assert text.format(**row) == parse_template(text).fill(row)
