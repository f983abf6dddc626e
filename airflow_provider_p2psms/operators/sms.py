"""
The two send tasks: the same rows, checks, options and result; they differ in what goes over the wire.

Thin on purpose: what they do with rows is in ``sending``. Here a DAG author's parameters are checked when the
DAG is parsed, and what Airflow shows of a task is kept free of numbers and texts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_p2psms.airflow_compat import (
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
    outputs_of,
)
from airflow_provider_p2psms.choices import (
    HiddenRows,
    Identity,
    OnBackfill,
    OnEmpty,
    OnInDoubt,
    OnInvalid,
    OnLate,
    OnStale,
)
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.operators import parameters
from airflow_provider_p2psms.operators.files import add_index, open_outcomes, open_rows
from airflow_provider_p2psms.operators.hook import HasSMSHook
from airflow_provider_p2psms.operators.ledger import ledger_rules, parse_resend
from airflow_provider_p2psms.operators.links import OutboxLink, record_outbox_link
from airflow_provider_p2psms.operators.parameters import Parameter
from airflow_provider_p2psms.operators.redacted_fields import Concealed, conceal_rows, conceal_text, reveal
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates, is_rendered_later
from airflow_provider_p2psms.operators.upstream import is_given_by_index
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    import os

    from airflow.sdk import Context

    from airflow_provider_p2psms.operators.accepted import IdsInXCom
    from airflow_provider_p2psms.operators.cancel import CancelScheduledSMSOperator
    from airflow_provider_p2psms.rows import Checked, Row, RowRules
    from airflow_provider_p2psms.sending.ledgers import OpenLedger
    from airflow_provider_p2psms.sending.plan import PlanRules
    from airflow_provider_p2psms.sending.send import Sender, SendResult
    from airflow_provider_p2psms.sending.times import Times
    from airflow_provider_p2psms.sending.timing import Timing

__all__ = ["CancelScheduledSMSOperator", "PeerToPeerFileOperator", "PeerToPeerSMSOperator"]


if not TYPE_CHECKING:  # to type checkers, the names above are all that there are

    def __getattr__(name: str) -> Any:
        # Made for those who ask for it: most DAG files cancel nothing, and each class costs their parsing.
        if name == "CancelScheduledSMSOperator":
            from airflow_provider_p2psms.operators import cancel

            return cancel.CancelScheduledSMSOperator
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# Tasks whose rows come from elsewhere lack these.
SOURCE_FIELDS = frozenset({"messages", "file", "sheet", "hidden_rows", "encoding"})
# A text may be the name of a file that holds its template.
TEXT_FILES = {"text": (".txt", ".j2")}
# Fields that another task or a template may give as a list or a mapping.
LISTS = frozenset({"text_values", "send_window"})
LONGEST_REPORT_LAG_S = 7 * 24 * 3600
LIST_IDS_UP_TO = 100_000
# What each parameter but `messages` may be; all are templated.
PARAMETERS: Mapping[str, Parameter] = {
    "file": parameters.rows_file(),
    "sheet": parameters.sheet(),
    "hidden_rows": parameters.choice(HiddenRows),
    "encoding": parameters.text("the name of an encoding", is_optional=True),
    "text": parameters.text(may_be_none=True, may_be_empty=True),
    "text_values": parameters.words(),
    "recipient_column": parameters.text("the name of a column"),
    "message_column": parameters.text("the name of a column"),
    "key_column": parameters.text("the name of a column", is_optional=True),
    "trust_e164": parameters.boolean(),
    "mobiles_only": parameters.boolean(),
    "from_number": parameters.text(may_be_none=True, may_be_empty=True),
    "send_time": parameters.send_time(),
    "send_window": parameters.send_window(),
    "on_late": parameters.choice(OnLate),
    "on_invalid": parameters.choice(OnInvalid),
    "on_empty": parameters.choice(OnEmpty),
    "on_backfill": parameters.choice(OnBackfill),
    "max_age": parameters.duration(),
    "on_stale": parameters.choice(OnStale),
    "on_in_doubt": parameters.choice(OnInDoubt),
    "resend": parameters.Parameter("a word", parse_resend, is_optional=True),
    "report_lag": parameters.number(
        "a number of seconds, from 0 to 604,800 (7 days)", lambda each: 0 <= each <= LONGEST_REPORT_LAG_S
    ),
    "identity": parameters.choice(Identity),
    "drop_duplicates": parameters.boolean(),
    "max_recipients": parameters.guard(is_whole=True),
    "max_parts": parameters.guard(is_whole=True),
    "max_cost": parameters.guard(is_whole=False),
    "batch_size": parameters.count(),
    "max_in_flight": parameters.count(is_optional=False),
    "list_ids_up_to": parameters.count(is_optional=False),
    "requests_per_second": parameters.number("a number above 0", lambda each: each > 0),
    "outcomes": parameters.text(may_be_none=True, may_be_empty=True, is_path=True),
    "p2psms_conn_id": parameters.text("the name of a connection"),
}


class _SendOperator(AuthorsTemplates, HasSMSHook, BaseOperator):
    """What both send tasks share; see ``PeerToPeerSMSOperator`` for the parameters."""

    template_fields: Sequence[str] = ("messages", *PARAMETERS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    operator_extra_links = (OutboxLink(),)
    ui_color = "#d9f2e6"

    _parameters = PARAMETERS
    _fields_of_values = frozenset({"messages"}) | LISTS
    _file_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = TEXT_FILES

    _payload: ClassVar[Literal["PeerToPeer", "PeerToPeerFile"]]
    # How long a send waits for what (`sending.times.Times`); None: as long as people do.
    _times: ClassVar[Times | None] = None
    _stop: threading.Event | None = None

    def __init__(
        self,
        *,
        messages: object = None,
        file: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        sheet: str | int | None = None,
        hidden_rows: HiddenRows = "fail",
        encoding: str | None = None,
        text: str | None = None,
        text_values: Collection[str] = (),
        recipient_column: str = "recipient",
        message_column: str = "message",
        key_column: str | None = None,
        trust_e164: bool | str = False,
        mobiles_only: bool | str = False,
        from_number: str | None = None,
        send_time: datetime | str | None = None,
        send_window: tuple[str, str, str] | str | None = None,
        on_late: OnLate = "fail",
        on_invalid: OnInvalid = "fail",
        on_empty: OnEmpty = "skip",
        on_backfill: OnBackfill = "skip",
        max_age: timedelta | float | str | None = None,
        on_stale: OnStale = "skip",
        on_in_doubt: OnInDoubt = "reconcile",
        resend: str | None = None,
        report_lag: float | str | None = None,
        identity: Identity = "text",
        drop_duplicates: bool | str = True,
        max_recipients: int | str | None = None,
        max_parts: int | str | None = None,
        max_cost: float | str | None = None,
        batch_size: int | str | None = None,
        max_in_flight: int | str = 4,
        requests_per_second: float | str | None = None,
        list_ids_up_to: int | str = LIST_IDS_UP_TO,
        outcomes: str | os.PathLike[str] | None = None,
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
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
        self.trust_e164: Any = trust_e164
        self.mobiles_only: Any = mobiles_only
        self.from_number = from_number
        self.send_time = send_time
        self.send_window: Any = send_window
        self.on_late = on_late
        self.on_invalid = on_invalid
        self.on_empty = on_empty
        self.on_backfill = on_backfill
        self.max_age: Any = max_age
        self.on_stale = on_stale
        self.on_in_doubt = on_in_doubt
        self.resend = resend
        self.report_lag: Any = report_lag
        self.identity = identity
        self.drop_duplicates: Any = drop_duplicates
        self.max_recipients: Any = max_recipients
        self.max_parts: Any = max_parts
        self.max_cost: Any = max_cost
        self.batch_size: Any = batch_size
        self.max_in_flight: Any = max_in_flight
        self.requests_per_second: Any = requests_per_second
        self.list_ids_up_to: Any = list_ids_up_to
        self.outcomes = outcomes
        self.p2psms_conn_id = p2psms_conn_id
        self._check_at_parse()

    def execute(self, context: Context) -> dict[str, Any]:
        """Check all rows, send them, and return the result without numbers and texts."""
        from airflow_provider_p2psms.operators.accepted import ids_pushed_on_failure, push_ids
        from airflow_provider_p2psms.operators.error_mapping import errors_for_airflow

        stop = self._stop = threading.Event()
        with errors_for_airflow(), ExitStack() as stack:
            # First: whatever fails from here on, a later try finds a ledger.
            ledger = self._open_ledger(context)
            keep_ids = stack.enter_context(ids_pushed_on_failure(context, ledger, self._in_xcom))
            self._check_rendered()
            self._apply_on_backfill(context)
            self._check_age(context, ledger)
            check = self._ready_to_check(context, stack)
            stack.callback(self.hook.get_conn().close)
            result = self._sender(context, ledger, stop, keep_ids).send(check(self._row_rules()))
            record_outbox_link(self, context, self.hook, result.message_outbox_ids)
            self._apply_on_empty(result)
        ids = self._in_xcom(result.message_outbox_ids)
        outputs = result.as_dict() | {"message_outbox_ids": ids}
        if self.multiple_outputs:
            return outputs_of(outputs)
        if self.do_xcom_push:
            push_ids(context, ids)
        return outputs

    def _in_xcom(self, ids: list[int]) -> IdsInXCom:
        """Return outbox ids as XComs hold them: a million take Airflow seconds to store, and runs no time."""
        from airflow_provider_p2psms.delivery.outbox_ids import write_runs

        # A try may fail before the parameters are read.
        limit = self.list_ids_up_to if isinstance(self.list_ids_up_to, int) else LIST_IDS_UP_TO
        return ids if len(ids) <= limit else write_runs(ids)

    def on_kill(self) -> None:
        """Let no new request leave; those under way are finished and counted."""
        if self._stop:
            self._stop.set()

    # --- what was asked for

    def _check_at_parse(self) -> None:
        super()._check_at_parse()
        is_known = self._made_with is None and not is_rendered_later([self.text, self.text_values])
        if is_known and isinstance(self.text, str):
            from airflow_provider_p2psms.rows.template import parse_template

            parse_template(self.text, self.text_values)

    def _check_together(self) -> None:
        self._check_source()
        if self.file is None and (self.sheet, self.hidden_rows, self.encoding) != (None, "fail", None):
            raise InvalidMessageError(
                "sheet, hidden_rows and encoding can be used with file alone. Remove them."
            )
        if isinstance(self.file, Mapping):
            self._check_read_as_cut(self.file)
        if self.identity == "key" and not self.key_column:
            raise InvalidMessageError('identity="key" needs key_column, the column of the keys.')
        if self.recipient_column == self.message_column:
            raise InvalidMessageError(
                "recipient_column and message_column must be two columns. They have the same name."
            )

    def _check_read_as_cut(self, part: Mapping[str, Any]) -> None:
        """Refuse to read a slice in another way than the file was read in when it was cut."""
        given = {"sheet": self.sheet, "hidden_rows": self.hidden_rows, "encoding": self.encoding}
        usual = {"sheet": None, "hidden_rows": "fail", "encoding": None}
        if others := [name for name in given if given[name] not in (usual[name], part.get(name))]:
            raise InvalidMessageError(
                f"file is a slice. It is read with the options that shards() had. Give {others[0]} to "
                "shards(), and remove it here."
            )

    def _check_rendered(self) -> None:
        """Refuse what the templates, and other tasks, gave for the parameters."""
        if self._fault:
            raise self._fault
        self._read_parameters(self._parameters)

    def _check_source(self) -> None:
        if (self.messages is None) == (self.file is None):
            raise InvalidMessageError(
                "give messages or file, one of the two. If a task before this one gives it, that task has "
                "returned None."
            )

    def _timing(self, send_time: object) -> Timing:
        from airflow_provider_p2psms.sending.timing import SendWindow, Timing, parse_send_time

        return Timing(
            send_at_utc=parse_send_time(send_time),
            window=SendWindow.parse(self.send_window) if self.send_window else None,
            on_late=self.on_late,
        )

    def _apply_on_backfill(self, context: Context) -> None:
        run_type = getattr(context.get("dag_run"), "run_type", "")
        if self.on_backfill == "send" or getattr(run_type, "value", run_type) != "backfill":
            return
        told = f'This is a backfill run, and on_backfill is "{self.on_backfill}". Nothing was sent.'
        raise AirflowSkipException(told) if self.on_backfill == "skip" else AirflowFailException(told)

    def _check_age(self, context: Context, ledger: OpenLedger) -> None:
        """Send nothing in a run that is too old; a send that an earlier try began goes on at any age."""
        if self.on_stale == "send" or ledger.history.has_sends:
            return
        from airflow_provider_p2psms.operators.stale import describe_staleness

        told = describe_staleness(context, max_age=self.max_age, now=datetime.now(UTC))
        if told:
            raise AirflowSkipException(told) if self.on_stale == "skip" else AirflowFailException(told)

    def _apply_on_empty(self, result: SendResult) -> None:
        if self.on_empty == "succeed" or result.handed_in:
            return
        told = f'There are no rows, and on_empty is "{self.on_empty}". Nothing was sent.'
        raise AirflowSkipException(told) if self.on_empty == "skip" else AirflowFailException(told)

    # --- what it takes

    def _ready_to_check(self, context: Context, stack: ExitStack) -> Callable[[RowRules], Checked]:
        from airflow_provider_p2psms.rows import check_rows

        if self.file is None:
            return lambda rules: check_rows(self._open_source(context, stack), rules)
        if isinstance(self.file, Mapping):
            table = self._open_slice(self.file, stack)
            return lambda rules: check_rows(table, rules)
        from airflow_provider_p2psms.rows import FileRules, check_file

        stream, name = stack.enter_context(open_rows(self.file))
        how = FileRules(sheet=self.sheet, hidden_rows=self.hidden_rows, encoding=self.encoding)
        return stack.enter_context(check_file(stream, name=name, how=how))

    def _open_slice(self, given: Mapping[str, Any], stack: ExitStack) -> Iterable[Row]:
        from airflow_provider_p2psms.rows.slices import parse_slice, read_slice

        part = parse_slice(given)
        stream, name = stack.enter_context(open_rows(part.file))
        self.log.info("Reading %s of %s.", part.shown, name)
        return read_slice(stream, part, name=name)

    def _row_rules(self) -> RowRules:
        from airflow_provider_p2psms.rows import RowRules

        return RowRules(
            region=self.hook.settings.region,
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
        self._read_parameters(("on_in_doubt", "resend"))
        rules = ledger_rules(
            context,
            on_in_doubt=self.on_in_doubt,
            report_lag_s=self.report_lag,
            resend=self.resend,
            retries=self.retries or 0,
        )
        return rules.open()

    def _sender(
        self,
        context: Context,
        ledger: OpenLedger,
        stop: threading.Event,
        keep_ids: Callable[[list[int]], None],
    ) -> Sender:
        from airflow_provider_p2psms.operators.ledger_in_words import record_in_words
        from airflow_provider_p2psms.operators.metrics import count_in_stats
        from airflow_provider_p2psms.sending import payloads
        from airflow_provider_p2psms.sending.send import Sender
        from airflow_provider_p2psms.sending.times import Times

        payload: payloads.Payload = getattr(payloads, self._payload)()
        hook = self.hook
        return Sender(
            client=hook.get_conn(),
            payload=payload,
            from_number=hook.line(self.from_number),
            rules=self._plan_rules(),
            timing=self._timing(self.send_time),
            ledger=ledger.with_report_lag(hook.settings.report_lag_s),
            key_column=self.key_column if self.identity == "key" else None,
            witness_recipient=hook.number(witness) if (witness := hook.settings.witness_recipient) else None,
            drop_duplicates=self.drop_duplicates,
            batch_size=self.batch_size or payload.batch_size,
            max_in_flight=self.max_in_flight,
            requests_per_second=self.requests_per_second or hook.settings.requests_per_second,
            max_cost=self.max_cost,
            open_outcomes=partial(open_outcomes, self.outcomes) if self.outcomes else None,
            report_metrics=partial(count_in_stats, context),
            keep_ids=keep_ids,
            report_standing=partial(record_in_words, context, ledger.rules.name),
            stop=stop,
            times=self._times or Times(),
        )

    def _plan_rules(self) -> PlanRules:
        from airflow_provider_p2psms.sending.plan import PlanRules

        hook = self.hook
        staging = hook.settings
        return PlanRules(
            on_invalid=self.on_invalid,
            max_recipients=self.max_recipients,
            max_parts=self.max_parts,
            allowed_recipients=frozenset(map(hook.number, staging.allowed_recipients)),
            redirect_to=hook.number(staging.redirect_to) if staging.redirect_to else None,
        )

    # --- its templates, and what Airflow shows of them

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        written, map_index = self.outcomes, getattr(context.get("ti"), "map_index", -1)
        has_own = (
            map_index < 0
            or "map_index" in str(written)
            or is_given_by_index(self, "outcomes", self._made_with, context)
        )
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if self.outcomes and not has_own and not self._fault:
            self.outcomes = add_index(self.outcomes, map_index)

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

    All parameters are templated and can be mapped. A text that stands for a number, a boolean or a list is
    read as that. What cannot be read is an error of the DAG or, after rendering, fails the task before
    anything is sent.

    :param messages: rows: ``{"recipients": […], "message": …}``, ``{"recipient": …, "message": …}``,
        ``(recipient, message)``, mappings with any columns beside ``text``, a pandas or polars DataFrame, any
        iterable of these, an upstream task's output, or JSON text of them. In a DAG file no generator: it is
        empty at a retry.
    :param file: instead of ``messages``: a CSV or XLSX with a header, by its local path or any
        ``ObjectStoragePath`` URI (``s3://conn_id@bucket/key``). A local one above 16 MB is checked by a
        process of its own, where there is a second processor. Or a slice of one, of ``shards``
        (``transfers.shards``).
    :param sheet: the worksheet of an XLSX: its name, or its number from 1. Default: the only visible one that
        has rows.
    :param hidden_rows: rows that are hidden in the sheet, by a filter or by hand: ``"fail"`` (default:
        nothing is sent), ``"skip"`` or ``"send"``.
    :param encoding: the encoding of a CSV, by a name that Python knows. Default: detected.
    :param text: the text of rows without one, with columns in braces: ``"Dear {name}"``.
    :param text_values: words such as ``["NULL"]`` that are refused in texts and in place of a column, because
        programs write them for no value, and that are meant as they stand here.
    :param recipient_column: the column of numbers. Default ``recipient``.
    :param message_column: the column of texts. Default ``message``.
    :param key_column: a column that names each row to its owner, for ``outcomes``.
    :param trust_e164: take a full E.164 number that the library of numbering plans does not know yet.
        Default False.
    :param mobiles_only: refuse numbers that are not mobile numbers. Default False: landlines are accepted.
    :param from_number: the sending line; default the connection's.
    :param send_time: when the gateway is to send: an aware datetime, ISO text with an offset, or
        ``YYYY-MM-DD HH:MM:SS`` in UTC; 5 minutes to 3 months ahead. Default: at once.
    :param send_window: ``("08:00", "21:00", "Asia/Tehran")``: outside it, the send is scheduled for its
        next opening, and the log says when. It may end at ``"24:00"``.
    :param on_late: a ``send_time`` that is past: ``"fail"`` (default) or ``"send_now"``.
    :param on_invalid: bad rows: ``"fail"`` (default: nothing is sent, each is named) or ``"skip"``.
    :param on_empty: no rows: ``"skip"`` (default), ``"succeed"`` or ``"fail"``.
    :param on_backfill: in a backfill run: ``"skip"`` (default), ``"send"`` or ``"fail"``.
    :param max_age: a ``timedelta``: nothing is sent if the run's data interval ended longer ago. Default: 1
        day in scheduled runs, so that catchup sends nothing of last week; no limit in others. A send that
        an earlier try began goes on at any age.
    :param on_stale: in a run that is older: ``"skip"`` (default), ``"fail"`` or ``"send"``.
    :param on_in_doubt: what to do about messages that an earlier request may have sent. ``"reconcile"``
        (default): ask the gateway's reports. What they cannot settle yet fails, and the task's ``retries``
        ask again. ``"fail"``: fail for good. ``"resend"``: ask once more and send what the reports do not
        show; only for the doubts that were there when the task was cleared.
    :param resend: a word, e.g. from a DAG param, to send on purpose what was sent before: each new word opens
        a ledger of its own once, so that retries under the same word send nothing twice.
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
    :param list_ids_up_to: of more outbox ids than this, ``message_outbox_ids`` holds runs such as ``"11-42"``
        in place of each id. The sensor and the cancel operator take both; in your own tasks
        ``parse_outbox_ids`` of ``airflow_provider_p2psms.delivery.outbox_ids`` reads both. Default 100,000.
    :param outcomes: a path, local or ``ObjectStoragePath`` URI, for a CSV with a line for each row:
        ``row,key,outcome,outbox_id,reason``; written also when the task fails. A mapped task adds its map
        index to the file's name, unless the path names ``map_index`` or is mapped itself.
    :param p2psms_conn_id: the connection.
    :return: ``message_outbox_ids`` (one a group), ``accepted``, ``already_accepted``, ``invalid``,
        ``duplicates``, ``requests``, ``parts``, ``cost`` (an estimate in rial; null without ``max_cost``),
        ``send_time``, ``from_number``, and in staging ``held_back`` and ``redirected``. The
        ``message_outbox_ids`` are an XCom of their own, too; with ``multiple_outputs=True`` each key is. A
        try that fails pushes those of what was accepted so far, for a sensor or a cancel.

    A try fails for good, without Airflow's retries, on bad rows, on a refusal, and when only a person can
    settle what is in doubt. When the gateway, the ledger or the worker fails, or the reports do not show yet
    what was taken, the task's ``retries`` apply, and go on where it ended.

    Source: gateway docs, "Send Peer to Peer SMS".
    """

    _payload = "PeerToPeer"


class PeerToPeerFileOperator(_SendOperator):
    """
    Send each recipient their own text, as uploaded CSV files of up to 10,000 rows.

    Takes the same rows and parameters as ``PeerToPeerSMSOperator`` and returns the same result; every row is
    a message of its own here and has its own outbox id. The upload is written anew from the checked rows,
    whatever form they came in.

    Source: gateway docs, "Send Peer to Peer by File".
    """

    _payload = "PeerToPeerFile"
