"""
One send from checked rows to its result: ledger, plan, guards, run, outcomes.

This is the whole of the product without Airflow; the operators hand in rows, a client and a store for the
ledger, and pass on what comes back.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TextIO

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    LedgerError,
    OutcomeUnknownError,
    P2PSMSError,
    ReplacedError,
    UnreachableError,
    UnsettledError,
    lay_out,
)
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.clock import DATE_ERROR_S
from airflow_provider_p2psms.gateway.outbox import Outbox, QuestionPace
from airflow_provider_p2psms.identity import canonical_line, fold
from airflow_provider_p2psms.ledger.digest import Digester
from airflow_provider_p2psms.ledger.ledger import Receipt as Noted
from airflow_provider_p2psms.ledger.records import Completion
from airflow_provider_p2psms.rows.check import Checked
from airflow_provider_p2psms.sending.clock import Clock
from airflow_provider_p2psms.sending.cost import check_cost
from airflow_provider_p2psms.sending.driver import Driver
from airflow_provider_p2psms.sending.ledgers import LedgerRules, OpenLedger, check_chunk, inherited_items
from airflow_provider_p2psms.sending.machine import (
    LARGEST_WINDOW,
    Item,
    Limits,
    Origin,
    Receipt,
    SendMachine,
)
from airflow_provider_p2psms.sending.origin import account_of, check_origin
from airflow_provider_p2psms.sending.payloads import Payload
from airflow_provider_p2psms.sending.plan import NOTHING_SENT, Known, Plan, PlanRules, build_plan, check_plan
from airflow_provider_p2psms.sending.price_classes import PriceClasses
from airflow_provider_p2psms.sending.progress import Progress
from airflow_provider_p2psms.sending.reconcile import Digest, Reconciler
from airflow_provider_p2psms.sending.spool import Spool
from airflow_provider_p2psms.sending.standing import Standing
from airflow_provider_p2psms.sending.times import Times
from airflow_provider_p2psms.sending.timing import Timing
from airflow_provider_p2psms.sending.try_metrics import TryMetrics, count_try
from airflow_provider_p2psms.sending.witness import WitnessMessage

log = logging.getLogger(__name__)

# They are in memory from their intent on.
_MOST_MESSAGES_IN_WINDOW = 32_000

# A Date header has whole seconds, and an answer takes its time.
_CLOCK_IS_OFF_S = 5.0

_NEXT_TRY = "Retries of the task go on where this try ended. Without any, clear it."

_BEFORE_A_PERSON = (
    "While retries are left, do nothing: each asks the reports again, and sends nothing twice.",
    "On a quiet account, set report_lag or witness_recipient in the connection.",
)
_FOR_A_PERSON = (
    "If the gateway's outbox of that time shows the texts, mark this task as successful.",
    'If it does not, clear the task with on_in_doubt="resend": it sends what the reports do not show.',
    "on_in_doubt is a template: with an Airflow Variable in it, that needs no new DAG version.",
    "To send all anew, give resend a word.",
)

_OF_STAGING = {"held_back", "redirected"}


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
class Sender:
    """
    Everything about a send but its rows.

    ``ledger`` may be open already: the caller opens it before all that may fail. With ``key_column`` a
    message is known by its recipient and its key instead of its text. ``witness_recipient`` is the user's own
    number, in E.164. If the send ends with an error, ``keep_ids`` gets the outbox ids of all that was
    accepted, by this try and by earlier ones. ``report_standing`` gets how the send stands, if a try has made
    requests or asked the reports, however it ends.
    """

    client: GatewayClient
    payload: Payload
    from_number: str
    rules: PlanRules
    timing: Timing
    ledger: LedgerRules | OpenLedger
    batch_size: int
    max_in_flight: int
    requests_per_second: float | None = None
    drop_duplicates: bool = True
    key_column: str | None = None
    max_cost: float | None = None
    witness_recipient: str | None = field(default=None, repr=False)
    open_outcomes: Callable[[], AbstractContextManager[TextIO]] | None = None
    report_metrics: Callable[[TryMetrics], None] | None = None
    keep_ids: Callable[[list[int]], None] | None = None
    report_standing: Callable[[Standing], None] | None = None
    stop: threading.Event
    times: Times = field(default_factory=Times)

    def send(self, checked: Checked) -> SendResult:
        """
        Check all rows, send what no earlier try has sent, and say what became of each.

        :param checked: the rows. They are read once, to their end, before the first request.
        :raises InvalidMessageError: a row, a guard or the time is wrong; this try sent nothing.
        :raises GatewayRefusedError: the gateway refused a batch.
        :raises UnsettledError: some messages may have been taken. A later try asks the reports again.
        :raises OutcomeUnknownError: some messages may have been taken, and only a person can settle it.
        :raises UnreachableError: the gateway cannot be reached, or fails all the time. A later try goes on.
        :raises LedgerError: the ledger failed. A later try goes on; after ``ReplacedError`` it does already.
        :raises P2PSMSError: the send was stopped. A later try goes on.

        The notes on an error count what became of all. Where outcomes are wanted they are written in each of
        these cases, too, but for one: a try that was replaced leaves them to the newer one.
        ``report_metrics`` gets what this try did in all of them.
        """
        opened = self.ledger.open()
        with ExitStack() as stack:
            spool = stack.enter_context(Spool(batch_size=self.batch_size))
            plan = Plan(spool)
            self._write_outcomes(plan)  # a path that cannot be written fails before the send
            is_ours, send = True, None
            stack.push(lambda kind, *_: self._keep_ids(opened, plan, send) if kind else None)
            try:
                known = self._known(opened)
                among = build_plan(checked.batches(), plan, rules=self.rules, known=known)
                for sentence in checked.reading.sentences():
                    log.info(sentence)
                send = _Send(self, opened, plan, among=among, older=known.older)
                send.check()
                send.go()
            except ReplacedError:
                is_ours = False
                raise
            finally:
                self._report(plan, send, is_ours=is_ours)
            return send.result()

    def _known(self, opened: OpenLedger) -> Known:
        return Known(
            digester=opened.digester(line=canonical_line(self.from_number), distinct=self.drop_duplicates),
            older=opened.older_digester(sender=self.from_number, distinct=self.drop_duplicates),
            key_column=self.key_column,
            accepted=opened.history.accepted,
            doubtful={digest for doubt in opened.history.doubts for digest in doubt.digests},
        )

    def _keep_ids(self, opened: OpenLedger, plan: Plan, send: "_Send | None") -> None:
        if self.keep_ids:
            of_rows = plan.outcomes.outbox_ids()
            self.keep_ids(
                list(dict.fromkeys([*of_rows, *(send.gone_ids if send else ()), *opened.own_ids()]))
            )

    def _report(self, plan: Plan, send: "_Send | None", *, is_ours: bool) -> None:
        """Say what this try did; how all messages stand, a try that was replaced leaves to the newer one."""
        if self.report_metrics:
            self.report_metrics(count_try(plan, requests=send.requests if send else 0))
        if is_ours:
            self._write_outcomes(plan)
            self._report_standing(send)

    def _report_standing(self, send: "_Send | None") -> None:
        if self.report_standing and send and (standing := send.standing()):
            self.report_standing(standing)

    def _write_outcomes(self, plan: Plan) -> None:
        if not self.open_outcomes:
            return
        try:
            with self.open_outcomes() as stream:
                plan.outcomes.write(stream, plan.spool)
        except Exception as err:
            # Any storage may fail in any way; a later try sends nothing again and writes them anew.
            raise LedgerError(f"The outcomes file cannot be written ({type(err).__name__}).") from err


class _Send:
    """
    One send whose rows are planned.

    :param among: the digests of the ledger's messages that are among the rows.
    :param older: what digests messages of ledgers of format 1.
    """

    def __init__(
        self,
        sender: Sender,
        opened: OpenLedger,
        plan: Plan,
        *,
        among: AbstractSet[bytes],
        older: Digester | None,
    ) -> None:
        self._sender, self._opened, self._plan = sender, opened, plan
        self._rules, self._history = opened.rules, opened.history
        self._ledger: Any = opened.ledger
        self._among, self._older = among, older
        self._cost: int | None = None
        self._is_delay_logged = False
        self._clock = Clock()
        self._driver: Driver | None = None
        self._machine: SendMachine | None = None
        self._pace = QuestionPace(
            questions=sender.times.questions, per_s=sender.times.questions_per_s, stop=sender.stop
        )
        self._outbox = Outbox(sender.client, pace=self._pace)

    @property
    def requests(self) -> int:
        """How many POSTs this try made."""
        return self._machine.requests if self._machine else 0

    @property
    def gone_ids(self) -> Sequence[int]:
        """The outbox ids of messages whose rows have gone since an earlier try."""
        return self._machine.gone_ids if self._machine else ()

    def standing(self) -> Standing | None:
        """Return how the send stands; ``None`` if this try can have changed nothing."""
        machine = self._machine
        if machine is None or not (machine.requests or self._history.doubts):
            return None
        counts = self._plan.outcomes.count()
        return Standing(
            accepted=counts["accepted"] + machine.gone_accepted,
            in_doubt=counts["in_doubt"] + machine.gone_in_doubt,
            not_sent=counts["refused"] + machine.gone_absent,
        )

    # --- before

    def check(self) -> None:
        """Refuse what may not be sent."""
        sender, plan, history = self._sender, self._plan, self._history
        self._log_staging()
        check_plan(plan, sender.rules)
        check_chunk(self._rules, history, known=self._among.__contains__, has_new=bool(plan.requests))
        if plan.requests:
            self._send_time(datetime.now(UTC))
        self._check_cost()
        counts = plan.recipients, len(plan.requests), plan.parts, plan.invalid, plan.duplicates
        log.info(
            "Checked: %s recipients in %s requests, %s parts; %s bad rows, %s duplicates.",
            *(f"{count:,}" for count in counts),
        )
        if plan.already_accepted:
            log.info("Earlier tries sent %s of them; they are not sent again.", f"{plan.already_accepted:,}")

    def _check_cost(self) -> None:
        sender, plan, completion = self._sender, self._plan, self._history.completion
        if not (plan.requests or plan.doubtful):  # nothing is left to guard against
            self._cost = completion.cost if completion else None
            return
        if sender.max_cost is None:
            return
        try:
            cost = check_cost(
                PriceClasses(batch for batch, _ in plan.spool),
                sender.client,
                from_number=sender.from_number,
                max_cost=sender.max_cost,
            )
        except (GatewayRefusedError, UnreachableError) as err:
            err.add_note(f"max_cost is set, so prices and credit were asked first. {NOTHING_SENT}")
            raise
        log.info("It costs about %s rial.", f"{cost:,.0f}")
        self._cost = round(cost)

    def _log_staging(self) -> None:
        plan = self._plan
        if plan.held_back:
            log.warning(
                "STAGING: %s recipients get nothing: they are not in allowed_recipients.",
                f"{plan.held_back:,}",
            )
        if plan.redirected:
            log.warning(
                "STAGING: %s texts go to redirect_to, and none to its recipient.",
                f"{plan.redirected:,}",
            )

    # --- the send

    def go(self) -> None:
        """
        Settle what is in doubt, and send what is left.

        :raises ReplacedError: a newer try has begun.
        """
        sender = self._sender
        check_origin(self._history, sender.client.settings, self._outbox)
        machine = self._machine = self._build_machine()
        self._driver = Driver(
            machine,
            self._ledger,
            send=self._post,
            reports=self._reconciler(machine),
            witness=self._witness(),
            send_time=self._send_time,
            stop=sender.stop,
            clock=self._clock,
            progress=Progress(self._plan.outcomes, every_s=sender.times.progress_every_s),
            times=sender.times,
        )
        self._driver.go(max_in_flight=sender.max_in_flight)
        self._warn_of_clock()
        if isinstance(machine.failure, ReplacedError):
            raise machine.failure

    def _build_machine(self) -> SendMachine:
        sender, plan, history = self._sender, self._plan, self._history
        settings, limits = sender.client.settings, self._limits()
        doubts = self._opened.doubts(self._among.__contains__)
        offset_s = self._measure_clock(has_doubts=bool(doubts))
        latest = limits.over_by(self._clock())
        items = inherited_items(doubts, plan.doubtful, history, offset_s=offset_s, latest=latest)
        return SendMachine(
            [*items, *map(Item, plan.requests)],
            limits=limits,
            ledger=self._ledger,
            outcomes=plan.outcomes,
            origin=Origin(
                line=sender.from_number,
                gateway=settings.base_url,
                account=account_of(settings),
                offset_s=lambda: sender.client.clock_offset_s or 0.0,
                is_scheduled=self._is_scheduled,
            ),
            read=plan.spool.read,
            close=self._close,
            absent=history.absent,
            tried=history.not_taken,
            first_at=history.first_at - (offset_s or 0.0),
            receipts=[_receipt(each, offset_s) for each in history.receipts],
        )

    def _limits(self) -> Limits:
        sender, settings, rate = self._sender, self._sender.client.settings, self._sender.requests_per_second
        return Limits(
            times=sender.times,
            max_in_flight=sender.max_in_flight,
            exchange_s=settings.exchange_s,
            linger_s=min(sender.times.linger_s, settings.read_timeout_s),
            fenced=self._rules.store.fences,
            gap_s=1 / rate if rate else 0.0,
            on_in_doubt=self._rules.on_in_doubt,
            report_lag_s=self._rules.report_lag_s,
            largest_window=min(LARGEST_WINDOW, _MOST_MESSAGES_IN_WINDOW // sender.batch_size),
            has_witness=bool(sender.witness_recipient),
        )

    def _reconciler(self, machine: SendMachine) -> Reconciler:
        sender = self._sender
        return Reconciler(
            self._outbox,
            digest_of=self._digest_of,
            known_ids=lambda: {
                *self._history.accepted.values(),
                *self._opened.ids_of_map_indexes(
                    doubtful={digest for item in machine.doubtful for digest in item.digests}
                ),
                *self._plan.outcomes.outbox_ids(),
                *machine.gone_ids,
            },
            clock_offset_s=lambda: sender.client.clock_offset_s,
            clock=self._clock,
            times=sender.times,
            report_lag_s=self._rules.report_lag_s,
        )

    def _digest_of(self, item: Item) -> Digest:
        digester = self._opened.digester(line=canonical_line(item.doubts[0].sender), distinct=True)
        if item.doubts[0].format == 1 and self._older:
            older = self._older
            return lambda recipient, text, copy: older.copy(f"{recipient}\0{text}".encode(), copy)
        return lambda recipient, text, copy: digester.copy(f"{recipient}\0{fold(text)}".encode(), copy)

    def _witness(self) -> WitnessMessage | None:
        sender = self._sender
        if not (sender.witness_recipient or self._history.witnesses):
            return None
        return WitnessMessage(
            sender.client,
            self._ledger,
            recipient=sender.witness_recipient or "",
            from_number=sender.from_number,
            left=[outbox_id for outbox_id, _ in self._history.witnesses],
            clock=self._clock,
        )

    def _post(self, batch: Batch, send_time: str | None, start_by: float) -> Sequence[int]:
        sender = self._sender
        return sender.payload.send(
            sender.client, batch, from_number=sender.from_number, send_time=send_time, start_by=start_by
        )

    def _send_time(self, now: datetime) -> str | None:
        timing = self._sender.timing
        send_time = timing.send_time(now)
        # Once: near its opening, the time of each batch is another one.
        if not self._is_delay_logged and (delay := timing.describe_delay(send_time)):
            self._is_delay_logged = True
            log.info(delay)
        return send_time

    def _is_scheduled(self) -> bool:
        try:
            return self._sender.timing.send_time(datetime.now(UTC)) is not None
        except InvalidMessageError:
            return True

    def _measure_clock(self, *, has_doubts: bool) -> float | None:
        """Return how far the gateway's clock is ahead of ours; ask if an earlier try's times depend on it."""
        client = self._sender.client
        if has_doubts and client.clock_offset_s is None:
            with suppress(P2PSMSError):  # without an answer the times are taken as they are
                self._pace.wait()
                client.check_token()
        self._warn_of_clock()
        return client.clock_offset_s

    def _warn_of_clock(self) -> None:
        offset_s = self._sender.client.clock_offset_s or 0.0
        if abs(offset_s) > _CLOCK_IS_OFF_S:
            log.warning(
                "This worker's clock is %.0f s %s the gateway's. Set it by NTP.",
                abs(offset_s),
                "behind" if offset_s > 0 else "ahead of",
            )

    def _close(self, requests: int) -> Completion | None:
        completion = self._history.completion
        if completion and not requests:
            return None
        send_time = self._driver.send_time if self._driver else None
        return Completion(requests, send_time, self._cost)

    # --- after

    def result(self) -> SendResult:
        """
        Return what the task returns.

        :raises P2PSMSError: not all was accepted (see ``Sender.send``).
        """
        plan, machine = self._plan, self._machine
        assert machine  # noqa: S101 - `go` has made it
        completion = machine.completion or self._history.completion
        counts, ids = plan.outcomes.count(), plan.outcomes.outbox_ids()
        if machine.failure or machine.doubtful or not plan.outcomes.all_accepted() or completion is None:
            raise self._failure(machine, counts)
        self._ledger.flush()  # nothing is left to write, unless the ledger failed at the end of the run
        if machine.gone_absent:
            raise self._lost(machine.gone_absent)
        if machine.completion is None:
            log.info("All of it was sent by an earlier try. Nothing was sent now; the result is the same.")
        else:
            log.info("Accepted: %s recipients.", f"{plan.recipients + machine.gone_accepted:,}")
        return SendResult(
            message_outbox_ids=list(dict.fromkeys([*ids, *machine.gone_ids])) if machine.gone_ids else ids,
            accepted=plan.recipients + machine.gone_accepted,
            already_accepted=plan.already_accepted + machine.found,
            invalid=plan.invalid,
            duplicates=plan.duplicates,
            requests=completion.requests,
            parts=plan.parts,
            cost=self._cost,
            send_time=completion.send_time,
            from_number=self._sender.from_number,
            held_back=plan.held_back,
            redirected=plan.redirected,
        )

    def _lost(self, count: int) -> P2PSMSError:
        return InvalidMessageError(
            lay_out(
                f"{count:,} messages of an earlier try were not sent.",
                "The gateway did not take them, and the rows of this try do not hold them any more.",
                "All others were sent.",
                options=(
                    "To send them, add their rows again and clear this task.",
                    "To do without them, clear it or mark it as successful.",
                ),
            )
        )

    def _failure(self, machine: SendMachine, counts: dict[Any, int]) -> P2PSMSError:
        """Say why a run ended before its end; what cannot be settled comes before what can be tried again."""
        in_doubt = counts["in_doubt"] + machine.gone_in_doubt
        if machine.failure:
            failure = machine.failure
        elif self._driver and self._driver.stopped:
            failure = P2PSMSError(lay_out("The send was stopped.", options=[_NEXT_TRY]))
        elif machine.doubtful:
            failure = UnsettledError(
                lay_out(
                    f"The outcome of {in_doubt:,} messages is not known yet.",
                    "The send ended before it could be settled.",
                )
            )
        else:
            failure = UnreachableError(
                lay_out("The gateway takes nothing: it asks to wait again and again.", options=[_NEXT_TRY])
            )
        failure.add_note(
            f"{counts['accepted'] + machine.gone_accepted:,} recipients were accepted, {in_doubt:,} are in "
            f"doubt, {counts['refused']:,} were refused or not sent."
        )
        if failure.may_have_been_sent:
            failure.add_note(_ways_on(machine, is_final=isinstance(failure, OutcomeUnknownError)))
        return failure


def _receipt(noted: Noted, offset_s: float | None) -> Receipt:
    """Return a receipt of an earlier try by the clock of this one, as far as ``Date`` headers tell it."""
    shift_s = 0.0 if offset_s is None else noted.offset - offset_s
    at, until = noted.at + shift_s - DATE_ERROR_S, noted.until + shift_s + DATE_ERROR_S
    return Receipt(noted.outbox_id, at, until, 0, noted.is_scheduled)


def _ways_on(machine: SendMachine, *, is_final: bool) -> str:
    """Say since when messages are in doubt, and what can be done, an action a line."""
    since = min((item.at for item in machine.doubtful), default=0.0)
    when = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = []
    if reason := next((item.reason for item in machine.doubtful if item.reason), ""):
        facts.append(f"The first of their requests ended so: {reason}")
    if machine.doubtful and all(item.said_taken for item in machine.doubtful):
        facts.append("The gateway said that it took them, but its reports do not show them.")
    options = _FOR_A_PERSON if is_final else (*_BEFORE_A_PERSON, *_FOR_A_PERSON)
    return lay_out(f"They are in doubt since {when}.", *facts, options=options)
