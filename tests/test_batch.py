"""A batch: however it is cut, joined and stored, each message keeps what is its own."""

from collections.abc import Sequence
from itertools import compress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_p2psms.batch import Batch, join_messages

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
numbers = st.sampled_from(["+989120000001", "+989120000002"])
messages = st.lists(
    st.tuples(numbers, texts, st.sampled_from(["", "A-7"]), st.sampled_from([0, 0, -1, 7])), max_size=9
)


def batch_of(messages: Sequence[tuple[str, str, str, int]], first: int = 1, *, is_run: bool = True) -> Batch:
    """Put messages into columns, some of which say where each stood."""
    rows = range(first, first + len(messages))
    run = rows if is_run else list(rows)
    ids = [outbox_id for *_, outbox_id in messages]
    return Batch(
        rows=run,
        keys=[key for *_, key, _ in messages],
        messages=join_messages(
            [each[0].encode() for each in messages], [each[1].encode() for each in messages]
        ),
        parts=bytes(each % 21 for each in run),
        digests=b"".join(b"%08d" % each for each in run),
        ids=ids if any(ids) else (),
        places=run,
    )


def flat(batch: Batch) -> list[tuple[Any, ...]]:
    """Give each message with all that belongs to it."""
    digests = [batch.digests[at : at + 8] for at in range(0, len(batch.digests), 8)]
    ids = batch.ids or [0] * len(batch)
    columns = (batch.rows, batch.keys, *batch.columns(), batch.parts, digests, ids, batch.places)
    assert batch.split() == [b"\0".join(each) for each in zip(*batch.columns(), strict=True)]
    return list(zip(*columns, strict=True))


@given(messages, st.lists(st.tuples(st.booleans(), st.booleans()), min_size=9, max_size=9))
def test_a_part_of_a_batch(messages, chosen):
    """What is selected of a batch, and again of that."""
    batch, chosen = batch_of(messages), chosen[: len(messages)]

    part = batch.select([one for one, _ in chosen])
    part = part.select([other for one, other in chosen if one])

    assert list(compress(flat(batch), [one and other for one, other in chosen])) == flat(part)


@given(messages, st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_a_slice_of_a_batch(messages, start, end, is_run):
    """A slice has what a slice of a list has."""
    batch = batch_of(messages, is_run=is_run)
    start, end = sorted((min(start, len(batch)), min(end, len(batch))))

    assert flat(batch)[start:end] == flat(batch.cut(start, end))


@given(st.lists(st.tuples(messages, st.integers(1, 30), st.booleans()), max_size=4))
def test_batches_behind_each_other(parts):
    """Runs of rows, single ones, and none."""
    batches = [batch_of(part, first, is_run=is_run) for part, first, is_run in parts]

    assert [each for batch in batches for each in flat(batch)] == flat(Batch.join(batches))


def test_a_run_of_rows_stays_one():
    """So that a million rows are a few numbers."""
    one, two = (batch_of([("+989120000001", "a", "", 0)] * 3, first) for first in (1, 4))

    assert range(1, 7) == Batch.join([one, Batch(), two]).rows


@given(messages, st.booleans())
def test_what_is_stored_is_read(messages, is_run):
    """All columns but the places, which the spool knows."""
    batch = batch_of(messages, is_run=is_run)

    read = Batch.from_bytes(batch.to_bytes())

    assert flat(batch) == flat(replace(read, places=batch.places))
    assert isinstance(read.rows, range) == is_run


def test_nothing_shows():
    """Neither numbers nor texts are in a repr."""
    assert "<Batch of 1 messages>" == repr(batch_of([("+989120000001", "secret", "key", 0)]))
