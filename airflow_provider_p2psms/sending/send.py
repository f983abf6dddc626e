"""
One send from checked rows to its result: plan, guards, run, outcomes.

This is the whole of the product without Airflow; the operators hand in rows and a client and pass on what
comes back.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from airflow_provider_p2psms.errors import GatewayRefusedError, LedgerError, OutcomeUnknownError, RowProblem
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.wire import Receipt
from airflow_provider_p2psms.rows.message import Message
from airflow_provider_p2psms.sending.cost import check_cost
from airflow_provider_p2psms.sending.forms import Form
from airflow_provider_p2psms.sending.outcomes import Fate, NoNotes, Notes, OutcomeNotes
from airflow_provider_p2psms.sending.plan import Plan, PlanRules, build_plan, check_plan
from airflow_provider_p2psms.sending.run import Run
from airflow_provider_p2psms.sending.spool import Entry, Spool
from airflow_provider_p2psms.sending.timing import Timing

log = logging.getLogger(__name__)

OpenOutcomes = Callable[[], AbstractContextManager[TextIO]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """
    What a task returns; numbers and texts are not in it.

    ``message_outbox_ids`` stand in the order of the groups (or file rows). ``accepted``,
    ``already_accepted``, ``invalid``, ``duplicates`` and ``held_back`` count recipients, ``requests`` POSTs;
    ``parts`` is an estimate. ``send_time`` is UTC text, or ``None`` for at once.
    """

    message_outbox_ids: list[int]
    accepted: int
    already_accepted: int
    invalid: int
    duplicates: int
    requests: int
    parts: int
    send_time: str | None
    from_number: str
    held_back: int = 0

    @property
    def handed_in(self) -> int:
        """How many recipients the rows named, good and bad."""
        return self.accepted + self.invalid + self.duplicates + self.held_back

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it; ``held_back`` only where staging held something back."""
        result = asdict(self)
        return result if self.held_back else {key: result[key] for key in result if key != "held_back"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Everything about a send but its rows."""

    client: GatewayClient
    form: Form
    from_number: str
    rules: PlanRules
    timing: Timing
    batch_size: int
    max_in_flight: int
    max_cost: float | None = None
    open_outcomes: OpenOutcomes | None = None
    stop: threading.Event

    def send(self, results: Iterable[Message | RowProblem]) -> SendResult:
        """
        Check all rows, then send them, then say what became of each.

        :param results: what the check of the rows yields. They are read once, to their end, before the first
            request.
        :raises InvalidMessageError: a row, a guard or the time is wrong; nothing was sent.
        :raises GatewayRefusedError: the gateway refused a batch; the notes on the error count what came of
            the others.
        :raises UnreachableError: no connection, and nothing was sent.
        :raises OutcomeUnknownError: some messages may or may not have been taken, or some were taken and the
            rest was not sent. Running this again would send them again.

        Where outcomes are wanted they are written in each of these cases, too.
        """
        with ExitStack() as stack:
            spool = stack.enter_context(Spool(batch_size=self.batch_size))
            notes = stack.enter_context(OutcomeNotes()) if self.open_outcomes else NoNotes()
            run = Run(
                spool,
                post=self._post,
                send_time=self.timing.send_time,
                max_in_flight=self.max_in_flight,
                stop=self.stop,
            )
            self._write_outcomes(
                notes, spool, run
            )  # a path that cannot be written is found out before the send
            try:
                plan = build_plan(results, spool, notes, rules=self.rules)
                self._check(plan)
                _go(run, plan)
            finally:
                self._write_outcomes(notes, spool, run)
            return self._result(plan, run)

    def _write_outcomes(self, notes: Notes, spool: Spool, run: Run) -> None:
        if not (self.open_outcomes and isinstance(notes, OutcomeNotes)):
            return
        try:
            with self.open_outcomes() as stream:
                notes.write(stream, self._fates(spool, run))
        except Exception as err:
            # Any storage may fail in any way; Airflow must not send again because of it.
            raise LedgerError(
                f"The outcomes file cannot be written ({type(err).__name__}). Of this send's recipients "
                f"{run.accepted:,} were accepted."
            ) from err

    def _check(self, plan: Plan) -> None:
        check_plan(plan, self.rules)
        if plan.recipients:
            self.timing.send_time(datetime.now(UTC))
            if self.max_cost is not None:
                check_cost(plan, self.client, from_number=self.from_number, max_cost=self.max_cost)
        counts = plan.recipients, len(plan.spool.batches), plan.parts, plan.invalid, plan.duplicates
        log.info(
            "Checked: %s recipients in %s requests, %s parts; %s bad rows, %s duplicates.",
            *(f"{count:,}" for count in counts),
        )
        if plan.held_back:
            log.warning("Staging: %s recipients are held back (allowed_recipients).", f"{plan.held_back:,}")
        if self.rules.redirect_to:
            log.warning("Staging: all texts go to one number (redirect_to).")

    def _post(self, entries: list[Entry], send_time: str | None) -> Receipt:
        return self.form.send(self.client, entries, from_number=self.from_number, send_time=send_time)

    def _result(self, plan: Plan, run: Run) -> SendResult:
        return SendResult(
            message_outbox_ids=[
                outbox_id
                for batch in plan.spool.batches
                for outbox_id in run.receipts[batch.number].outbox_ids
            ],
            accepted=run.accepted,
            already_accepted=0,
            invalid=plan.invalid,
            duplicates=plan.duplicates,
            requests=run.requests,
            parts=plan.parts,
            send_time=run.send_time,
            from_number=self.from_number,
            held_back=plan.held_back,
        )

    def _fates(self, spool: Spool, run: Run) -> Iterator[Fate]:
        """Yield one fate a message, in the order in which they were placed."""
        for batch in spool.batches:
            fate, receipt = run.fate(batch), run.receipts.get(batch.number)
            if receipt is None:
                yield from [fate] * batch.size
            else:
                for position in self.form.id_positions(spool.read(batch)):
                    yield Fate("accepted", receipt.outbox_ids[position])


def _go(run: Run, plan: Plan) -> None:
    """Run, and tell apart how it ends: all accepted, nothing sent, or something that must not be repeated."""
    try:
        run.go()
    except BaseException as err:  # a time-out or a signal, too: what was accepted must not be sent again
        if run.requests:
            raise _unfinished("The send was interrupted.", plan, run) from err
        raise
    if run.accepted == plan.recipients:
        return
    failure = run.failure
    if failure and (
        failure.may_have_been_sent or not run.accepted or isinstance(failure, GatewayRefusedError)
    ):
        failure.add_note(_tally(plan, run))
        raise failure
    raise _unfinished(str(failure or "The send was stopped."), plan, run) from failure


def _unfinished(reason: str, plan: Plan, run: Run) -> OutcomeUnknownError:
    err = OutcomeUnknownError(
        f"{reason} A part has left already; running it again would send that part again."
    )
    err.add_note(_tally(plan, run))
    return err


def _tally(plan: Plan, run: Run) -> str:
    counts = Counter[str]()
    for batch in plan.spool.batches:
        counts[run.fate(batch).outcome] += batch.size
    return (
        f"Of {plan.recipients:,} recipients {counts['accepted']:,} were accepted, {counts['in_doubt']:,} are "
        f"in doubt and {counts['refused']:,} were refused or not sent."
    )
