"""Batches between the check and the wire: written once, read as often as needed, showing nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.rows.message import encode_all
from airflow_provider_p2psms.sending.forms import PeerToPeer, PeerToPeerFile
from airflow_provider_p2psms.sending.spool import Entries, Parcel, Spool

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def entries_of(messages, first=0):
    """Put (number, text) messages into columns."""
    recipients, bodies = zip(*messages, strict=True) if messages else ((), ())
    places = range(first, first + len(messages))
    return Entries(
        encode_all(recipients), encode_all(bodies), [b"%012d" % place for place in places], list(places)
    )


def flat(entries):
    """Give the messages of entries, each with what belongs to it."""
    return list(zip(entries.recipients, entries.texts, entries.digests, entries.places, strict=True))


@pytest.mark.parametrize("form", [PeerToPeer(), PeerToPeerFile()])
@given(
    runs=st.lists(
        st.lists(st.tuples(st.sampled_from(["+989120000001", "+989120000002"]), texts), max_size=7)
    ),
    batch_size=st.integers(1, 9),
)
def test_what_goes_in_comes_out(form, runs, batch_size):
    """However messages come, all batches but the last are full, and each message keeps what is its own."""
    all_in, batches = [], []
    with Spool(batch_size=batch_size, pack=form.pack) as spool:
        for run in runs:
            entries = entries_of(run, first=len(all_in))
            all_in += flat(entries)
            spool.add(entries)
        spool.finish()
        batches = [flat(form.unpack(spool.read(batch))) for batch in spool.batches]

    assert [batch_size] * (len(all_in) // batch_size) == list(map(len, batches))[: len(all_in) // batch_size]
    assert all_in == sorted((each for batch in batches for each in batch), key=lambda each: each[3])
    assert sorted(all_in) == sorted(each for batch in batches for each in batch)


def test_messages_of_a_group_share_its_id():
    """The ids of an answer, one a group, come to the messages in the parcel's order."""
    parcel = PeerToPeer().pack(entries_of([("a", "x"), ("b", "y"), ("c", "x")]))

    assert (2, [0, 2, 1], [7, 7, 8]) == (parcel.ids_due, list(parcel.places), list(parcel.ids([7, 8])))


def test_nothing_shows():
    """Neither numbers nor texts are in a repr."""
    entries = entries_of([("+989120000001", "secret")])

    assert "<Entries of 1 messages>" == repr(entries)
    assert "<Parcel of 1 messages>" == repr(PeerToPeer().pack(entries))
    assert 0 == len(Parcel())
