"""Numbers and times of the gateway's documents: one meaning each, for all readers."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import OutcomeUnknownError
from airflow_provider_p2psms.gateway.envelope import Answer
from airflow_provider_p2psms.gateway.records import parse_record
from airflow_provider_p2psms.gateway.response import parse_page, parse_receipt
from airflow_provider_p2psms.gateway.statuses import State, read_deliveries, read_state
from airflow_provider_p2psms.gateway.values import (
    parse_amount,
    parse_outbox_id,
    parse_time,
    parse_whole_number,
)

LIKE_NUMBERS = st.text(st.sampled_from("0123456789٣۷²_-+. eE\n\0nafi"), max_size=25)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(0, 2**65).map(str)
    | LIKE_NUMBERS
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text("ab"), some, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (7, 7),
        ("7", 7),
        ("007", 7),
        (2**63 - 1, 2**63 - 1),
        (str(2**63 - 1), 2**63 - 1),
        (2**63, None),
        (str(2**63), None),
        ("9" * 5000, None),
        (-1, None),
        ("-1", None),
        ("+7", None),
        (True, None),
        (False, None),
        (2.0, None),
        ("2.0", None),
        ("1_000", None),
        ("1,000", None),
        ("٣", None),
        ("۷", None),
        ("²", None),
        (" 7", None),
        ("7\n", None),
        ("", None),
        (None, None),
        ([7], None),
        ({"id": 7}, None),
    ],
    ids=str,
)
def test_what_a_whole_number_is(value, number):
    """An integer or text of ASCII digits, below 2**63; nothing else is taken for a number."""
    assert number == parse_whole_number(value)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, 0.0),
        (2370, 2370.0),
        ("2370", 2370.0),
        (6084722932.705052, 6084722932.705052),
        ("-12.5", -12.5),
        ("1e3", 1000.0),
        ("1e999", None),
        (10**400, None),
        (True, None),
        ("nan", None),
        ("inf", None),
        (float("nan"), None),
        (float("inf"), None),
        ("1_000", None),
        ("1,000", None),
        ("۷", None),
        ("", None),
        (None, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_an_amount_is(value, amount):
    """A finite number or its text: one that is not a number would pass each guard on money."""
    assert amount == parse_amount(value)


@given(VALUES)
@example("9" * 5000)
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
def test_no_value_is_a_crash(value):
    """Whatever stands where a number or a time is due, it is read or it is unknown."""
    number, amount, time = parse_whole_number(value), parse_amount(value), parse_time(value)

    assert number is None or 0 <= number < 2**63
    assert amount is None or abs(amount) < float("inf")
    assert time is None or 978_307_200 <= time <= 1e11


@given(VALUES)
@example(True)
@example("٣")
@example(2.0)
@example("1_000")
@example("9" * 5000)
def test_all_readers_agree(value):
    """The answer to a send, an outbox record, a page, counts and a state: one reading."""
    number, outbox_id = parse_whole_number(value), parse_outbox_id(value)
    record = parse_record({"messages_outbox_id": value})

    assert outbox_id == (record and record.outbox_id)
    assert outbox_id == id_of_answer({"data": {"message_outbox_ids": [value]}, "meta": {"status": True}})
    assert number == parse_page([], {"total": value}).total
    if not isinstance(value, dict):  # those are added up
        assert (number or 0) == read_deliveries({"operators_delivered": {"mci": value}}).delivered
    states: dict[int | None, State] = {int(each): each for each in State}
    assert states.get(number, str(value)) == read_state(value)


def id_of_answer(document):
    try:
        return parse_receipt(Answer(200, json.dumps(document).encode()), expected=1).outbox_ids[0]
    except OutcomeUnknownError:
        return None
