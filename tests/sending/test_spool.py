"""Batches between the check and the wire: written once, read as often as needed, showing nothing."""

from itertools import compress

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.rows.message import encode_all
from airflow_provider_p2psms.sending.spool import Entries, Parcel, Spool, write_messages

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def entries_of(messages, first=0, *, is_range=True):
    """Put (number, text) messages into columns."""
    recipients, bodies = zip(*messages, strict=True) if messages else ((), ())
    run = range(first, first + len(messages))
    encoded = encode_all(bodies)
    written = write_messages(encode_all(recipients), encoded)
    return Entries(written, encoded, [b"%08d" % place for place in run], run if is_range else list(run))


def flat(parcel):
    """Give the messages of a parcel, each with what belongs to it."""
    return list(zip(*parcel.columns(), parcel.digests, parcel.places, strict=True))


@given(
    runs=st.lists(
        st.lists(st.tuples(st.sampled_from(["+989120000001", "+989120000002"]), texts), max_size=7)
    ),
    batch_size=st.integers(1, 9),
    are_ranges=st.booleans(),
)
def test_what_goes_in_comes_out(runs, batch_size, are_ranges):
    """However messages come, all batches but the last are full, and each message keeps what is its own."""
    all_in = [message for run in runs for message in run]
    with Spool(batch_size=batch_size) as spool:
        for at, run in enumerate(runs):
            spool.add(entries_of(run, first=sum(map(len, runs[:at])), is_range=at % 3 > 0 or are_ranges))
        spool.finish()
        batches = [flat(spool.read(batch)) for batch in spool.batches]

    full = len(all_in) // batch_size
    assert [batch_size] * full == list(map(len, batches))[:full]
    assert flat(Parcel.of(entries_of(all_in))) == [each for batch in batches for each in batch]


@given(st.lists(st.tuples(texts, st.booleans(), st.booleans()), max_size=9))
def test_a_part_of_a_parcel(chosen):
    """What is selected of a parcel, and again of that, keeps what is its own, wherever it stood."""
    parcel = Parcel.of(entries_of([("+989120000001", text) for text, _, _ in chosen], first=3))

    part = parcel.select([one for _, one, _ in chosen])
    part = part.select([other for _, one, other in chosen if one])

    kept = list(compress(flat(parcel), [one and other for _, one, other in chosen]))
    assert kept == flat(part)
    assert (len({text for _, text, _, _ in kept}) == len(kept)) == part.is_personal


def test_nothing_shows():
    """Neither numbers nor texts are in a repr."""
    entries = entries_of([("+989120000001", "secret")])

    assert "<Entries of 1 messages>" == repr(entries)
    assert "<Parcel of 1 messages>" == repr(Parcel.of(entries))
    assert 0 == len(Parcel())
