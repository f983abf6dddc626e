"""Outbox ids, as tasks hand them on."""

import json
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids, write_runs
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
        ("5-7", (5, 6, 7)),
        ("5-9/2", (5, 7, 9)),
        ("5-5", (5,)),
        ([3, "5-7", ["7-8"]], (3, 5, 6, 7, 8)),
        ('[3, "5-6"]', (3, 5, 6)),
        (" [3, '5-6']", (3, 5, 6)),
        ("{'message_outbox_ids': ['5-6'], 'accepted': None}", (5, 6)),
        ({"message_outbox_ids": ["5-6"]}, (5, 6)),
    ],
)
def test_forms_of_ids(value, ids):
    """One id, runs, lists, results and text of them, as JSON or as Jinja writes it; each id counts once."""
    assert ids == parse_outbox_ids(value)


@pytest.mark.parametrize(
    "value", [None, "", "None", True, 0, -1, 1.5, {}, [None], '"5"', "a", b"5", [["x"]], "0-5", "[5"]
)
def test_what_is_no_id(value):
    """All else is refused by its kind; its content is not shown."""
    with pytest.raises(InvalidMessageError, match="in place of an outbox id"):
        parse_outbox_ids(value)


@pytest.mark.parametrize("value", ["7-5", "1-9999999999", "1-4/2", ["5-7", "2027-01"]])
def test_what_is_no_run(value):
    """What looks like one, and nobody can have sent, is refused without its content, and takes no memory."""
    with pytest.raises(InvalidMessageError, match=r"no run of outbox ids|in place of an outbox id") as caught:
        parse_outbox_ids(value)

    assert "-0" not in str(caught.value)


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


@given(
    st.lists(st.integers(1, 30) | st.integers(1, 2**63 - 1), unique=True)
    | st.lists(st.builds(range, st.integers(1, 99), st.integers(1, 99), st.integers(1, 5))).map(
        lambda runs: list(dict.fromkeys(chain.from_iterable(runs)))
    )
)
def test_runs_of_ids(ids):
    """Written as runs, through JSON or a template, ids and their order are what they were."""
    runs = write_runs(ids)

    assert tuple(ids) == parse_outbox_ids(json.loads(json.dumps(runs))) == parse_outbox_ids(f"{runs}")


def test_a_send_of_a_million_is_few_runs():
    """What waits in Airflow's database for a deferred sensor does not grow with the send."""
    assert ["7-1000006", 2_000_000] == write_runs([*range(7, 1_000_007), 2_000_000])
    assert [3, "8-2000006/2", 5, 5] == write_runs([3, *range(8, 2_000_007, 2), 5, 5])
