"""Templates: ``str.format`` with plain column names, and nothing that could surprise a customer."""

import enum
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import (
    RowRules,
    Template,
    check_rows,
    parse_template,
    read_rows,
    render_text,
)
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError


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
        ("{b} #N/A", "error value"),
        ("NULL", "text holds a word that programs write for no value"),
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
    with pytest.raises(InvalidValueError, match=reason) as caught:
        parse_template(text).fill(row)

    assert "x" == caught.value.column
    assert "secret" not in f"{caught.value}{caught.value.shape}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


class Bare:
    """An object of which Python knows no more than where it is."""


@dataclass
class Point:
    """An object that Python shows as its code."""

    secret: int = 1


class Told:
    """An object with a text of its own."""

    def __str__(self):
        return "told"


class Paid(enum.Enum):
    YES = "yes"


class Kind(enum.StrEnum):
    GOLD = "gold"


class Size(str, enum.Enum):  # noqa: UP042 - as code from before Python 3.11 has it
    BIG = "big"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Told(), "told"),
        (Kind.GOLD, "gold"),
        (Size.BIG, "big"),
        (Level.HIGH, "3"),
        (np.str_("علی"), "علی"),
        (np.int64(7), "7"),
        (np.float64(1234.0), "1234"),
        (Fraction(1, 2), "1/2"),
        (timedelta(hours=1), "1:00:00"),
        (pd.Timestamp("2026-03-21"), "2026-03-21 00:00:00"),
        (time(8, 30), "08:30:00"),
        (np.bool_(True), "True"),
    ],
)
def test_objects_with_a_text_of_their_own(value, text):
    """What has a text is written as it says."""
    assert text == parse_template("{x}").fill({"x": value})
    assert [text] == parse_template("{x}").fill_all(lambda _: [value], 1)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Bare(), "holds a value of type Bare, which has no text of its own"),
        (Point(), "holds a value of type Point, which has no text of its own"),
        (Paid.YES, "member of the enumeration Paid; hand in its value"),
        (len, "no text of its own"),
        (lambda: None, "holds a value of type function"),
        (enum, "holds a value of type module"),
        (Bare, "holds a value of type type"),
        (..., "holds a value of type ellipsis"),
        (float("inf"), "is infinite"),
        (Decimal("-Infinity"), "is infinite"),
        (np.float32("inf"), "a word that programs write for no value"),
        ("<a.Bare object at 0x7f8f>", "what Python writes for an object"),
        (np.str_("nan"), "a word that programs write for no value"),
    ],
)
def test_objects_without_a_text_are_refused(value, reason):
    """What Python writes for an object that has no text of its own is nothing to be sent."""
    rows = read_rows([{"recipient": "09121234567", "x": value}])
    (problem,) = check_rows(rows, RowRules(text="Dear {x}"))

    assert isinstance(problem, RowProblem)
    assert ("x", True) == (problem.column, reason in problem.reason)
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Hello {name}", "Hello {name}"),
        ("Use {{ '{{' }}code{{ '}}' }}", "Use {{code}}"),
        ("{% if 1 %}a{% endif %}{# no #}", "a"),
        ("{% raw %}{{a}}{% endraw %}", "{{a}}"),
    ],
)
def test_a_text_is_rendered_as_airflow_does(text, sent):
    """Jinja comes first, and its braces give those that stand for one beside columns."""
    assert sent == render_text(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Dear {{name}}", "only a run in Airflow has.*{name} for a column"),
        ("{{ ds }}", "only a run in Airflow has"),
        ("Use {{ and }}", "write {{ '{{' }} for an opening brace"),
        ("Use {{ }}", "cannot read it; write {{ '{{' }} for an opening brace"),
        ("{%d}", "cannot read it"),
        ("{#id} secret", "cannot read it"),
        ("{{ 1 / 0 }}", "fails when Jinja renders it"),
    ],
)
def test_a_text_that_the_operator_cannot_render_is_refused(text, reason):
    """A text with Jinja's braces is refused where it has no value, with what to write."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        render_text(text)

    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_without_jinja_a_text_of_its_syntax_is_refused():
    """Where Jinja is not installed, texts without its syntax are taken all the same."""
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from airflow_provider_p2psms.rows import render_text\n"
        "print(render_text('Dear {name}'))\n"
        "try: render_text('{{ 1 }}')\n"
        "except ValueError as err: print(err)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told.startswith("Dear {name}\n")
    assert "install jinja2" in told


def test_without_jinja_is_an_error_of_ours(monkeypatch):
    """It is the caller's error, told in full."""
    monkeypatch.setitem(sys.modules, "jinja2", None)

    with pytest.raises(InvalidMessageError, match="install jinja2"):
        render_text("{{ 1 }}")


@pytest.mark.parametrize("text", ["Dear {", "Dear }", "Dear {}"])
def test_the_advice_on_braces_can_be_followed_in_an_operator(text):
    """What an error says to write for a brace gives that brace, after Jinja."""
    with pytest.raises(InvalidMessageError) as caught:
        parse_template(text)
    braces = re.findall(r"{{ '..' }}", str(caught.value))

    assert "{ }" == parse_template(render_text(" ".join(braces))).fill({})


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ("{x:,}", 1234567, "1,234,567"),
        ("{x:,}", 1234567.0, "1,234,567"),
        ("{x:,.2f}", Decimal("1234.5"), "1,234.50"),
        ("{x:.0%}", 0.25, "25%"),
        ("{x:%Y/%m/%d}", date(2026, 3, 21), "2026/03/21"),
        ("{x:%Y/%m/%d %H:%M}", datetime(2026, 3, 21, 8, 5, tzinfo=UTC), "2026/03/21 08:05"),
        ("{x:>5}|", "ab", "   ab|"),
    ],
)
def test_formats_of_the_docs(text, value, filled):
    """Formats write values as people read them."""
    assert filled == parse_template(text).fill({"x": value})


def test_a_template_shows_no_text():
    """The text is in no ``repr``."""
    assert "Template()" == repr(parse_template("Dear {name}"))
    assert isinstance(parse_template("x"), Template)


columns = st.text("abcنام _", min_size=1, max_size=6).filter(lambda name: name == name.strip())
plain = st.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="?#\ufffd")
literals = st.text(plain, max_size=10).map(lambda text: text.replace("{", "{{").replace("}", "}}"))
values = (
    st.integers()
    | st.text("abعلی 19-", max_size=5)
    | st.booleans()
    | st.decimals(allow_nan=False, allow_infinity=False)
)


@given(st.lists(st.tuples(literals, columns, values), min_size=1, max_size=5), literals)
def test_good_templates_fill_as_str_format_does(pieces, tail):
    """For plain columns the result is that of ``str.format``, character by character."""
    text = "".join(f"{literal}{{{name}}}" for literal, name, _ in pieces) + tail
    row = {name: value for _, name, value in pieces}

    assert text.format(**row) == parse_template(text).fill(row)
