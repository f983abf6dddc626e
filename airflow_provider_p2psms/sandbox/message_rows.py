"""The rows of a send for the table of messages, one for each recipient, with how each ends."""

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from airflow_provider_p2psms.sandbox.contract import Group, Submission
from airflow_provider_p2psms.sandbox.statuses import BLACKLISTED, DELIVERED, NOT_DELIVERED, ending_of

# Outbox id, recipient, line, digest of the text, time, ending.
MessageRow = tuple[int, str, str, bytes, float, int]


def message_rows(submission: Submission, ids: Sequence[int], *, now: float, place: int) -> list[MessageRow]:
    """Return the rows of all groups, whose ids are given; ``place`` is the number of the last row before."""
    endings = _endings(submission, place)
    return [
        (outbox_id, recipient, submission.from_number, digest, now, next(endings))
        for outbox_id, group in zip(ids, submission.groups, strict=True)
        for recipient, digest in zip(group.recipients, _digests(group), strict=True)
    ]


def count_endings(rows: Sequence[MessageRow], ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Count for each id its recipients, those that are not reached, and those that are blacklisted."""
    counts = Counter((row[0], row[5]) for row in rows)
    return [
        (
            sum(counts[outbox_id, ending] for ending in (DELIVERED, NOT_DELIVERED, BLACKLISTED)),
            counts[outbox_id, NOT_DELIVERED],
            counts[outbox_id, BLACKLISTED],
        )
        for outbox_id in ids
    ]


def _endings(submission: Submission, place: int) -> Iterator[int]:
    # Counted over all requests, so that the share is exact for requests of one message, too.
    share = submission.undelivered_share
    for group in submission.groups:
        for recipient in group.recipients:
            place += 1
            is_missed = int(place * share) > int((place - 1) * share)
            yield NOT_DELIVERED if is_missed else ending_of(recipient)


def _digests(group: Group) -> list[bytes]:
    texts = group.own_texts or [group.text]
    digests = [blake2b(text.encode(), digest_size=16).digest() for text in texts]
    return digests if group.own_texts else digests * len(group.recipients)
