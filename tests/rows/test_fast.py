"""The hot path: rows that it passes are those that the general check passes, with the same result."""

import csv
import io
from collections import OrderedDict
from itertools import chain

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem
from airflow_provider_p2psms.rows import Checked, Message, RowRules, check_rows, read_file, read_rows
from airflow_provider_p2psms.rows.table import Placed

numbers = st.sampled_from(
    ["09121234567", "+98 (912) 1234567", "۰۹۱۲۱۲۳۴۵۶۷", "+4915123456789", "0912", "", " x"]
) | st.sampled_from(
    ["02188776655", "+989401234567", "0011 98 912 123 4567", "9120000000", "9120000000.0", "9121234944.0"]
)
texts = st.sampled_from(
    [
        *("", " ", "hi", " hi\n", "{name}", "سلام" * 9, "س😀" * 40, "a\0", "[" * 200, "a" * 1401),
        "#N/A",
        "x #REF!",
        "????",
        "??",
        "\ufffd",
        "\u200c",
        "\u061c\u200f",
        "None",
        " NULL ",
        "Ø³Ù„",
        "Order #1",
        "a\x1b",
    ]
)
words = st.sampled_from(
    ["", " \t", "A-7", " b ", "nan", "NULL", "#N/A", "a#N/A", "\u200c", "???", "N", "\ufffd", "Null"]
) | st.text(st.characters(codec="utf-8"), max_size=3)
anything = st.sampled_from(
    [None, 7, 7.0, 12.5, -1, float("nan"), 1e16, True, 10**5000, b"x", ["x"], 9121234567]
) | st.sampled_from([9120000000, 9120000000.0, 989120000000, 9121234944.0, 9351234560])
rules = st.builds(
    RowRules,
    text=st.sampled_from(
        [
            None,
            "Hello",
            "Dear {name}",
            "{id!s:>4} for {name}",
            "{id:d}",
            "{message}!",
            "{name}B",
            "N{name}",
            "{recipient}: {message}",
        ]
    ),
    key_column=st.sampled_from([None, "id", "message", "recipient"]),
    region=st.sampled_from(["IR", "IR", "AU"]),
    trust_e164=st.booleans(),
    mobiles_only=st.booleans(),
    text_values=st.sampled_from([(), ("NULL",), ["nan", "None"]]),
)


def generally(rows):
    """Hand on rows in a form that the hot path does not know."""
    return (OrderedDict(row) if isinstance(row, dict) else row for row in rows)


def generally_placed(table):
    """Hand on the rows of a table in a form that the hot path does not know, in their places."""
    if table.header:
        chunks = filter(len, table.chunks)
        table.chunks = (Placed(((*record, "") for record in chunk), chunk.places) for chunk in chunks)
    return table


def as_dicts(values, names=("recipient", "message", "name", "id")):
    return [dict(zip(names, row, strict=True)) for row in values]


def same(quick, general):
    """Compare results, the error that ends them, and what was counted; only a file knows its rows' places."""
    assert list(outcome(general)) == list(outcome(quick))
    if isinstance(general, Checked) and isinstance(quick, Checked):
        assert counts(general) == counts(quick)


def counts(checked):
    """Say where the texts came from, as counted."""
    return checked.reading.texts_of_column, checked.reading.texts_of_template


def outcome(results):
    try:
        for result in results:
            yield result._replace(place="") if isinstance(result, RowProblem) else result
    except InvalidMessageError as err:
        yield str(err).partition(": ")[2]


@given(
    st.lists(st.tuples(numbers | anything, texts | anything, words | anything, words | anything), max_size=4),
    rules,
    st.sets(st.sampled_from(["recipient", "message", "name", "id"]), max_size=1),
)
def test_mappings(values, rules, lacking):
    """Mappings of any values, with and without a column that is needed."""
    rows = [{name: row[name] for name in row.keys() - lacking} for row in as_dicts(values)]

    same(check_rows(read_rows(rows), rules), check_rows(generally(rows), rules))


@given(st.lists(st.tuples(numbers | anything, texts | anything), max_size=4), rules)
def test_pairs(pairs, rules):
    """Pairs, which are checked as mappings of two."""
    names = ("recipient", "message")
    rows = [dict(zip(names, pair, strict=True)) for pair in pairs]
    quick = check_rows(read_rows(pairs), rules)

    if rules.key_column is None:
        same(quick, check_rows(generally(rows), rules))
    else:
        assert all(isinstance(result, RowProblem) for result in quick)


@given(
    st.lists(st.lists(numbers | texts | words, max_size=5) | st.tuples(numbers, texts, words, words)),
    rules,
    st.permutations(["recipient", "message", "name", "id"]),
)
def test_files(records, rules, names):
    """Records of any length, blank ones among them, whatever the order of the columns."""
    content = io.StringIO(newline="")
    csv.writer(content, quoting=csv.QUOTE_ALL).writerows([names, *records])
    written = content.getvalue().encode("utf-8-sig", "ignore")

    quick = check_rows(read_file(io.BytesIO(written), name="rows.csv"), rules)

    same(quick, check_rows(generally_placed(read_file(io.BytesIO(written), name="rows.csv")), rules))


@given(
    st.lists(
        st.tuples(numbers, st.none() | texts, st.none() | words, st.none() | st.floats(-9, 9)), max_size=4
    ),
    rules,
)
def test_frames(values, rules):
    """Frames, where a blank text is a value of its own."""
    names = ["recipient", "message", "name", "id"]
    frame = pl.DataFrame(
        values, schema=dict(zip(names, [pl.String] * 3 + [pl.Float64], strict=True)), orient="row"
    )

    same(check_rows(read_rows(frame), rules), check_rows(generally(read_rows(frame)), rules))
    in_chunks = check_rows(read_rows([frame, frame]), rules)
    same(in_chunks, check_rows(generally(chain(read_rows(frame), read_rows(frame))), rules))


def test_a_group_in_a_frame():
    """A frame may hold groups beside single recipients, or a mere count of that name."""
    frame = pl.DataFrame({"recipient": ["09121234567"], "recipients": [3], "message": ["hi"]})

    assert [Message(1, "+989121234567", "hi", 1)] == list(check_rows(read_rows(frame), RowRules()))


def test_a_mapping_that_makes_up_its_values():
    """A mapping's values are those that it holds, and not those that it would give if asked."""

    class Eager(dict[str, str]):
        def __missing__(self, name):
            return "made up"

    (problem,) = check_rows(read_rows([Eager(recipient="09121234567")]), RowRules())

    assert isinstance(problem, RowProblem)
    assert "message" == problem.column


def test_a_message_is_a_value():
    """A message cannot be changed, and shows neither number nor text nor key."""
    message = Message(row=1, recipient="+989121234567", text="secret", parts=1, key="A-7")

    assert "Message(row=1, parts=1)" == repr(message)
    assert {message} == {Message(1, "+989121234567", "secret", 1, "A-7")}
    with pytest.raises(AttributeError):
        message.text = "another"  # type: ignore[misc]


def test_only_what_is_there_can_be_asked_for():
    """The room loads its names when they are asked for, and has no others."""
    import airflow_provider_p2psms.rows as room

    assert all(getattr(room, name) for name in room.__all__)
    with pytest.raises(AttributeError):
        room.nothing  # type: ignore[attr-defined]  # noqa: B018
