"""A notifier: a text to those who are to know that a task or a DAG has failed, succeeded or is late."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms.airflow_compat import AirflowException, BaseNotifier, context_merge
from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError, ReplacedError
from airflow_provider_p2psms.notifications.event import Event, read_event
from airflow_provider_p2psms.operators.templates import Renderer, describe_fault
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_p2psms.hooks.sms import SMSHook
    from airflow_provider_p2psms.ledger.stores import Store
    from airflow_provider_p2psms.sending.send import Sender, SendResult
    from airflow_provider_p2psms.sending.times import Times

DEFAULT_TEXT = "{{ event }}"

_SENT = "sent"
# Characters of a text: so many fit into the gateway's 20 parts in every alphabet.
_LONGEST = 1_300


class SMSNotifier(BaseNotifier):
    """
    Send a text when Airflow calls back: failure, success, retry, a missed SLA or deadline.

    An event is told of once, even if Airflow calls back for it twice: a ledger of its own under ``[p2psms]
    ledger_path`` (or in AIRFLOW_HOME) remembers it. Whatever fails is logged, without numbers and texts, and
    never breaks the callback.

    :param recipients: numbers, as a list or separated by commas. There is no default. (templated)
    :param text: the text. Beside the callback's context templates know ``event``, which all callbacks have:
        ``event.dag_id``, ``.run_id``, ``.task_id``, ``.state``, ``.number`` (the try), ``.at``. Default: the
        event as one sentence of 70 characters at most. (templated)
    :param from_number: the sending line; default the connection's. (templated)
    :param p2psms_conn_id: the connection. (templated)
    :param report_lag: as in ``PeerToPeerSMSOperator``: your own word that the gateway's reports show every
        message after so many seconds. Without it (and the connection's), a text whose answer was lost is not
        sent again.
    :param context: the callback's context, which Airflow hands in for deadlines.
    """

    template_fields: Sequence[str] = ("recipients", "text", "from_number", "p2psms_conn_id")

    # How long a send waits for what (`sending.times.Times`); None: as long as people do.
    _times: ClassVar[Times | None] = None

    def __init__(
        self,
        recipients: str | Sequence[str],
        *,
        text: str = DEFAULT_TEXT,
        from_number: str | None = None,
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        report_lag: float | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check_recipients(recipients)
        _check_text(text)
        self.context: Any = dict(context or {})
        self.recipients = recipients
        self.text = text
        self.from_number = from_number
        self.p2psms_conn_id = p2psms_conn_id
        self.report_lag = report_lag
        # What tells two notifiers of one event apart, as their author wrote them.
        named = repr((recipients, text, from_number, p2psms_conn_id)).encode()
        self._name = blake2b(named, digest_size=8).hexdigest()

    def __call__(self, *args: Any) -> None:
        """Be called back. Airflow renders a notifier in its place; the next event needs the templates."""
        super(SMSNotifier, copy.copy(self)).__call__(*args)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Fill in the templates; where the text's fails, the default text is better than none."""
        event = read_event(context)
        context_merge(context, {"event": event})
        dag = context.get("dag")  # as the scheduler knows it, it has no templates
        environment = jinja_env or self.get_template_env(dag if hasattr(dag, "get_template_env") else None)
        renderer = Renderer(context, environment)
        for name in self.template_fields:
            fault = ""
            try:
                setattr(self, name, _fill(renderer, getattr(self, name)))
            except Exception as err:  # noqa: BLE001 - a template may raise anything
                fault = describe_fault(err)
            if fault:
                self.log.error("The template %s of an SMS cannot be filled in: %s.", name, fault)
                self._leave_out(name)
        if self.text.strip() in {"", "None", DEFAULT_TEXT}:
            self.text = str(event)
        if self.from_number in {"", "None"}:
            self.from_number = None

    def _leave_out(self, name: str) -> None:
        # The default text, and the connection's line, are better than nothing.
        self.text = DEFAULT_TEXT if name == "text" else self.text
        self.from_number = None if name == "from_number" else self.from_number

    def notify(self, context: Any) -> None:
        """Send the text; what fails is logged."""
        fault = ""
        try:
            self._tell(read_event(context))
        except Exception as err:  # noqa: BLE001 - nothing here may break what it tells of
            fault = _describe(err)
        if fault:
            self.log.error("An SMS was not sent, or nobody can tell: %s", fault)

    async def async_notify(self, context: Any) -> None:
        """Send the text from the triggerer, without holding up its other triggers."""
        from asgiref.sync import sync_to_async

        # A thread of its own, from which a connection can still be asked for through the event loop.
        await sync_to_async(self.notify, thread_sensitive=False)(context)

    def _tell(self, event: Event) -> None:
        from airflow_provider_p2psms.hooks.sms import SMSHook
        from airflow_provider_p2psms.notifications.once import notice_store

        hook = SMSHook(self.p2psms_conn_id)
        place = *event.place, self._name
        with closing(hook.get_conn()), notice_store(*place, forever=event.is_known) as store:
            # The text may differ between two callbacks of one event: the reasons that they know of do.
            if store.read(_SENT):
                self.log.info("This event was told of by SMS before.")
                return
            result = self._send_at_last(hook, store, event)
            store.write(_SENT, {"at": time.time(), "message_outbox_ids": result.message_outbox_ids})
        bad = f"; {result.invalid} are no phone numbers" if result.invalid else ""
        self.log.info("An event was told of by SMS: %s recipients%s.", result.accepted, bad)

    def _send_at_last(self, hook: SMSHook, store: Store, event: Event) -> SendResult:
        """Send; of two machines that stop each other at the same moment, let one go first."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

        once_more = Retrying(
            retry=retry_if_exception_type(ReplacedError),
            wait=wait_random(0, 3),
            stop=stop_after_attempt(4),
            reraise=True,
        )
        return once_more(self._send, hook, store, event)

    def _send(self, hook: SMSHook, store: Store, event: Event) -> SendResult:
        from airflow_provider_p2psms.rows import RowRules, check_rows, read_rows

        rows = [{"recipients": _split(self.recipients), "message": self._fit_text(event)}]
        checked = check_rows(read_rows(rows), RowRules(region=hook.settings.region))
        result = self._sender(hook, store, event).send(checked)
        if not result.accepted and not result.held_back:
            raise InvalidMessageError("none of the recipients is a phone number.")
        return result

    def _fit_text(self, event: Event) -> str:
        """Make the text one that can be sent: an alert that is cut is better than none."""
        from airflow_provider_p2psms.rows.damage import clean
        from airflow_provider_p2psms.rows.texts import check_text

        text = clean(self.text)
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        try:
            check_text(text)
        except InvalidMessageError as err:
            reason = str(err)
        else:
            return text
        self.log.warning("The text of an SMS %s. The default text is sent instead.", reason)
        return str(event)

    def _sender(self, hook: SMSHook, store: Store, event: Event) -> Sender:
        from airflow_provider_p2psms.sending.forms import PeerToPeer
        from airflow_provider_p2psms.sending.ledgers import LedgerRules
        from airflow_provider_p2psms.sending.plan import PlanRules
        from airflow_provider_p2psms.sending.send import Sender
        from airflow_provider_p2psms.sending.times import Times
        from airflow_provider_p2psms.sending.timing import Timing

        staging = hook.settings
        return Sender(
            client=hook.get_conn(),
            form=PeerToPeer(),
            from_number=hook.line(self.from_number),
            # Whoever can be told is told, whatever is wrong with another's number.
            rules=PlanRules(
                on_invalid="skip",
                allowed_recipients=frozenset(map(hook.number, staging.allowed_recipients)),
                redirect_to=hook.number(staging.redirect_to) if staging.redirect_to else None,
            ),
            timing=Timing(),
            ledger=LedgerRules(
                store=store,
                scope="/".join(event.place),
                report_lag_s=hook.settings.report_lag_s if self.report_lag is None else self.report_lag,
            ),
            batch_size=PeerToPeer.batch_size,
            max_in_flight=1,
            stop=threading.Event(),
            times=self._times or Times(),
        )


def _fill(renderer: Renderer, value: Any) -> Any:
    # Recipients may be a list, also one that a template gives.
    if isinstance(value, list | tuple):
        return [_fill(renderer, each) for each in value]
    if not isinstance(value, str):
        return value
    filled = renderer.value(value)
    return filled if isinstance(filled, list | tuple) else str(filled)


def _describe(err: Exception) -> str:
    # What is neither ours nor Airflow's may quote anything.
    return str(err) if isinstance(err, P2PSMSError | AirflowException) else type(err).__name__


def _check_recipients(recipients: object) -> None:
    fit = isinstance(recipients, str | list | tuple)
    if not fit or not _split(recipients) or not all(str(number).strip() for number in _split(recipients)):
        raise ValueError(
            "SMSNotifier: recipients names the numbers to tell, as a list or separated by commas; "
            "there is no default."
        )


def _check_text(text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError("SMSNotifier: text is empty; leave it out for a short default, or write one.")
    if "{" in text:
        from jinja2 import Environment, TemplateSyntaxError

        try:
            Environment(autoescape=False).parse(text)  # noqa: S701 - a text message is no HTML
        except TemplateSyntaxError as err:
            raise ValueError(
                f"SMSNotifier: text is a Jinja template, and a broken one: {err.message}"
            ) from None


def _split(recipients: Any) -> list[Any]:
    """Take numbers apart that stand in one text, as a template gives them; they may have spaces within."""
    if isinstance(recipients, str):
        return [number for number in re.split(r"[,;،\n]", recipients) if number.strip()]
    return list(recipients)
