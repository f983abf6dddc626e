"""What a world is like, its messages, and what is wrong when a promise is broken."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_p2psms.batch import Batch, join_messages
from airflow_provider_p2psms.choices import OnInDoubt
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.sending.machine import SendMachine

# In ticks. An intent is written at 0, its request leaves by 1, ends by 2 and is over before 3.
START_WITHIN = EXCHANGE = SKEW = PATIENCE = 1
NAME = "p2psms"
# Which journals there are: what any try may notice at any moment.
EVERYBODYS = ""
ALL_FAULTS = ("lost", "part", "refused", "busy", "said", "mismatch")
# Ids of what is taken: of a message, of one that is taken again, of others' traffic, of witness messages.
AGAIN, OTHERS, WITNESS = 50, 100, 200


class WrongError(AssertionError):
    """A promise is broken; the text tells the way there."""


class DuplicateError(WrongError):
    """The gateway has taken a message again, or a message left a third time."""


class LostError(WrongError):
    """A message is accounted for wrongly, or not at all."""


class RashError(WrongError):
    """A request leaves that had to wait."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """
    What the world is like.

    ``sizes`` are the numbers of messages in each batch of the first try. ``faults`` requests may end badly,
    in one of the ways ``kinds``; ``store_faults`` writes may fail, and each may have been written, whole or
    by half; ``delays`` times an intent may be written anew because its request did not leave in time. Each
    try's clock is ``ahead`` of the gateway's. Airflow may call all tries the first (``same_number``). Without
    ``kills`` a try begins when the last one has ended. With ``grow_window``, more intents are written
    ahead. Requests arrive up to ``lingers`` ticks later than the machine is told.

    The report never shows the messages ``hidden``, and those ``altered`` as nobody's. It takes
    ``slow_reports`` longer than ``report_lag``, the user's word. With ``repeats_refused`` a message that was
    taken is refused with HTTP 429. ``traffic`` messages of others may be taken. From try ``word_from`` on a
    person has said ``on_in_doubt``. A store may lie (``claims_fence``).
    """

    sizes: tuple[int, ...] = (1, 1)
    max_in_flight: int = 1
    faults: int = 1
    kinds: tuple[str, ...] = ALL_FAULTS
    store_faults: int = 0
    delays: int = 0
    tries: int = 2
    ahead: tuple[int, ...] = (0, SKEW, SKEW)
    same_number: bool = False
    kills: bool = True
    grow_window: bool = False
    gap: int = 0
    linger: int = 1
    lingers: int = 0
    fence: bool = True
    claims_fence: bool | None = None
    reports: bool = True
    incomplete: bool = True
    hidden: tuple[int, ...] = ()
    altered: tuple[int, ...] = ()
    report_lag: int | None = None
    slow_reports: int = 0
    repeats_refused: bool = False
    traffic: int = 0
    is_scheduled: bool = False
    has_witness: bool = False
    on_in_doubt: OnInDoubt = "reconcile"
    word_from: int = 2
    machine: type[SendMachine] = SendMachine
    ledger: type[Ledger] = Ledger

    @property
    def messages(self) -> range:
        return range(sum(self.sizes))

    @functools.cached_property
    def past(self) -> int:
        """So long ago is as good as for ever."""
        lag = 0 if self.report_lag is None else self.report_lag + self.slow_reports + SKEW
        return -(2 * SKEW + lag + PATIENCE + 1)

    @property
    def ends_well(self) -> bool:
        """Whether a last try settles all by itself."""
        has_evidence = self.has_witness or self.traffic or self.report_lag is not None
        is_plain = not (self.hidden or self.altered or self.repeats_refused or self.slow_reports)
        return bool(self.reports and has_evidence and is_plain and self.on_in_doubt == "reconcile")

    def word(self, number: int) -> OnInDoubt:
        """Return what a person has said to a try."""
        return self.on_in_doubt if number >= self.word_from else "reconcile"


def digest(message: int) -> bytes:
    return bytes([message + 1]) * DIGEST_BYTES


def id_of(message: int) -> int:
    return message + 1


def message_of(outbox_id: int) -> int | None:
    return (outbox_id - 1) % AGAIN if outbox_id < OTHERS else None


def messages_in(digests: Iterable[bytes]) -> tuple[int, ...]:
    return tuple(each[0] - 1 for each in digests)


@functools.cache
def batch_of(messages: tuple[int, ...]) -> Batch:
    texts = [b"%d" % message for message in messages]
    return Batch(
        rows=messages,
        keys=[""] * len(messages),
        messages=join_messages([b"+98%b" % text for text in texts], texts),
        parts=bytes(len(messages)),
        digests=b"".join(map(digest, messages)),
        places=messages,
    )
