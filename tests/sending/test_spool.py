"""Batches between the check and the wire: written once, read as often as needed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.sending.outcomes import LeftOut
from airflow_provider_p2psms.sending.spool import Spool
from tests.test_batch import batch_of, flat, messages


@given(
    runs=st.lists(st.tuples(messages, st.lists(st.integers(0, 9), max_size=2))),
    batch_size=st.integers(1, 9),
)
def test_what_goes_in_comes_out(runs, batch_size):
    """However messages come, all requests but the last are full and have what is to be sent."""
    all_in: list[tuple[Any, ...]] = []
    left_out: list[int] = []
    with Spool(batch_size=batch_size) as spool:
        for run, others in runs:
            places = sorted(len(all_in) + min(place, len(run)) for place in others)
            spool.add(
                batch_of(run, 1 + len(all_in)), [LeftOut(place, 1, "", "invalid", "") for place in places]
            )
            left_out += places
            all_in += flat(batch_of(run, 1 + len(all_in)))
        sent = [spool.read(request) for request in spool.requests()]
        stored = list(spool)

    assert left_out == [each.place for _, others in stored for each in others]
    for batch, others in stored:
        assert all(each.place in range(batch.places[0], batch.places[-1] + 2) for each in others if batch)
    all_in = [(*each, place) for place, (*each, _) in enumerate(all_in)]
    assert all_in == [each for batch, _ in stored for each in flat(batch)]
    wanted = [each for each in all_in if each[6] == 0]
    assert wanted == [each for batch in sent for each in flat(batch)]
    assert [batch_size] * (len(wanted) // batch_size) == list(map(len, sent))[: len(wanted) // batch_size]


def test_many_rows_without_a_message_are_stored():
    """They do not wait in memory for messages that may never come."""
    left_out = [LeftOut(0, row, "", "invalid", "") for row in range(25_000)]
    with Spool(batch_size=1_000) as spool:
        for each in left_out:
            spool.add(Batch(), [each])

        assert [10_000, 10_000, 5_000] == [len(others) for _, others in spool]
        assert [] == spool.requests()
