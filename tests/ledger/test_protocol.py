"""
Every order of events, with the real protocol and ledger: never twice, and nothing lost in silence.

Then the same with one rule broken each time, which must be noticed: so it is known to look where it matters.
``make explore`` looks farther than ``make proof``.
"""

from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger import ledger as ledger_module
from airflow_provider_p2psms.ledger import protocol as protocol_module
from airflow_provider_p2psms.ledger.digest import NO_DIGEST
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.protocol import Await, CheckOwner, End, Post, Protocol, Record, Stage
from airflow_provider_p2psms.ledger.records import Intent

from .exploring import explore
from .world import EXCHANGE, LAG, NAME, PATIENCE, SKEW, START_WITHIN, DuplicateError, LostError, Rules

NO_FENCE: dict[str, Any] = {"fence": False}
NO_REPORTS: dict[str, Any] = {"reports": False}

# A machine may be slow, and tracing coverage slows this down fivefold.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _ticks(monkeypatch):
    """Let the protocol count in ticks."""
    times = {"START_WITHIN_S": START_WITHIN, "SKEW_S": SKEW, "PATIENCE_S": PATIENCE}
    for name, ticks in times.items():
        monkeypatch.setattr(protocol_module, name, float(ticks))


def look(rules: Rules, *, floor: int) -> None:
    """Explore, and be sure that there was something to explore."""
    states = explore(rules)
    print(f"{states:,} states")  # noqa: T201 - `pytest -rP` shows it
    assert states >= floor


@pytest.mark.parametrize("rules", [{}, NO_FENCE, NO_REPORTS], ids=str)
def test_never_twice_with_one_message(rules):
    """The least that there is to explore, in a moment."""
    look(Rules(sizes=(1,), **rules), floor=300)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"),
    [
        (6_000, {"sizes": (1, 1, 1)}),
        (20_000, {"sizes": (1, 1, 1), "max_in_flight": 2}),
        (4_000, {"sizes": (2, 1), "faults": 2}),
        (10_000, {"sizes": (1, 1), "store_faults": 1, "tries": 3}),
        (3_000, {"sizes": (1, 1), "delays": 1}),
        (3_000, {"sizes": (1, 1, 1), "soon": True}),
        (1_000, {"sizes": (1, 1), "ahead": (0, -SKEW)}),
    ],
    ids=str,
)
def test_never_twice_where_the_store_fences(floor, rules):
    """Whatever dies or is late, and whenever a successor begins: once each, and a last try ends well."""
    look(Rules(**rules), floor=floor)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"),
    [
        (20_000, {"sizes": (1, 1)}),
        (15_000, {"sizes": (1, 1, 1), "faults": 0}),
        (7_000, {"sizes": (1, 1), "max_in_flight": 2, "faults": 0}),
        (12_000, {"sizes": (2,)}),
        (15_000, {"sizes": (1,), "tries": 3, "faults": 0}),
        (10_000, {"sizes": (1,), "store_faults": 1}),
        (5_000, {"sizes": (1,), "delays": 1}),
        (2_000, {"sizes": (1,), "ahead": (0, -SKEW)}),
        (5_000, {"sizes": (1, 1), "same_number": True, "faults": 0}),
        (5_000, {"sizes": (1,), "same_number": True}),
        (5_000, {"sizes": (1, 1, 1), "soon": True, "faults": 0}),
    ],
    ids=str,
)
def test_never_twice_where_it_does_not(floor, rules):
    """The same with files, where an old try's writes succeed: it finds out that it was replaced."""
    look(Rules(**NO_FENCE, **rules), floor=floor)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"), [(3_000, {"sizes": (1, 1, 1)}), (6_000, {"sizes": (1, 1), **NO_FENCE})], ids=str
)
def test_without_reports_what_was_taken_is_never_called_unsent(floor, rules):
    """Never twice; and whatever the gateway took a last try calls accepted or in doubt."""
    look(Rules(**NO_REPORTS, **rules), floor=floor)


@pytest.mark.explore
@pytest.mark.parametrize("rules", [{}, {"fence": False, "tries": 3}], ids=str)
def test_no_try_that_is_called_harmless_does_harm(rules):
    """The exploration buries such tries; where it does not, it finds nothing more."""
    look(Rules(sizes=(1,), harmless=False, faults=0, **rules), floor=500)


def test_a_repeat_says_that_it_was_taken():
    """Where reports are later than was said, HTTP 429 keeps a message from being called unsent."""
    look(Rules(sizes=(1,), faults=2, slow_reports=2, repeats_refused=True), floor=1_000)


@pytest.mark.far
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize(
    "rules",
    [
        {"sizes": (2, 1, 1), "max_in_flight": 2, "faults": 2},
        {"sizes": (1, 1, 1), "max_in_flight": 2, "store_faults": 1, "delays": 1},
        {"sizes": (1, 1), "tries": 3, "ahead": (0, 0, SKEW), "faults": 2},
        {"sizes": (2, 1), "faults": 2, "slow_reports": 2, "repeats_refused": True},
        {"sizes": (1, 1, 1), **NO_FENCE},
        {"sizes": (1, 1), "max_in_flight": 2, **NO_FENCE},
        {"sizes": (2, 1), "faults": 2, **NO_FENCE},
        {"sizes": (1,), "tries": 3, "ahead": (0, 0, SKEW), **NO_FENCE},
        {"sizes": (1,), "store_faults": 1, "delays": 1, "faults": 2, **NO_FENCE},
        {"sizes": (1, 1, 1), "max_in_flight": 2, **NO_REPORTS, **NO_FENCE},
    ],
    ids=str,
)
def test_farther(rules):
    """More batches, tries and faults at once."""
    look(Rules(**rules), floor=10_000)


# --- what must be noticed


class IntentAfterThePost(Ledger):
    """An intent is written with the next settlement."""

    def flush(self) -> None:
        if not isinstance(self._segments[-1][-1], Intent):
            super().flush()


class OwnerNotAsked(Ledger):
    def is_owner(self) -> bool:
        return True


class OwnerAskedBeforeTheIntent(Protocol):
    def _record(self, now: float, *, hold: bool) -> Any:
        record = super()._record(now, hold=hold)
        return CheckOwner() if record and record.intend and not self._owner_seen else record

    def recorded(self, record: Record, at: float, *, soon: bool = False) -> None:
        super().recorded(record, at, soon=soon)
        self._owner_seen = True

    def next(self, now: float) -> Any:
        action = super().next(now)
        self._owner_seen = self._owner_seen and not isinstance(action, Post)
        return action


class ReadsBeforeItReplaces(Ledger):
    def _replace(self, others: list[str]) -> None:
        """Wait with that."""

    def _read(self, slots: Any) -> Any:
        history = super()._read(slots)
        super()._replace(slots)
        return history


class LooksAroundBeforeItIsSeen(Ledger):
    """Two tries that begin at once do not see each other."""

    def open(self, *, must_exist: bool) -> Any:
        self._others = self._store.slots(self._name)
        return super().open(must_exist=must_exist)

    def _replace(self, others: list[str]) -> None:
        super()._replace(self._others)

    def _read(self, slots: Any) -> Any:
        return super()._read(self._others)


class SlotOfItsNumber(Ledger):
    """Two tries of the same number write over each other's records."""

    @property
    def _slot(self) -> str:  # type: ignore[override]
        return f"{self._try_number}-x"

    @_slot.setter
    def _slot(self, slot: str) -> None:
        """Keep it."""


class OneOwnerRecordForAll(Ledger):
    """An old try that is slow to begin writes over its successor's name."""

    def _replace(self, others: list[str]) -> None:
        self._store.write(f"{NAME}.owner", self._slot)

    def is_owner(self) -> bool:
        return bool(self._store.read(f"{NAME}.owner") == self._slot)


class BelievesAtOnce(Protocol):
    def is_over(self, item: int, asked_at: float) -> bool:
        return True


class DoesNotWaitForTheRequest(Protocol):
    def is_over(self, item: int, asked_at: float) -> bool:
        return super().is_over(item, asked_at + START_WITHIN + EXCHANGE)


class DoesNotWaitForTheStart(Protocol):
    def over_by(self, at: float) -> float:
        return at + self._exchange_s


class DoesNotWaitForTheReports(Protocol):
    def is_over(self, item: int, asked_at: float) -> bool:
        return super().is_over(item, asked_at + LAG)


class TrustsClocks(Protocol):
    def is_over(self, item: int, asked_at: float) -> bool:
        return super().is_over(item, asked_at + SKEW)


class StartsAnyTime(Protocol):
    """A request leaves however old its intent is."""

    def next(self, now: float) -> Any:
        self._at = [
            now if stage is Stage.INTENDED else at for at, stage in zip(self._at, self.stages, strict=True)
        ]
        return super().next(now)


class UnknownIsUnsent(Protocol):
    def unknown(self, item: int, now: float, *, said_taken: bool = False) -> None:
        self.not_sent(item)


class WriteFailureIgnored(Ledger):
    def flush(self) -> None:
        with suppress(LedgerError):
            super().flush()


class SettlementLost(Ledger):
    def settle(self, doubts: Any, digests: Any, ids: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        (IntentAfterThePost, {}),
        (IntentAfterThePost, NO_FENCE),
        (OwnerNotAsked, NO_FENCE),
        (OwnerAskedBeforeTheIntent, NO_FENCE),
        (ReadsBeforeItReplaces, NO_FENCE),
        (OneOwnerRecordForAll, NO_FENCE),
        (LooksAroundBeforeItIsSeen, NO_FENCE),
        (SlotOfItsNumber, {"same_number": True, **NO_FENCE}),
        (BelievesAtOnce, {}),
        (DoesNotWaitForTheRequest, {}),
        (DoesNotWaitForTheStart, {}),
        (DoesNotWaitForTheReports, {}),
        (TrustsClocks, {}),
        (StartsAnyTime, {"harmless": False}),
        (UnknownIsUnsent, {}),
        (WriteFailureIgnored, {"harmless": False}),
        (WriteFailureIgnored, {"store_faults": 1, **NO_FENCE}),
    ],
)
def test_a_broken_rule_sends_twice(broken, rules):
    """Take out any one of the rules, and some order of events sends a message twice."""
    kind = "protocol" if issubclass(broken, Protocol) else "ledger"

    with pytest.raises(DuplicateError):
        explore(Rules(sizes=(1,), **{kind: broken}, **rules))


def test_a_store_that_only_says_that_it_fences_sends_twice():
    """With neither the store's fence nor the marks of one's own, two tries send the same."""
    with pytest.raises(DuplicateError):
        explore(Rules(sizes=(1,), fence=False, claims_fence=True))


def test_a_message_in_doubt_twice_is_sent_twice(monkeypatch):
    """Looked for twice and found once, it would be sent again: the ledger names it with one request only."""
    monkeypatch.setattr(
        ledger_module,
        "_open_doubts",
        lambda _history, doubts: [d for d in doubts if set(d.digests) != {NO_DIGEST}],
    )

    with pytest.raises(DuplicateError):
        explore(Rules(sizes=(1,), fence=False))


def test_a_request_that_outlives_its_senders_patience_is_trusted_not_to():
    """What remains: a request that was given up and still arrives, later than anyone waits for it."""
    with pytest.raises(DuplicateError):
        explore(Rules(sizes=(1,), lingers=True))


def test_a_settlement_that_is_lost_is_noticed():
    """What the ledger does not say of a message is found missing in the end."""
    with pytest.raises(LostError):
        explore(Rules(sizes=(1,), ledger=SettlementLost))


def test_a_repeat_that_is_not_heeded_is_noticed():
    """Taken for a refusal, HTTP 429 makes a message that was taken end as unsent."""
    with pytest.raises(LostError):
        explore(Rules(sizes=(1,), faults=2, slow_reports=2, repeats_refused=True, heeds_429=False))


@pytest.mark.parametrize(("most_ahead", "most"), [(1, 4), (7, 9), (32, 34)])
def test_no_more_is_written_ahead_than_asked_for(most_ahead, most):
    """However fast requests end, beside the two under way; and never fewer than as many more."""
    protocol = Protocol(
        inherited=[], planned=300, max_in_flight=2, exchange_s=1, lag_s=1, fenced=True, most_ahead=most_ahead
    )
    open_intents = set[int]()
    most_open = 0
    while not isinstance(action := protocol.next(0.0), End):
        if isinstance(action, Record):
            open_intents |= {*action.intend}
            protocol.recorded(action, 0.0, soon=True)
        elif isinstance(action, Await):
            ended = protocol.stages.index(Stage.UNDER_WAY)
            protocol.settled(ended)
            open_intents.discard(ended)
        most_open = max(most_open, len(open_intents))

    assert most == most_open
    assert {Stage.DONE} == set(protocol.stages)
