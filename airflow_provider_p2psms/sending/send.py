"""
One send from checked rows to its result: ledger, plan, guards, run, outcomes.

This is the whole of the product without Airflow; the operators hand in rows, a client and a store for the
ledger, and pass on what comes back.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TextIO

from airflow_provider_p2psms.errors import (
    LedgerError,
    OutcomeUnknownError,
    P2PSMSError,
    ReplacedError,
    RowProblem,
    UnreachableError,
)
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.ledger.digest import NO_DIGEST, Digester
from airflow_provider_p2psms.ledger.ledger import Doubt, History, Ledger
from airflow_provider_p2psms.ledger.protocol import MOST_AHEAD, OnInDoubt, Protocol
from airflow_provider_p2psms.ledger.reports import Outbox
from airflow_provider_p2psms.ledger.stores import Store
from airflow_provider_p2psms.rows.message import Message
from airflow_provider_p2psms.sending.collector import rare_collections
from airflow_provider_p2psms.sending.cost import check_cost
from airflow_provider_p2psms.sending.forms import Form
from airflow_provider_p2psms.sending.kinds import Kinds
from airflow_provider_p2psms.sending.outcomes import NoNotes, Notes, OutcomeNotes
from airflow_provider_p2psms.sending.pace import Clock
from airflow_provider_p2psms.sending.plan import Known, Plan, PlanRules, build_plan, check_plan
from airflow_provider_p2psms.sending.run import Item, Run
from airflow_provider_p2psms.sending.spool import Entries, Parcel, Spool
from airflow_provider_p2psms.sending.tally import Tally, count_try
from airflow_provider_p2psms.sending.timing import Timing

log = logging.getLogger(__name__)

# They are in memory from their intent on.
_MOST_MESSAGES_AHEAD = 32_000

_OF_STAGING = {"held_back", "redirected"}

OpenOutcomes = Callable[[], AbstractContextManager[TextIO]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """
    What a task returns; numbers and texts are not in it.

    ``message_outbox_ids`` stand in the order of the groups (or file rows). ``accepted``,
    ``already_accepted``, ``invalid``, ``duplicates``, ``held_back`` and ``redirected`` (of those accepted)
    count recipients, ``requests`` POSTs; ``parts`` is an estimate, and so is ``cost`` in rial, which is
    ``None`` where no guard asked for it. ``send_time`` is UTC text, or ``None`` for at once.
    """

    message_outbox_ids: list[int]
    accepted: int
    already_accepted: int
    invalid: int
    duplicates: int
    requests: int
    parts: int
    cost: int | None
    send_time: str | None
    from_number: str
    held_back: int = 0
    redirected: int = 0

    @property
    def handed_in(self) -> int:
        """How many recipients the rows named, good and bad."""
        return self.accepted + self.invalid + self.duplicates + self.held_back

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it; ``held_back`` and ``redirected`` only where staging did so."""
        # Not `asdict`: it copies a million ids one by one.
        result = {each.name: getattr(self, each.name) for each in fields(self)}
        return {key: value for key, value in result.items() if value or key not in _OF_STAGING}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRules:
    """
    Which ledger a send keeps, and what it makes of what is in doubt.

    :param store: where its records lie; a send never shares ``store`` and ``name`` with another.
    :param scope: what the send is, e.g. its task and run; mixed into the digests.
    :param try_number: from 1.
    :param must_exist: whether an earlier try must have left records (see ``Ledger.open``).
    :param report_lag_s: how long the gateway's reports may take to show a send.
    """

    store: Store = field(repr=False)
    name: str = "p2psms"
    scope: str = ""
    try_number: int = 1
    must_exist: bool = False
    on_in_doubt: OnInDoubt = "reconcile"
    report_lag_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Everything about a send but its rows."""

    client: GatewayClient
    form: Form
    from_number: str
    rules: PlanRules
    timing: Timing
    ledger: LedgerRules
    batch_size: int
    max_in_flight: int
    requests_per_second: float | None = None
    drop_duplicates: bool = True
    max_cost: float | None = None
    open_outcomes: OpenOutcomes | None = None
    tell: Callable[[Tally], None] | None = None
    stop: threading.Event

    def send(self, results: Iterable[Message | RowProblem]) -> SendResult:
        """
        Check all rows, send what no earlier try has sent, and say what became of each.

        :param results: what the check of the rows yields. They are read once, to their end, before the first
            request.
        :raises InvalidMessageError: a row, a guard or the time is wrong; this try sent nothing.
        :raises GatewayRefusedError: the gateway refused a batch.
        :raises OutcomeUnknownError: some messages may have been taken, and the reports cannot tell.
        :raises UnreachableError: the gateway cannot be reached, or fails all the time. A later try goes on.
        :raises LedgerError: the ledger failed. A later try goes on; after ``ReplacedError`` it does already.
        :raises P2PSMSError: the send was stopped. A later try goes on.

        The notes on an error count what became of all. Where outcomes are wanted they are written in each of
        these cases, too, but for one: a try that was replaced leaves them to the newer one. ``tell`` is told
        what this try did in all of them.
        """
        ledger = Ledger(self.ledger.store, name=self.ledger.name, try_number=self.ledger.try_number)
        history = ledger.open(must_exist=self.ledger.must_exist)
        with ExitStack() as stack, rare_collections():
            spool = stack.enter_context(Spool(batch_size=self.batch_size))
            plan = Plan(spool, kinds=None if self.max_cost is None else Kinds())
            notes = stack.enter_context(OutcomeNotes()) if self.open_outcomes else NoNotes()
            self._write_outcomes(notes, plan)  # a path that cannot be written is found out before the send
            ours, run = True, None
            try:
                build_plan(results, plan, notes, rules=self.rules, known=self._known(history))
                cost = self._check(plan, history)
                run = self._prepare(plan, ledger, history, cost)
                self._go(run)
            except ReplacedError:
                ours = False
                raise
            finally:
                if self.tell:
                    self.tell(count_try(plan, requests=run.requests if run else 0))
                if ours:
                    self._write_outcomes(notes, plan)
            return self._result(plan, run, ledger, history, cost)

    # --- before

    def _known(self, history: History) -> Known:
        return Known(
            digester=Digester(
                scope=self.ledger.scope, sender=self.from_number, distinct=self.drop_duplicates
            ),
            accepted=history.accepted,
            doubtful={digest for doubt in history.doubts for digest in doubt.digests},
        )

    def _check(self, plan: Plan, history: History) -> int | None:
        """Refuse what may not be sent; return what the send is estimated to cost, if that was asked."""
        self._log_staging(plan)
        check_plan(plan, self.rules)
        if plan.spool.batches:
            self.timing.send_time(datetime.now(UTC))
        cost = self._check_cost(plan, history)
        counts = plan.recipients, len(plan.spool.batches), plan.parts, plan.invalid, plan.duplicates
        log.info(
            "Checked: %s recipients in %s requests, %s parts; %s bad rows, %s duplicates.",
            *(f"{count:,}" for count in counts),
        )
        if plan.already_accepted:
            log.info("Earlier tries sent %s of them; they are not sent again.", f"{plan.already_accepted:,}")
        doubted = [each for doubt in history.doubts for each in doubt.digests if each != NO_DIGEST]
        gone = len(doubted) - len(plan.doubtful)
        if gone:
            log.warning(
                "Earlier tries left %s messages in doubt that are no longer among the rows.", f"{gone:,}"
            )
        return cost

    def _check_cost(self, plan: Plan, history: History) -> int | None:
        if not (plan.spool.batches or plan.doubtful):  # nothing is left to guard against
            return history.closing.cost if history.closing else None
        if self.max_cost is None or plan.kinds is None:
            return None
        try:
            cost = check_cost(
                plan.kinds, plan.fates, self.client, from_number=self.from_number, max_cost=self.max_cost
            )
        except P2PSMSError as err:
            err.add_note("max_cost is set, so prices and credit were asked first. This try sent nothing.")
            raise
        log.info("It costs about %s rial.", f"{cost:,.0f}")
        return round(cost)

    def _log_staging(self, plan: Plan) -> None:
        if plan.held_back:
            log.warning(
                "STAGING: %s recipients are not among the connection's allowed_recipients and get nothing.",
                f"{plan.held_back:,}",
            )
        if plan.redirected:
            log.warning(
                "STAGING: %s texts go to the connection's redirect_to, and none to its recipient.",
                f"{plan.redirected:,}",
            )

    # --- the send

    def _prepare(self, plan: Plan, ledger: Ledger, history: History, cost: int | None) -> Run:
        inherited = [_inherited(plan, doubt) for doubt in history.doubts]
        inherited = [item for item in inherited if item.parcel]
        return Run(
            ledger,
            Protocol(
                inherited=[item.doubts[0].until for item in inherited],
                planned=len(plan.spool.batches),
                max_in_flight=self.max_in_flight,
                exchange_s=self.client.settings.exchange_s,
                lag_s=self.ledger.report_lag_s,
                fenced=self.ledger.store.fences,
                gap_s=1 / self.requests_per_second if self.requests_per_second else 0.0,
                on_in_doubt=self.ledger.on_in_doubt,
                most_ahead=min(MOST_AHEAD, _MOST_MESSAGES_AHEAD // self.batch_size),
            ),
            [*inherited, *(Item(batch) for batch in plan.spool.batches)],
            plan.fates,
            plan.spool,
            send=self._post,
            outbox=Outbox(self.client, stop=self.stop),
            sender=self.from_number,
            cost=cost,
            history=history,
            send_time=self.timing.send_time,
            stop=self.stop,
            clock=Clock(),
        )

    def _go(self, run: Run) -> None:
        run.go(max_in_flight=self.max_in_flight)
        if isinstance(run.failure, ReplacedError):
            raise run.failure

    def _post(self, parcel: Parcel, send_time: str | None, start_by: float) -> Sequence[int]:
        return self.form.send(
            self.client, parcel, from_number=self.from_number, send_time=send_time, start_by=start_by
        )

    # --- after

    def _result(self, plan: Plan, run: Run, ledger: Ledger, history: History, cost: int | None) -> SendResult:
        if not run.closing:
            raise _failure(run, plan.fates.count())
        ledger.flush()  # nothing is left to write, unless the ledger failed at the end of the run
        if run.closing is history.closing:
            log.info("All of it was sent by an earlier try. Nothing was sent now; the result is the same.")
        else:
            log.info("Accepted: %s recipients.", f"{plan.recipients:,}")
        return SendResult(
            message_outbox_ids=plan.fates.outbox_ids(),
            accepted=plan.recipients,
            already_accepted=plan.already_accepted + run.found,
            invalid=plan.invalid,
            duplicates=plan.duplicates,
            requests=run.closing.requests,
            parts=plan.parts,
            cost=cost,
            send_time=run.closing.send_time,
            from_number=self.from_number,
            held_back=plan.held_back,
            redirected=plan.redirected,
        )

    def _write_outcomes(self, notes: Notes, plan: Plan) -> None:
        if not (self.open_outcomes and isinstance(notes, OutcomeNotes)):
            return
        try:
            with self.open_outcomes() as stream:
                notes.write(stream, plan.fates)
        except Exception as err:
            # Any storage may fail in any way; a later try sends nothing again and writes them anew.
            raise LedgerError(f"The outcomes file cannot be written ({type(err).__name__}).") from err


def _inherited(plan: Plan, doubt: Doubt) -> Item:
    """Return what an earlier try left in doubt, as far as the rows still hold it."""
    entries = Entries.join(plan.doubtful[digest] for digest in doubt.digests if digest in plan.doubtful)
    return Item(parcel=Parcel.of(entries), doubts=[doubt])


def _failure(run: Run, counts: dict[Any, int]) -> P2PSMSError:
    """Say why a run ended before its end; what cannot be settled comes before what can be tried again."""
    failure = run.failure
    if failure is None and counts["in_doubt"] and not run.stopped:
        failure = OutcomeUnknownError("Nobody can tell whether some messages were taken.")
    if failure is None and run.stopped:
        failure = P2PSMSError("The send was stopped. A later try sends the rest.")
    if failure is None:
        failure = UnreachableError("The gateway fails all the time, and takes nothing. A later try goes on.")
    if isinstance(failure, OutcomeUnknownError):
        failure.add_note(_ways_on(run, counts))
    failure.add_note(
        f"{counts['accepted']:,} recipients were accepted, {counts['in_doubt']:,} are in doubt, "
        f"{counts['refused']:,} were refused or not sent."
    )
    return failure


def _ways_on(run: Run, counts: dict[Any, int]) -> str:
    since = min((doubt.at for item in run.doubtful for doubt in item.doubts), default=0.0)
    when = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"{counts['in_doubt']:,} recipients are in doubt since {when}. Look at the gateway's outbox of that "
        "time. If their texts are there, mark this task as successful; if they are not, clear it with "
        'on_in_doubt="resend", which sends them and what is left; to send all anew, give resend a word.'
    )
