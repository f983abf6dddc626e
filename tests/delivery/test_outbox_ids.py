"""Outbox ids, as tasks hand them on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids, read_runs, write_runs
from airflow_provider_p2psms.errors import InvalidMessageError


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (5, (5,)),
        ("5", (5,)),
        ([5, 7, 5], (5, 7)),
        (["5", 7], (5, 7)),
        ((5, [7, 9]), (5, 7, 9)),
        (iter([[5], [7]]), (5, 7)),
        ("[5, 7]", (5, 7)),
        ('{"message_outbox_ids": [5], "accepted": 1}', (5,)),
        ([{"message_outbox_ids": [5]}, {"message_outbox_ids": [7]}], (5, 7)),
        ([], ()),
        ("[]", ()),
        ([[], []], ()),
    ],
)
def test_forms_of_ids(value, ids):
    """One id, lists, results and JSON text of them are read; each id counts once."""
    assert ids == parse_outbox_ids(value)


@pytest.mark.parametrize("value", [None, "", "None", True, 0, -1, 1.5, {}, [None], '"5"', "a", b"5", [["x"]]])
def test_what_is_no_id(value):
    """All else is refused by its kind; its content is not shown."""
    with pytest.raises(InvalidMessageError, match="where an outbox id is due"):
        parse_outbox_ids(value)


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (None, ()),
        ("", ()),
        ("None", ()),
        ("null", ()),
        ([None, [5]], (5,)),
        ({"message_outbox_ids": None}, ()),
    ],
)
def test_nothing_may_be_no_ids(value, ids):
    """Where that is allowed, what a skipped task has returned is no ids."""
    assert ids == parse_outbox_ids(value, none_is_empty=True)


@given(st.lists(st.integers(1, 30) | st.integers(1, 2**63 - 1)))
def test_runs_of_ids(ids):
    """Written as runs and through JSON, ids and their order are what they were; plain ids are read, too."""
    assert ids == read_runs(json.loads(json.dumps(write_runs(ids)))) == read_runs(ids)


def test_a_send_of_a_million_is_few_runs():
    """What waits in Airflow's database for a deferred sensor does not grow with the send."""
    assert ["7-1000006", 2_000_000] == write_runs([*range(7, 1_000_007), 2_000_000])
