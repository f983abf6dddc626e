"""
Watching messages until they are sent or delivered: look by look, each of bounded cost.

Knows when to end, well or badly, and how long silence is borne. It only asks; who waits between two looks,
and where, is the caller's: a sensor in its worker, a trigger in its event loop.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_p2psms.choices import OnFailed, Until
from airflow_provider_p2psms.delivery.counts import Counts, count
from airflow_provider_p2psms.delivery.lookup import (
    MIN_QUESTIONS,
    Lookup,
    OutOfQuestionsError,
    Questions,
    Reports,
    most_questions,
)
from airflow_provider_p2psms.errors import GatewayRefusedError, UnreachableError, lay_out, name_some
from airflow_provider_p2psms.gateway.statuses import FAILED, TERMINAL, Deliveries, State

log = logging.getLogger(__name__)


# Kept for the reasons of a failure: a question for each state that a message can fail in.
_FOR_REASONS = len(FAILED)
MAX_FAILURES = 10
_MAX_DOUBLINGS = 5


@dataclass(frozen=True, slots=True)
class Look:
    """
    What one look has found.

    ``done``: what was waited for has come. ``failure``: it never will, and why, in words for people.
    ``complete``: each id was asked for at least once since the watch began.
    """

    counts: Counts
    done: bool
    failure: str | None
    complete: bool


class DeliveryWatch:
    """
    One watch over outbox ids; not for two threads at once.

    :param until: ``"sent"``: the gateway has handed every message on. ``"delivered"``: the operators have
        reported on every recipient.
    :param min_delivered: by ``"delivered"``, the share of all recipients (above 0, up to 1) to whom a message
        must be delivered: the watch is done once it is reached, and fails once it cannot be any more. 0: done
        when all reports are final, whatever they say.
    :param on_failed: ``"fail"`` at the first message that failed, or ``"continue"`` with the others.
    :param min_questions: how many questions a look asks at most; at more than 10,000 ids, more.

    What is final is not asked for again. States of many ids come by pages of 100; delivery can only be asked
    by id, so where there are more ids than questions each look takes its share of them, in turns.
    """

    def __init__(
        self,
        reports: Reports,
        outbox_ids: Sequence[int],
        *,
        until: Until = "sent",
        min_delivered: float = 0.0,
        on_failed: OnFailed = "fail",
        min_questions: int = MIN_QUESTIONS,
    ) -> None:
        self._reports = reports
        self.outbox_ids = outbox_ids
        self._until = until
        self._min_delivered = min_delivered
        self._on_failed = on_failed
        self._limit = most_questions(len(outbox_ids), at_least=min_questions) - _FOR_REASONS
        self._lookup = Lookup(outbox_ids)
        self._deliveries: dict[int, Deliveries] = {}
        self._in_turn: deque[int] = deque()
        self._stop = threading.Event()
        self._told: object = None
        self._has_reports = not outbox_ids  # then nothing is asked
        self.failures = 0

    def look(self) -> Look:
        """
        Ask the gateway once more.

        A look without an answer finds what the one before it found.

        :raises UnreachableError: there was no answer ten times in a row.
        :raises GatewayRefusedError: the gateway shows no reports to this account.
        """
        try:
            questions = Questions(self._reports, limit=self._limit, stop=self._stop)
            self._ask(questions)
            self._has_reports = self._has_reports or questions.has_answer or self._show_pages()
            look = self._evaluate()
        except (UnreachableError, GatewayRefusedError) as err:
            self._count_failure(err)
            return self._evaluate(ask=False)
        self.failures = 0
        self._log_news(look.counts)
        return look

    def _log_news(self, counts: Counts) -> None:
        """Log what is new since the last time: in a triggerer, each line holds up all triggers a little."""
        records = self._lookup.seen
        unasked = sum(not self._lookup.last_turn(each) for each in self.outbox_ids)
        unseen = sum(each not in records for each in self.outbox_ids) - unasked
        unknown = Counter(str(each.state) for each in records.values() if not isinstance(each.state, State))
        if (found := (counts, unseen, unasked, unknown)) == self._told:
            return
        self._told = found
        told = ", ".join(f"{value:,.0f} {name}" for name, value in counts.as_dict().items() if value)
        log.info("%s outbox ids: %s", f"{len(self.outbox_ids):,}", told)
        if unseen:
            log.info("%s of them are not in the gateway's reports so far.", f"{unseen:,}")
        if unasked:
            log.info("%s of them were not asked for yet: one look asks for a part of them.", f"{unasked:,}")
        if unknown:
            log.warning(
                "These states are unknown to this version. It counts them as pending: %s", dict(unknown)
            )

    def pause_s(self, interval_s: float) -> float:
        """Return how long to wait for the next look: longer after each that stayed without an answer."""
        return interval_s * (1 << min(self.failures, _MAX_DOUBLINGS))

    def stop(self) -> None:
        """Let a look that is under way in another thread end with the question that it waits for."""
        self._stop.set()

    def _count_failure(self, err: UnreachableError | GatewayRefusedError) -> None:
        if isinstance(err, GatewayRefusedError) and err.http_status != 429:
            raise err
        self._told = None  # after a silence the log tells again how things stand
        self.failures += 1
        if self.failures >= MAX_FAILURES:
            raise UnreachableError(
                lay_out(
                    f"The gateway's reports gave no answer {self.failures} times in a row.",
                    "The messages are not affected. Only what became of them is not known.",
                    f"The last error: {err.summary}",
                    options=(
                        "Do nothing while retries are left: each asks again. Without any, clear the task.",
                    ),
                )
            ) from err
        log.warning("No answer from the reports (%s in a row). %s", self.failures, err.headline)

    # --- asking

    def _show_pages(self) -> bool:
        """
        Find out whether there are reports at all.

        An id that they do not show yet is answered with HTTP 404, and so is all else where there are none.

        :raises GatewayRefusedError: there are none.
        """
        try:
            list(Questions(self._reports, limit=1, stop=self._stop).pages({}, (1,)))
        except OutOfQuestionsError:
            return False
        except GatewayRefusedError as err:
            if err.http_status != 404:
                raise
            raise GatewayRefusedError(
                "The gateway's reports answer HTTP 404 to every question, so they cannot tell what became of "
                "the messages. Check the connection's Base URL, and whether this account has reports.",
                http_status=404,
            ) from err
        return True

    def _ask(self, questions: Questions) -> None:
        records = self._lookup.seen
        try:
            self._lookup.refresh([each for each in self.outbox_ids if not self._is_final(each)], questions)
            if self._until == "delivered":
                waiting = set(self._in_turn) | self._deliveries.keys()
                self._in_turn.extend(
                    each
                    for each in self.outbox_ids
                    if each in records and records[each].state == State.SENT and each not in waiting
                )
                for _ in range(len(self._in_turn)):
                    self._ask_deliveries(self._in_turn[0], questions)
        except OutOfQuestionsError:
            log.debug("The rest of the ids has its turn in the next look.")

    def _ask_deliveries(self, outbox_id: int, questions: Questions) -> None:
        reported = self._deliveries[outbox_id] = questions.deliveries(outbox_id)
        self._in_turn.popleft()
        if sum(reported) < self._lookup.seen[outbox_id].recipients:
            self._in_turn.append(outbox_id)

    def _is_final(self, outbox_id: int) -> bool:
        record = self._lookup.seen.get(outbox_id)
        return record is not None and record.state in TERMINAL

    # --- judging

    def _evaluate(self, *, ask: bool = True) -> Look:
        records = self._lookup.seen
        counts = count(self.outbox_ids, records, self._deliveries, until=self._until)
        failure = self._failed(ask=ask) or self._falls_short(counts)
        return Look(counts, not failure and self._is_done(counts), failure, self._is_complete())

    def _is_complete(self) -> bool:
        return all(
            self._lookup.last_turn(each) and (self._until == "sent" or self._is_asked(each))
            for each in self.outbox_ids
        )

    def _is_asked(self, outbox_id: int) -> bool:
        record = self._lookup.seen.get(outbox_id)
        return record is None or record.state != State.SENT or outbox_id in self._deliveries

    def _is_done(self, counts: Counts) -> bool:
        if self._until == "delivered" and self._min_delivered and self._all_seen():
            return counts.delivered >= self._wanted()
        return not counts.pending

    def _falls_short(self, counts: Counts) -> str | None:
        lost = counts.undelivered + counts.blacklisted + counts.failed
        if self._until == "sent" or not self._all_seen() or self._recipients() - lost >= self._wanted():
            return None
        return (
            f"min_delivered={self._min_delivered:g} cannot be reached any more.\n"
            f"{counts.delivered:,} of {self._recipients():,} recipients have their message. "
            f"{counts.undelivered:,} are undelivered, {counts.blacklisted:,} blacklisted, {counts.failed:,} "
            "failed."
        )

    def _all_seen(self) -> bool:
        return all(each in self._lookup.seen for each in self.outbox_ids)

    def _recipients(self) -> int:
        return sum(self._lookup.seen[each].recipients for each in self.outbox_ids)

    def _wanted(self) -> float:
        # A share such as 0.7 has no exact float: 7 of 10 are enough for it.
        return self._min_delivered * self._recipients() - 1e-6

    def _failed(self, *, ask: bool) -> str | None:
        by_state: dict[State, list[int]] = {}
        for outbox_id in self.outbox_ids:
            record = self._lookup.seen.get(outbox_id)
            if record and record.state in FAILED:
                by_state.setdefault(State(record.state), []).append(outbox_id)  # type: ignore[call-arg]
        if not by_state or self._on_failed == "continue":
            return None
        failed = sum(map(len, by_state.values()))
        reasons = [self._reason(state, ids, ask=ask) for state, ids in sorted(by_state.items())]
        return lay_out(
            f"{failed:,} of {len(self.outbox_ids):,} messages were not sent.",
            *reasons,
            options=('To wait for the others and count these, set on_failed="continue".',),
        )

    def _reason(self, state: State, ids: list[int], *, ask: bool) -> str:
        record = self._lookup.seen[ids[0]]
        if ask and not record.comment:
            # Only the single record has the comment of the person who rejected it.
            record = Questions(self._reports, limit=1).record(ids[0]) or record
        persian = ": ".join(filter(None, (record.label or state.persian, record.comment)))
        return f"{state.meaning.capitalize()} ({persian}): outbox ids {name_some(ids)}."
