"""
The two send tasks: the same rows, checks, options and result; they differ in what goes over the wire.

Thin on purpose: what they do with rows is in ``sending``. Here a DAG author's parameters are checked when the
DAG is parsed, and what Airflow shows of a task is kept free of numbers and texts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow_provider_p2psms.airflow_compat import (
    MULTIPLE_OUTPUTS,
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
    push_outputs,
)
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.operators.concealed import Concealed, conceal_rows, conceal_text, reveal
from airflow_provider_p2psms.operators.ledger import ledger_rules, parse_resend
from airflow_provider_p2psms.operators.links import OutboxLink, record_outbox_link
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates
from airflow_provider_p2psms.operators.storage import open_outcomes, open_rows
from airflow_provider_p2psms.operators.telling import count_in_stats
from airflow_provider_p2psms.operators.translation import errors_for_airflow
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    import os

    from airflow.sdk import Context

    from airflow_provider_p2psms.errors import RowProblem
    from airflow_provider_p2psms.hooks.sms import SMSHook
    from airflow_provider_p2psms.operators.cancel import CancelScheduledSMSOperator
    from airflow_provider_p2psms.rows import Message, Row, RowRules
    from airflow_provider_p2psms.sending.ledgers import OpenLedger
    from airflow_provider_p2psms.sending.plan import PlanRules
    from airflow_provider_p2psms.sending.send import Sender, SendResult
    from airflow_provider_p2psms.sending.times import Times
    from airflow_provider_p2psms.sending.timing import Timing

__all__ = ["CancelScheduledSMSOperator", "PeerToPeerFileOperator", "PeerToPeerSMSOperator"]


def __getattr__(name: str) -> Any:
    # Made for those who ask for it: most DAG files cancel nothing, and each task class costs their parsing.
    if name == "CancelScheduledSMSOperator":
        from airflow_provider_p2psms.operators import cancel

        return cancel.CancelScheduledSMSOperator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


HiddenRows = Literal["fail", "skip", "send"]
OnInvalid = Literal["fail", "skip"]
OnEmpty = Literal["skip", "succeed", "fail"]
OnBackfill = Literal["skip", "send", "fail"]
OnLate = Literal["fail", "send_now"]
OnInDoubt = Literal["reconcile", "fail", "resend"]
Identity = Literal["text", "key"]
# The template fields of tasks whose rows come from elsewhere lack these.
SOURCE_FIELDS = frozenset({"messages", "file", "sheet", "encoding"})
# A text may be the name of a file that holds its template.
TEXT_FILES = {"text": (".txt", ".j2")}
# Parameters that are texts, also those that another task gives; the last two may be paths.
TEXTS = ("text", "from_number", "p2psms_conn_id", "file", "outcomes")
_PATHS = frozenset({"file", "outcomes"})
LONGEST_REPORT_LAG_S = 7 * 24 * 3600


class _SendOperator(AuthorsTemplates, BaseOperator):
    """What both send tasks share; see ``PeerToPeerSMSOperator`` for the parameters."""

    template_fields: Sequence[str] = (
        "messages",
        "file",
        "sheet",
        "encoding",
        "text",
        "from_number",
        "send_time",
        "p2psms_conn_id",
        "outcomes",
        "on_in_doubt",
        "resend",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    operator_extra_links = (OutboxLink(),)
    ui_color = "#d9f2e6"

    _fields_of_values = frozenset({"messages"})
    _may_be_none = frozenset({"resend"})
    _file_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = TEXT_FILES

    _form: ClassVar[Literal["PeerToPeer", "PeerToPeerFile"]]
    _texts: ClassVar[Sequence[str]] = TEXTS
    # How long a send waits for what (`sending.times.Times`); None: as long as people do.
    _times: ClassVar[Times | None] = None
    _stop: threading.Event | None = None

    def __init__(
        self,
        *,
        messages: object = None,
        file: str | os.PathLike[str] | None = None,
        sheet: str | int | None = None,
        hidden_rows: HiddenRows = "fail",
        encoding: str | None = None,
        text: str | None = None,
        text_values: Collection[str] = (),
        recipient_column: str = "recipient",
        message_column: str = "message",
        key_column: str | None = None,
        trust_e164: bool = False,
        mobiles_only: bool = False,
        from_number: str | None = None,
        send_time: datetime | str | None = None,
        send_window: tuple[str, str, str] | None = None,
        on_late: OnLate = "fail",
        on_invalid: OnInvalid = "fail",
        on_empty: OnEmpty = "skip",
        on_backfill: OnBackfill = "skip",
        on_in_doubt: OnInDoubt = "reconcile",
        resend: str | None = None,
        report_lag: float | None = None,
        identity: Identity = "text",
        drop_duplicates: bool = True,
        max_recipients: int | None = None,
        max_parts: int | None = None,
        max_cost: float | None = None,
        batch_size: int | None = None,
        max_in_flight: int = 4,
        requests_per_second: float | None = None,
        outcomes: str | os.PathLike[str] | None = None,
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        # Each key of the result is an XCom of its own, to be pulled and mapped by itself.
        super().__init__(**{"multiple_outputs": MULTIPLE_OUTPUTS, **kwargs})
        self.messages = messages
        self.file = file
        self.sheet = sheet
        self.hidden_rows = hidden_rows
        self.encoding = encoding
        self.text: str | Concealed | None = text
        self.text_values = text_values
        self.recipient_column = recipient_column
        self.message_column = message_column
        self.key_column = key_column
        self.trust_e164 = trust_e164
        self.mobiles_only = mobiles_only
        self.from_number = from_number
        self.send_time = send_time
        self.send_window = send_window
        self.on_late = on_late
        self.on_invalid = on_invalid
        self.on_empty = on_empty
        self.on_backfill = on_backfill
        self.on_in_doubt = on_in_doubt
        self.resend = resend
        self.report_lag = report_lag
        self.identity = identity
        self.drop_duplicates = drop_duplicates
        self.max_recipients = max_recipients
        self.max_parts = max_parts
        self.max_cost = max_cost
        self.batch_size = batch_size
        self.max_in_flight = max_in_flight
        self.requests_per_second = requests_per_second
        self.outcomes = outcomes
        self.p2psms_conn_id = p2psms_conn_id
        self._check_parameters()

    def execute(self, context: Context) -> dict[str, Any]:
        """Check all rows, send them, and return the result without numbers and texts."""
        from airflow_provider_p2psms.hooks.sms import SMSHook

        self._stop = threading.Event()
        with errors_for_airflow(), ExitStack() as stack:
            # First: whatever fails from here on, a later try finds a ledger.
            ledger = self._open_ledger(context)
            self._check_rendered()
            self._heed_backfill(context)
            check = self._ready_to_check(context, stack)
            hook = SMSHook(self.p2psms_conn_id)
            stack.callback(hook.get_conn().close)
            sender = self._sender(hook, context, ledger, self._stop)
            result = sender.send(check(self._row_rules(hook)))
            record_outbox_link(context, hook, result.message_outbox_ids)
        self._heed_empty(result)
        outputs = result.as_dict()
        push_outputs(context, outputs)
        return outputs

    def on_kill(self) -> None:
        """Let no new request leave; those under way are finished and counted."""
        if self._stop:
            self._stop.set()

    # --- what was asked for

    def _check_parameters(self) -> None:
        """Refuse, when the DAG is parsed, what cannot work whatever the rows are."""
        self._check_source()
        if self.file is None and (self.sheet, self.hidden_rows, self.encoding) != (None, "fail", None):
            raise ValueError(
                f"{self.task_id}: sheet, hidden_rows and encoding belong to file; leave them out."
            )
        self._check_choices()
        if self.identity == "key" and not self.key_column:
            raise ValueError(f'{self.task_id}: identity="key" needs key_column, the column of the keys.')
        for name in ("batch_size", "max_in_flight", "max_recipients", "max_parts", "max_cost"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value >= 1):
                raise ValueError(f"{self.task_id}: {name} is a number of at least 1.")
        self._check_seconds()
        if self.recipient_column == self.message_column:
            raise ValueError(f"{self.task_id}: recipient_column and message_column are the same.")
        send_time = None if _has_template(self.send_time) else self.send_time
        if send_time or self.send_window:
            self._timing(send_time)
        self._check_text()

    def _check_text(self) -> None:
        is_list = isinstance(self.text_values, Collection) and not isinstance(self.text_values, str)
        if not (is_list and all(isinstance(word, str) for word in self.text_values)):
            raise ValueError(f'{self.task_id}: text_values is a list of words, such as ["NULL"].')
        if isinstance(self.text, str) and not _has_template(self.text):
            from airflow_provider_p2psms.rows.template import parse_template

            parse_template(self.text, self.text_values)

    def _check_choices(self) -> None:
        for name, allowed in (
            ("hidden_rows", HiddenRows),
            ("on_late", OnLate),
            ("on_invalid", OnInvalid),
            ("on_empty", OnEmpty),
            ("on_backfill", OnBackfill),
            ("on_in_doubt", OnInDoubt),
            ("identity", Identity),
        ):
            value = getattr(self, name)
            if value not in get_args(allowed) and not (name == "on_in_doubt" and _has_template(value)):
                raise ValueError(f"{self.task_id}: {name} is one of {', '.join(get_args(allowed))}.")
        for name in ("trust_e164", "mobiles_only", "drop_duplicates"):
            # Not every text that says no is false: "False" of a template or of another task is true.
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{self.task_id}: {name} is True or False.")  # noqa: TRY004 - as all the others

    def _check_seconds(self) -> None:
        lag = self.report_lag
        if lag is not None and not (_is_number(lag) and 0 <= lag <= LONGEST_REPORT_LAG_S):
            raise ValueError(
                f"{self.task_id}: report_lag is a number of seconds, from 0 to 604,800 (7 days)."
            )
        rate = self.requests_per_second
        if rate is not None and not (isinstance(rate, int | float) and rate > 0):
            raise ValueError(f"{self.task_id}: requests_per_second is a number above 0.")

    def _check_rendered(self) -> None:
        """Refuse what the templates, and other tasks, gave for the parameters."""
        if self._fault:
            raise self._fault
        for name in self._texts:
            value = reveal(getattr(self, name, None))
            is_path = name in _PATHS and hasattr(value, "open")
            if value is not None and not isinstance(value, str) and not is_path:
                raise InvalidMessageError(
                    f"{name} came out as {type(value).__name__}. Hand in a text: a number has lost its plus "
                    "and its leading zeros."
                )

    def _check_source(self) -> None:
        if (self.messages is None) == (self.file is None):
            raise ValueError(f"{self.task_id}: give either messages or file, and not both.")

    def _timing(self, send_time: object) -> Timing:
        from airflow_provider_p2psms.sending.timing import SendWindow, Timing, parse_send_time

        return Timing(
            send_at_utc=parse_send_time(send_time),
            window=SendWindow.parse(self.send_window) if self.send_window else None,
            on_late=self.on_late,
        )

    def _heed_backfill(self, context: Context) -> None:
        run_type = getattr(context.get("dag_run"), "run_type", "")
        if self.on_backfill == "send" or getattr(run_type, "value", run_type) != "backfill":
            return
        told = f'A backfill, and on_backfill is "{self.on_backfill}": nothing is sent.'
        raise AirflowSkipException(told) if self.on_backfill == "skip" else AirflowFailException(told)

    def _heed_empty(self, result: SendResult) -> None:
        if self.on_empty == "succeed" or result.handed_in:
            return
        told = f'No rows, and on_empty is "{self.on_empty}".'
        raise AirflowSkipException(told) if self.on_empty == "skip" else AirflowFailException(told)

    # --- what it takes

    def _ready_to_check(
        self, context: Context, stack: ExitStack
    ) -> Callable[[RowRules], Iterable[Message | RowProblem]]:
        from airflow_provider_p2psms.rows import FileRules, check_file, check_rows

        if self.file is None:
            return lambda rules: check_rows(self._open_source(context, stack), rules)
        stream, name = stack.enter_context(open_rows(self.file))
        how = FileRules(sheet=self.sheet, hidden_rows=self.hidden_rows, encoding=self.encoding)
        return stack.enter_context(check_file(stream, name=name, how=how))

    def _row_rules(self, hook: SMSHook) -> RowRules:
        from airflow_provider_p2psms.rows import RowRules

        return RowRules(
            region=hook.settings.region,
            text=reveal(self.text) or None,
            text_values=self.text_values,
            recipient_column=self.recipient_column,
            message_column=self.message_column,
            key_column=self.key_column,
            trust_e164=self.trust_e164,
            mobiles_only=self.mobiles_only,
        )

    def _open_source(self, context: Context, stack: ExitStack) -> Iterable[Row]:  # noqa: ARG002 - for subclasses
        """Open rows that are in no file; what is to be closed after the send goes onto the stack."""
        from airflow_provider_p2psms.rows import read_rows

        return read_rows(reveal(self.messages))

    def _open_ledger(self, context: Context) -> OpenLedger:
        if self.on_in_doubt not in get_args(OnInDoubt):
            raise InvalidMessageError(f"on_in_doubt is one of {', '.join(get_args(OnInDoubt))}.")
        rules = ledger_rules(
            context,
            on_in_doubt=self.on_in_doubt,
            report_lag_s=self.report_lag,
            resend=parse_resend(self.resend),
            retries=self.retries or 0,
        )
        return rules.open()

    def _sender(self, hook: SMSHook, context: Context, ledger: OpenLedger, stop: threading.Event) -> Sender:
        from airflow_provider_p2psms.sending import forms
        from airflow_provider_p2psms.sending.send import Sender
        from airflow_provider_p2psms.sending.times import Times

        form: forms.Form = getattr(forms, self._form)()
        return Sender(
            client=hook.get_conn(),
            form=form,
            from_number=hook.line(self.from_number),
            rules=self._plan_rules(hook),
            timing=self._timing(self.send_time),
            ledger=ledger.with_report_lag(hook.settings.report_lag_s),
            key_column=self.key_column if self.identity == "key" else None,
            witness_recipient=hook.number(witness) if (witness := hook.settings.witness_recipient) else None,
            drop_duplicates=self.drop_duplicates,
            batch_size=self.batch_size or form.batch_size,
            max_in_flight=self.max_in_flight,
            requests_per_second=self.requests_per_second or hook.settings.requests_per_second,
            max_cost=self.max_cost,
            open_outcomes=partial(open_outcomes, self.outcomes) if self.outcomes else None,
            tell=partial(count_in_stats, context),
            stop=stop,
            times=self._times or Times(),
        )

    def _plan_rules(self, hook: SMSHook) -> PlanRules:
        from airflow_provider_p2psms.sending.plan import PlanRules

        staging = hook.settings
        return PlanRules(
            on_invalid=self.on_invalid,
            max_recipients=self.max_recipients,
            max_parts=self.max_parts,
            allowed_recipients=frozenset(map(hook.number, staging.allowed_recipients)),
            redirect_to=hook.number(staging.redirect_to) if staging.redirect_to else None,
        )

    # --- what Airflow shows of it

    def _fails_at_once(self, fields: Collection[str]) -> bool:
        # `execute` raises the others behind the ledger's opening, so that a later try finds a ledger.
        return not {"resend", "on_in_doubt"}.isdisjoint(fields)

    def _conceal(self) -> None:
        """Hide numbers and texts behind descriptions of them."""
        self.messages = None if self.messages is None else conceal_rows(self.messages)
        self.text = None if self.text is None else conceal_text(self.text)


class PeerToPeerSMSOperator(_SendOperator):
    """
    Send each recipient their own text, in JSON batches of up to 1,000 recipients.

    All rows are checked before the first request. Each message is sent once, whatever dies: what may leave is
    in the ledger before it leaves, and a retry, a clear or a restart sends what the ledger does not hold. A
    message whose answer was lost leaves again only if the gateway's reports have proved that it was not
    taken; ``docs/ledger.md`` says how, and what remains.

    :param messages: rows: ``{"recipients": […], "message": …}``, ``{"recipient": …, "message": …}``,
        ``(recipient, message)``, mappings with any columns beside ``text``, a pandas or polars DataFrame, any
        iterable of these, an upstream task's output, or JSON text of them. (templated)
    :param file: instead of ``messages``: a CSV or XLSX with a header, by its local path or any
        ``ObjectStoragePath`` URI (``s3://conn_id@bucket/key``). A local one above 16 MB is checked by a
        process of its own, where there is a second processor. (templated)
    :param sheet: the worksheet of an XLSX: its name, or its number from 1. Default: the only visible one that
        has rows. (templated)
    :param hidden_rows: rows that are hidden in the sheet, by a filter or by hand: ``"fail"`` (default:
        nothing is sent), ``"skip"`` or ``"send"``.
    :param encoding: the encoding of a CSV, by a name that Python knows. Default: detected. (templated)
    :param text: the text of rows without one, with columns in braces: ``"Dear {name}"``. (templated)
    :param text_values: words such as ``["NULL"]`` that are refused in texts and in place of a column, because
        programs write them for no value, and that are meant as they stand here.
    :param recipient_column: the column of numbers. Default ``recipient``.
    :param message_column: the column of texts. Default ``message``.
    :param key_column: a column that names each row to its owner, for ``outcomes``.
    :param trust_e164: take a full E.164 number that the library of numbering plans does not know yet.
        Default False.
    :param mobiles_only: refuse numbers that are not mobile numbers. Default False: landlines are accepted.
    :param from_number: the sending line; default the connection's. (templated)
    :param send_time: when the gateway is to send: an aware datetime, ISO text with an offset, or
        ``YYYY-MM-DD HH:MM:SS`` in UTC; 5 minutes to 3 months ahead. Default: at once. (templated)
    :param send_window: ``("08:00", "21:00", "Asia/Tehran")``: outside it, the send is scheduled for its
        next opening.
    :param on_late: a ``send_time`` that is past: ``"fail"`` (default) or ``"send_now"``.
    :param on_invalid: bad rows: ``"fail"`` (default: nothing is sent, each is named) or ``"skip"``.
    :param on_empty: no rows: ``"skip"`` (default), ``"succeed"`` or ``"fail"``.
    :param on_backfill: in a backfill run: ``"skip"`` (default), ``"send"`` or ``"fail"``.
    :param on_in_doubt: what to do about messages that an earlier request may have sent. ``"reconcile"``
        (default): ask the gateway's reports. What they cannot settle yet fails, and the task's ``retries``
        ask again. ``"fail"``: fail for good. ``"resend"``: ask once more and send what the reports do not
        show; only for the doubts that were there when the task was cleared. (templated)
    :param resend: a word, e.g. from a DAG param, to send on purpose what was sent before: each new word opens
        a ledger of its own once, so that retries under the same word send nothing twice. (templated)
    :param report_lag: your own word that the gateway's reports show every message after so many seconds.
        Then a message that is not there counts as not taken, also without a later message that proves it.
        Default: the connection's; without either, only proof counts.
    :param identity: what makes a row the same message in a retry or a clear: ``"text"`` (default: line,
        recipient and text) or ``"key"`` (line, recipient and ``key_column``: a changed text is not sent
        again).
    :param drop_duplicates: send the same text to the same number once. Default True.
    :param max_recipients: above this number of recipients nothing is sent.
    :param max_parts: above this number of SMS parts (estimated) nothing is sent.
    :param max_cost: above this cost in rial (at the gateway's dearest prices) nothing is sent, nor above the
        account's credit.
    :param batch_size: recipients a request (default 1,000), or rows a file (default 10,000).
    :param max_in_flight: requests under way at once. Default 4.
    :param requests_per_second: how many requests leave in a second at most, evenly; 0.5 is one in two
        seconds. Default the connection's; without either, as fast as the gateway answers.
    :param outcomes: a path, local or ``ObjectStoragePath`` URI, for a CSV with a line for each row:
        ``row,key,outcome,outbox_id,reason``; written also when the task fails. (templated)
    :param p2psms_conn_id: the connection. (templated)
    :return: ``message_outbox_ids`` (one a group), ``accepted``, ``already_accepted``, ``invalid``,
        ``duplicates``, ``requests``, ``parts``, ``cost`` (an estimate in rial; null without ``max_cost``),
        ``send_time``, ``from_number``, and in staging ``held_back`` and ``redirected``: each an XCom of its
        own, too. ``multiple_outputs=False`` leaves these out, and a task that sends little ends sooner.

    A try fails for good, without Airflow's retries, on bad rows, on a refusal, and when only a person can
    settle what is in doubt. When the gateway, the ledger or the worker fails, or the reports do not show yet
    what was taken, the task's ``retries`` apply, and go on where it ended.

    Source: gateway docs, "Send Peer to Peer SMS".
    """

    _form = "PeerToPeer"


class PeerToPeerFileOperator(_SendOperator):
    """
    Send each recipient their own text, as uploaded CSV files of up to 10,000 rows.

    Takes the same rows and parameters as ``PeerToPeerSMSOperator`` and returns the same result; every row is
    a message of its own here and has its own outbox id. The upload is written anew from the checked rows,
    whatever form they came in.

    Source: gateway docs, "Send Peer to Peer by File".
    """

    _form = "PeerToPeerFile"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_template(value: object) -> bool:
    """Whether Airflow has yet to render a parameter: a Jinja template, or the output of another task."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return value is not None and not isinstance(value, datetime)
