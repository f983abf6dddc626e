"""
Every order of events, with the real machine and ledger: never twice, and nothing lost in silence.

Then the same with one rule taken out each time, which must be noticed: so it is known to poll where it
matters. ``make explore`` polls farther than ``make proof``.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.journal import Reader
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.records import ABSENT, NOT_TAKEN, Intent
from airflow_provider_p2psms.sending.machine import SendMachine, Stage

from .exploring import explore
from .world_rules import SKEW, DuplicateError, LostError, RashError, Rules

NO_FENCE: dict[str, Any] = {"fence": False}
# A message that the report shows nowhere: only the gateway's yes keeps it from leaving again.
HIDDEN: dict[str, Any] = {"hidden": (0,), "kinds": ("said",), "kills": False, "has_witness": True}
WORD: dict[str, Any] = {"report_lag": 1}
# A report that breaks the user's word, and a gateway that knows what it took.
REPEATS: dict[str, Any] = {"report_lag": 1, "slow_reports": 3, "repeats_refused": True}

# The next try begins when the last one has ended.
ENDS: dict[str, Any] = {"kills": False}
# One try, whose answers may be lost.
LOST: dict[str, Any] = {"kinds": ("lost",), "kills": False, "tries": 1}

# A machine may be slow, and tracing coverage slows this down fivefold.
# Counting lines would nearly triple its time.
pytestmark = [pytest.mark.timeout(900), pytest.mark.no_cover]


def poll(rules: Rules, *, floor: int) -> None:
    """Explore, and be sure that there was something to explore."""
    states = explore(rules)
    print(f"{states:,} states")  # noqa: T201 - `pytest -rP` shows it
    assert states >= floor


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "rules", [{}, {"on_in_doubt": "fail"}, {"on_in_doubt": "resend"}, {"reports": False}, HIDDEN], ids=str
)
def test_never_twice_with_one_message(rules):
    """The least that there is to explore, in a moment."""
    poll(Rules(sizes=(1,), **rules), floor=200)


@pytest.mark.proof
def test_the_clock_of_an_earlier_try_does_not_make_its_witness_newer():
    """A witness of a try whose clock is ahead is older than it says."""
    poll(Rules(ahead=(SKEW, 0), kills=False, kinds=("lost", "refused"), faults=2), floor=8_000)


@pytest.mark.proof
def test_a_message_is_the_witness_where_a_batch_cannot_be_it():
    """The witness batch is in doubt, too: with ``witness_recipient`` a last try still ends well."""
    poll(Rules(sizes=(1, 1, 1), faults=2, has_witness=True, **LOST), floor=500)


def test_a_yes_is_believed_whatever_the_report_shows():
    """With answers that say yes, and without ids or with too few, nothing leaves again."""
    poll(Rules(sizes=(2,), kinds=("said", "mismatch"), tries=1, has_witness=True), floor=300)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"),
    [
        (20_000, {}),
        (60_000, {"sizes": (1, 1, 1), "kills": False, "faults": 2}),
        (8_000, {"kills": False, "faults": 2, "kinds": ("lost", "busy"), "max_in_flight": 2}),
        (
            20_000,
            {
                "sizes": (1, 1, 1),
                "kills": False,
                "kinds": ("lost", "busy"),
                "max_in_flight": 2,
                "grow_window": True,
            },
        ),
        (3_000, {"kills": False, "gap": 1}),
        (5_000, {"sizes": (1,), "store_faults": 1}),
        (35_000, {"sizes": (1,), "delays": 1, "traffic": 1}),
    ],
    ids=str,
)
def test_never_twice_where_the_store_fences(floor, rules):
    """Whatever dies or is late, whenever a successor begins, whatever the gateway answers: once each."""
    poll(Rules(**rules), floor=floor)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"),
    [
        (10_000, {"sizes": (1,), "faults": 0, "has_witness": True}),
        (50_000, {"sizes": (1,), "faults": 0, "traffic": 1, "ahead": (0, 0)}),
        (3_000, {"sizes": (1,), "store_faults": 1, "kills": False}),
        (18_000, {"sizes": (1,), "same_number": True, "faults": 0}),
        (54_000, {"sizes": (1,), "kinds": ("lost",)}),
        (26_000, {"sizes": (1,), "store_faults": 1, "faults": 0}),
        (110_000, {"faults": 0}),
    ],
    ids=str,
)
def test_never_twice_where_it_does_not(floor, rules):
    """The same with files, where an old try's writes succeed: it finds out that it was replaced."""
    poll(Rules(**NO_FENCE, **rules), floor=floor)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"),
    [
        (
            60_000,
            {"sizes": (1, 1, 1), "kills": False, "faults": 2, "has_witness": True, "kinds": ("lost", "said")},
        ),
        (9_000, {"sizes": (1,), "faults": 2, "has_witness": True}),
        (18_000, {"has_witness": True, "kinds": ("lost", "refused")}),
        (4_000, {"sizes": (2, 1), "kinds": ("lost", "part", "mismatch"), "tries": 1, "has_witness": True}),
        (14_000, {"sizes": (1,), "traffic": 1}),
        (13_000, {"sizes": (1,), "traffic": 1, "is_scheduled": True}),
        (12_000, {"sizes": (1,), "faults": 2, **WORD}),
    ],
    ids=str,
)
def test_a_last_try_ends_well_where_a_witness_can_be_had(floor, rules):
    """A message to oneself, traffic of others, or the user's word: nothing stays in doubt."""
    rules = Rules(**rules)

    assert rules.ends_well
    poll(rules, floor=floor)


@pytest.mark.explore
@pytest.mark.parametrize(
    ("floor", "rules"),
    [
        (18_000, {"altered": (0,)}),
        (30_000, {"sizes": (1,), "faults": 2, **REPEATS}),
        (200, {"sizes": (1, 1), **HIDDEN}),
        (4_000, {"sizes": (1,), "on_in_doubt": "resend", "word_from": 1}),
    ],
    ids=str,
)
def test_what_was_taken_is_never_called_unsent(floor, rules):
    """Where the report alters or hides a message, breaks the user's word, or gives no answer."""
    poll(Rules(**rules), floor=floor)


@pytest.mark.far
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize(
    "rules",
    [
        {"sizes": (2, 1, 1), "max_in_flight": 2, "faults": 2, "kinds": ("lost", "part")},
        {"sizes": (1, 1, 1), "max_in_flight": 2, "store_faults": 1, "kinds": ("lost",)},
        {"sizes": (1, 1, 1, 1), "max_in_flight": 2, "faults": 2, "kills": False, "grow_window": True},
        {"sizes": (1, 1), "tries": 3, "ahead": (0, 0, SKEW), "faults": 2, "has_witness": True},
        {"sizes": (1, 1), "max_in_flight": 2, "faults": 2, **WORD},
        {"sizes": (1, 1), "faults": 2, "traffic": 2},
        {"sizes": (2, 1), "faults": 2, **REPEATS},
        {"sizes": (1,), "delays": 1, "traffic": 1, "store_faults": 1},
        {"sizes": (1, 1), **NO_FENCE},
        {"sizes": (1,), "traffic": 1, "faults": 2, **NO_FENCE},
        {"sizes": (1,), "tries": 3, "ahead": (0, 0, SKEW), **NO_FENCE},
        {"sizes": (1,), "store_faults": 1, "delays": 1, **NO_FENCE},
    ],
    ids=str,
)
def test_farther(rules):
    """More batches, tries and faults at once."""
    poll(Rules(**rules), floor=10_000)


# --- what must be noticed


class SilenceOutweighsAYes(SendMachine):
    def _decide(self, item: Any, finding: Any, poll: Any) -> Any:
        return super()._decide(replace(item, said_taken=False), finding, poll)


class BelievesAnIncompleteReport(SendMachine):
    def _decide(self, item: Any, finding: Any, poll: Any) -> Any:
        return super()._decide(item, finding, replace(poll, is_whole=True))


class IgnoresWhatNobodyCanAssign(SendMachine):
    def _decide(self, item: Any, finding: Any, poll: Any) -> Any:
        return super()._decide(item, replace(finding, is_explained=True), poll)


class NeedsNoWitness(SendMachine):
    def _is_current(self, item: Any, poll: Any) -> bool:
        return True


class TakesAnyWitness(SendMachine):
    """One from before the end of the request counts, too."""

    def _is_current(self, item: Any, poll: Any) -> bool:
        return super()._is_current(replace(item, over=item.at), poll)


class TrustsClocks(SendMachine):
    def _is_current(self, item: Any, poll: Any) -> bool:
        return super()._is_current(replace(item, is_inherited=False), poll)


class ListsScheduledAtOnce(SendMachine):
    """A message for now is taken as the witness of one for later."""

    def _is_current(self, item: Any, poll: Any) -> bool:
        return super()._is_current(item, replace(poll, as_of_scheduled=poll.as_of))


class DoesNotWaitForTheReports(SendMachine):
    def _is_believed_by_word(self, item: Any, poll: Any) -> bool:
        return super()._is_believed_by_word(
            replace(item, over=item.over - self._limits.report_lag_s - SKEW), poll
        )


class SendsAThirdTime(SendMachine):
    def _decide(self, item: Any, finding: Any, poll: Any) -> Any:
        decision = super()._decide(item, finding, poll)
        return "absent" if decision == "person" else decision


class TakesAWordForNewDoubts(SendMachine):
    def _has_word(self, item: Any) -> bool:
        return self._limits.on_in_doubt == "resend"


class UnknownIsUnsent(SendMachine):
    def _unknown(self, number: int, err: Any, now: float, **_: Any) -> None:
        self.not_sent(number, err)


class RepeatIsARefusal(SendMachine):
    def _was_tried(self, number: int) -> bool:
        return False


class StartsAnyTime(SendMachine):
    """A request leaves however old its intent is."""

    def next(self, now: float) -> Any:
        for item in self.items:
            item.at = now if item.stage is Stage.INTENDED else item.at
        return super().next(now)


class SendsWhatIsWrittenAhead(SendMachine):
    """Intents are not taken back while a request is in doubt."""

    def _post_or_take_back(self, now: float) -> Any:
        had, self._has_witness_left = self._has_witness_left, True
        action = super()._post_or_take_back(now)
        self._has_witness_left = had
        return action


class DoesNotCheckTheOwner(SendMachine):
    def owner(self, *, is_me: bool) -> None:
        super().owner(is_me=True)


class ChecksTheOwnerOnce(SendMachine):
    """It asks before the intent that a successor may have to see."""

    def _intend(self, numbers: Any, now: float) -> None:
        had = self._owner_seen
        super()._intend(numbers, now)
        self._owner_seen = had


class CallsAWitnessTooEarly(SendMachine):
    def _may_send_witness_batch(self, now: float) -> bool:
        return super()._may_send_witness_batch(now + 1)


class CallsWitnessesWithoutEnd(SendMachine):
    def _may_send_witness_batch(self, now: float) -> bool:
        self._has_witness_left = False
        return super()._may_send_witness_batch(now)


class CallsAnotherAfterAWitnessInDoubt(SendMachine):
    def _may_send_witness_batch(self, now: float) -> bool:
        kept = [each.doubts for each in self.items]
        for each in self.items:
            each.doubts = [replace(doubt, is_witness=False) for doubt in each.doubts]
        may = super()._may_send_witness_batch(now)
        for each, doubts in zip(self.items, kept, strict=True):
            each.doubts = doubts
        return may


class LastDoesNotWait(SendMachine):
    def _free_slots(self, now: float) -> int:
        self._planned += 1
        room = super()._free_slots(now)
        self._planned -= 1
        return room


class DoesNotWaitForABusyGateway(SendMachine):
    def _busy(self, number: int, err: Any, now: float) -> None:
        super()._busy(number, err, now)
        self._next_send_at = 0.0


class KeepsNoPace(SendMachine):
    def _schedule_next_send(self, now: float) -> None:
        """Take none."""


class IntentAfterThePost(Ledger):
    """An intent is written with the next settlement."""

    def flush(self) -> None:
        if not isinstance(self._journal._last[-1], Intent):
            super().flush()


class ClaimsNothing(Ledger):
    def claim(self, doubts: Any, **_: Any) -> None:
        """Say nothing."""


class ForgetsTheFirstTime(Ledger):
    """It does not say that a message was believed absent."""

    def settle(self, doubts: Any, digests: Any, ids: Any, **times: Any) -> None:
        ids = [NOT_TAKEN if outbox_id == ABSENT else outbox_id for outbox_id in ids]
        super().settle(doubts, digests, ids, **times)


class WriteFailureIgnored(Ledger):
    def flush(self) -> None:
        with suppress(LedgerError):
            super().flush()


class SettlementLost(Ledger):
    def settle(self, doubts: Any, digests: Any, ids: Any, **_: Any) -> None:
        """Say nothing."""


class ReadsBeforeItTakesOver(Ledger):
    def _take_epoch(self, own: Any, reader: Any) -> Any:
        """Take it later."""
        return {}

    def open(self, *, must_exist: bool) -> Any:
        history = super().open(must_exist=must_exist)
        super()._take_epoch(set(), Reader(self._store, self._name))
        return history


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        (SilenceOutweighsAYes, {"sizes": (1,), **HIDDEN}),
        (ClaimsNothing, {"sizes": (1,), **HIDDEN}),
        (BelievesAnIncompleteReport, {}),
        (IgnoresWhatNobodyCanAssign, {"altered": (0,)}),
        (NeedsNoWitness, {"sizes": (1,)}),
        (TakesAnyWitness, {"sizes": (1,), "traffic": 1}),
        (TrustsClocks, {"sizes": (1,), "traffic": 1, "faults": 0}),
        (ListsScheduledAtOnce, {"sizes": (1,), "traffic": 1, "is_scheduled": True}),
        (DoesNotWaitForTheReports, {"sizes": (1,), **WORD}),
        (SendsAThirdTime, {"sizes": (1,), "faults": 2, **WORD}),
        (ForgetsTheFirstTime, {"sizes": (1,), **WORD}),
        (TakesAWordForNewDoubts, {"sizes": (1,), "on_in_doubt": "resend", "word_from": 1}),
        (UnknownIsUnsent, {"sizes": (1,)}),
        (StartsAnyTime, {"sizes": (1,), "traffic": 1, "faults": 0}),
        (DoesNotCheckTheOwner, {"sizes": (1,), "traffic": 1, **NO_FENCE}),
        (ChecksTheOwnerOnce, {"traffic": 1, "faults": 0, **NO_FENCE}),
        (IntentAfterThePost, {"sizes": (1,)}),
        (WriteFailureIgnored, {"sizes": (1,), "store_faults": 1}),
        (ReadsBeforeItTakesOver, {"sizes": (1,), **NO_FENCE}),
    ],
)
def test_a_rule_taken_out_sends_twice(broken, rules):
    """Take out any one of the rules, and some order of events sends a message twice, or a third time."""
    kind = "machine" if issubclass(broken, SendMachine) else "ledger"

    with pytest.raises(DuplicateError):
        explore(Rules(**{kind: broken}, **rules))


@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        (RepeatIsARefusal, {"sizes": (1,), "faults": 2, **REPEATS}),
        (SettlementLost, {"sizes": (1,), "traffic": 1}),
    ],
)
def test_a_rule_taken_out_loses_a_message(broken, rules):
    """Without it a message that was taken ends as refused, or a last try does not end well."""
    kind = "machine" if issubclass(broken, SendMachine) else "ledger"

    with pytest.raises(LostError):
        explore(Rules(**{kind: broken}, **rules))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        (SendsWhatIsWrittenAhead, {"sizes": (1, 1, 1, 1), "max_in_flight": 2, **LOST}),
        (CallsAWitnessTooEarly, {"kills": False}),
        (CallsWitnessesWithoutEnd, {"sizes": (1, 1, 1), "kills": False}),
        (CallsAnotherAfterAWitnessInDoubt, {"sizes": (1, 1, 1), "faults": 2, **LOST}),
        (LastDoesNotWait, {"max_in_flight": 2, "kills": False}),
        (DoesNotWaitForABusyGateway, {"kills": False}),
        (KeepsNoPace, {"kills": False, "gap": 1}),
    ],
)
def test_a_rule_taken_out_lets_a_request_leave_too_early(broken, rules):
    """Without it a request leaves that had to wait."""
    with pytest.raises(RashError):
        explore(Rules(machine=broken, **rules))


def test_a_store_that_only_says_that_it_fences_sends_twice():
    """With neither the store's fence nor turns of one's own, two tries send the same."""
    with pytest.raises(DuplicateError):
        explore(Rules(sizes=(1,), fence=False, claims_fence=True))


def test_a_request_that_outlives_its_senders_patience_is_trusted_not_to():
    """What remains: a request that was given up and still arrives, later than anyone waits for it."""
    with pytest.raises(DuplicateError):
        explore(Rules(sizes=(1,), traffic=1, lingers=4))


def test_a_report_that_hides_a_message_is_trusted_not_to():
    """What remains: a report that shows what came later, and never a message whose answer was lost."""
    with pytest.raises(DuplicateError):
        explore(Rules(hidden=(0,)))
