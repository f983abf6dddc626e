"""What became of each message, held against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.sending.fates import NOT_SENT, Fate, Fates

IN_DOUBT = Fate("in_doubt", reason="nobody knows")
ids_of_some = st.lists(st.integers(0, 6), max_size=6)


@given(
    st.lists(ids_of_some, max_size=4),
    st.lists(st.tuples(st.integers(0, 20), ids_of_some, st.booleans()), max_size=8),
    st.sets(st.integers(0, 20)),
)
def test_every_count_is_that_of_the_messages(added, answers, doubtful):
    """Whatever is accepted in what order, twice over, or in part; an id that several have counts once."""
    fates, expected = Fates(), list[int]()
    for ids in added:
        assert range(len(expected), len(expected) + len(ids)) == fates.add(ids)
        expected += ids
    in_doubt = [place for place in sorted(doubtful) if place < len(expected)]
    if in_doubt:
        fates.end(in_doubt, IN_DOUBT)
    for start, given_ids, together in answers:
        places = range(start, min(start + len(given_ids), len(expected)))
        ids = given_ids[: len(places)]
        fates.accept(places if together else list(places), ids)
        for place, outbox_id in zip(places, ids, strict=True):
            expected[place] = outbox_id or expected[place]

    accepted = [place for place, outbox_id in enumerate(expected) if outbox_id]
    lost = [place for place in in_doubt if place not in accepted]
    assert fates.count() == {
        "accepted": len(accepted),
        "in_doubt": len(lost),
        "refused": len(expected) - len(accepted) - len(lost),
    }
    assert (len(accepted) == len(expected)) == fates.all_accepted()
    assert list(dict.fromkeys(filter(None, expected))) == fates.outbox_ids()
    assert list(map(bool, expected)) == list(fates.are("accepted"))
    assert [fates[place] for place in lost] == [IN_DOUBT] * len(lost)
    assert all(
        fates[place] in {NOT_SENT, IN_DOUBT} or fates[place].outbox_id == outbox_id
        for place, outbox_id in enumerate(expected)
    )
