"""What became of each message, held against a plain list."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.sending.outcomes import NOT_SENT, LeftOut, Outcome, Outcomes

IN_DOUBT = Outcome("in_doubt", reason="nobody knows")
ids_of_some = st.lists(st.integers(0, 6), max_size=6)


@given(
    st.lists(ids_of_some, max_size=4),
    st.lists(st.tuples(st.integers(0, 20), ids_of_some, st.booleans()), max_size=8),
    st.sets(st.integers(0, 20)),
)
def test_every_count_is_that_of_the_messages(added, answers, doubtful):
    """Whatever is accepted in what order, twice over, or in part; an id that several have counts once."""
    outcomes, expected = Outcomes(), list[int]()
    for ids in added:
        assert range(len(expected), len(expected) + len(ids)) == outcomes.add(ids)
        expected += ids
    in_doubt = [place for place in sorted(doubtful) if place < len(expected)]
    if in_doubt:
        outcomes.end(in_doubt, IN_DOUBT)
    for start, given_ids, together in answers:
        places = range(start, min(start + len(given_ids), len(expected)))
        ids = given_ids[: len(places)]
        outcomes.accept(places if together else list(places), ids)
        for place, outbox_id in zip(places, ids, strict=True):
            expected[place] = outbox_id or expected[place]

    accepted = [place for place, outbox_id in enumerate(expected) if outbox_id]
    lost = [place for place in in_doubt if place not in accepted]
    assert outcomes.count() == {
        "accepted": len(accepted),
        "in_doubt": len(lost),
        "refused": len(expected) - len(accepted) - len(lost),
    }
    assert (len(accepted) == len(expected)) == outcomes.all_accepted()
    assert list(dict.fromkeys(filter(None, expected))) == outcomes.outbox_ids()
    assert [outcomes[place] for place in lost] == [IN_DOUBT] * len(lost)
    assert all(
        outcomes[place] in {NOT_SENT, IN_DOUBT} or outcomes[place].outbox_id == outbox_id
        for place, outbox_id in enumerate(expected)
    )


@given(st.lists(st.integers(0, 3), max_size=6))
def test_parts_of_what_was_accepted(ids):
    """Parts count where a message has an id."""
    outcomes = Outcomes()
    places = outcomes.add([0] * len(ids))
    outcomes.accept(places, ids)
    batch = Batch(parts=bytes(range(1, 1 + len(ids))), places=places)

    expected = sum(parts for parts, outbox_id in enumerate(ids, 1) if outbox_id)
    assert 2 * expected == outcomes.accepted_parts([batch, batch])


def test_rows_stand_in_the_file_in_their_order():
    """Those that nothing is sent for stand between the others, wherever their batch was cut."""
    outcomes, stream = Outcomes(), io.StringIO()
    places = outcomes.add([7, 0])
    batch = Batch(rows=(2, 5), keys=("b", "e"), parts=b"\1\1", places=places)
    left_out = [
        LeftOut(0, 1, "a", "invalid", "recipient: is empty"),
        LeftOut(1, 3, "c", "duplicate", "again"),
        LeftOut(1, 4, "d", "refused", "held back"),
        LeftOut(2, 6, "f", "duplicate", "again"),
    ]

    outcomes.write(stream, [(batch, left_out), (Batch(), [])])

    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert list("123456") == [row["row"] for row in rows]
    assert list("abcdef") == [row["key"] for row in rows]
    assert ["", "7", "", "", "", ""] == [row["outbox_id"] for row in rows]
    assert ["invalid", "accepted", "duplicate", "refused", "refused", "duplicate"] == [
        row["outcome"] for row in rows
    ]
