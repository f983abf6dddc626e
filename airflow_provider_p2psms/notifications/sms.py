"""A notifier: a text to people who have to know that a task or a DAG has failed, succeeded or is late."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms.airflow_compat import AirflowException, BaseNotifier, context_merge
from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError, ReplacedError, fold_lines
from airflow_provider_p2psms.notifications.event import Event, read_event
from airflow_provider_p2psms.notifications.recipients import read_recipients
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
# What a template without a value gives.
_NOTHING = frozenset({"", "None"})


class SMSNotifier(BaseNotifier):
    """
    Send a text when Airflow calls back: failure, success, retry, a missed SLA or deadline.

    Each event is announced once, even if Airflow calls back twice: a ledger of its own under ``[p2psms]
    ledger_path`` (or in AIRFLOW_HOME) remembers it. Whatever fails is logged, without numbers and texts, and
    never breaks the callback.

    :param recipients: numbers, as a list or separated by commas, or what a template gives: also nested lists,
        rows with ``recipient`` or ``recipients``, a column of a data frame, JSON. Default: the connection's
        ``notifier_recipients``. (templated)
    :param text: the text. Beside the callback's context templates know ``event``, which all callbacks have:
        ``event.dag_id``, ``.run_id``, ``.task_id``, ``.state``, ``.number`` (the try), ``.at``. Default: the
        connection's ``notifier_text``, else the event as one sentence of 70 characters at most. (templated)
    :param from_number: the sending line; default the connection's. (templated)
    :param p2psms_conn_id: the connection. (templated)
    :param dedup_key: callbacks with the same key send one text together, of this notifier and of others, e.g.
        ``"{{ dag.dag_id }}-{{ ds }}"``: however many tasks of a run fail. Default: one text for each event.
        (templated)
    :param report_lag: as in ``PeerToPeerSMSOperator``: your own word that the gateway's reports show every
        message after so many seconds. Without it (and the connection's), a text whose answer was lost is not
        sent again.
    :param context: the callback's context, which Airflow hands in for deadlines.
    """

    template_fields: Sequence[str] = ("recipients", "text", "from_number", "p2psms_conn_id", "dedup_key")

    # How long a send waits for what (`sending.times.Times`); None: as long as people do.
    _times: ClassVar[Times | None] = None
    # How long this process remembers an event where no file can.
    _window_s: ClassVar[float] = 3_600.0
    # The notifier that Airflow called, of which this one is a copy.
    original: SMSNotifier | None = None

    def __init__(
        self,
        recipients: Any = None,
        *,
        text: str | None = None,
        from_number: str | None = None,
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        dedup_key: str | None = None,
        report_lag: float | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check_recipients(recipients)
        _check_template("text", text)
        _check_template("dedup_key", dedup_key)
        self.context: Any = dict(context or {})
        # The order of a set differs from process to process.
        self.recipients = (
            sorted(recipients, key=str) if isinstance(recipients, set | frozenset) else recipients
        )
        self.text = text
        self.from_number = from_number
        self.p2psms_conn_id = p2psms_conn_id
        self.dedup_key = dedup_key
        self.report_lag = report_lag
        # What tells two notifiers of one event apart, as their author wrote them.
        named = repr((self.recipients, text or DEFAULT_TEXT, from_number, p2psms_conn_id)).encode()
        self._name = blake2b(named, digest_size=8).hexdigest()

    def __call__(self, *args: Any) -> None:
        """Be called back. Airflow renders a notifier in its place; the next event needs the templates."""
        twin = copy.copy(self)
        twin.original = self
        super(SMSNotifier, twin).__call__(*args)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Fill in the templates; where one fails, its default is better than no text at all."""
        renderer = self._renderer(context, jinja_env)
        self.recipients = self._fill_recipients(renderer.as_native(), self.recipients)
        self.text = self._fill(renderer, "text", self.text)
        self.from_number = self._fill(renderer, "from_number", self.from_number)
        self.dedup_key = self._fill(renderer, "dedup_key", self.dedup_key)
        self.p2psms_conn_id = (
            self._fill(renderer, "p2psms_conn_id", self.p2psms_conn_id) or self.p2psms_conn_id
        )

    def _renderer(self, context: Any, jinja_env: Any = None) -> Renderer:
        context_merge(context, {"event": self._event(context)})
        dag = context.get("dag")  # as the scheduler knows it, it has no templates
        environment = jinja_env or self.get_template_env(dag if hasattr(dag, "get_template_env") else None)
        return Renderer(context, environment)

    def _event(self, context: Any) -> Event:
        return read_event(context, self.original or self)

    def _fill(self, renderer: Renderer, name: str, template: Any) -> str | None:
        """Fill in one template; ``None`` if it fails or gives nothing."""
        if not isinstance(template, str):
            return None if template is None else str(template)
        filled = str(self._value(renderer, name, template))
        return None if filled.strip() in _NOTHING else filled

    def _fill_recipients(self, renderer: Renderer, value: Any) -> Any:
        """Fill in templates in any shape; one that fails leaves the others as they are."""
        if isinstance(value, str):
            filled = self._value(renderer, "recipients", value)
            return None if isinstance(filled, str) and filled.strip() in _NOTHING else filled
        if isinstance(value, Mapping):
            return {name: self._fill_recipients(renderer, each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._fill_recipients(renderer, each) for each in value]
        return value

    def _value(self, renderer: Renderer, name: str, template: str) -> Any:
        try:
            return renderer.value(template)
        except Exception as err:  # noqa: BLE001 - a template may raise anything
            fault = describe_fault(err)
        # Not in the handler: the error, with what the template holds, would be logged with it.
        self.log.error('The template in "%s" of SMSNotifier fails: %s.', name, fault)
        return None

    def notify(self, context: Any) -> None:
        """Send the text; what fails is logged."""
        fault = ""
        try:
            self._send_once(context)
        except Exception as err:  # noqa: BLE001 - nothing here may break the callback
            fault = _describe(err)
        if fault:
            self.log.error("The SMS was not sent, or its outcome is unknown.\n%s", fold_lines(fault))

    async def async_notify(self, context: Any) -> None:
        """Send the text from the triggerer, without holding up its other triggers."""
        from asgiref.sync import sync_to_async

        # A thread of its own, from which a connection can still be asked for through the event loop.
        await sync_to_async(self.notify, thread_sensitive=False)(context)

    def _send_once(self, context: Any) -> None:
        from airflow_provider_p2psms.hooks.sms import SMSHook
        from airflow_provider_p2psms.notifications.deduplication import notice_store

        hook, event = SMSHook(self.p2psms_conn_id), self._event(context)
        with closing(hook.get_conn()):
            numbers = self._numbers(hook)
            place = self._place(event)
            forever = bool(self.dedup_key) or event.is_known
            with notice_store(*place, forever=forever, window_s=self._window_s) as store:
                # The text may differ between two callbacks of one event: the reasons that they know of do.
                if store.read(_SENT):
                    self.log.info("An SMS about this event was sent before. No SMS is sent now.")
                    return
                row = {"recipients": numbers, "message": self._fit_text(hook, context), "key": place[-1]}
                result = self._send_at_last(hook, store, row, scope="/".join(place))
                store.write(_SENT, {"at": time.time(), "message_outbox_ids": result.message_outbox_ids})
        self.log.info(
            "Sent an SMS to %s recipients; the connection's allowed_recipients held back %s.",
            result.accepted, result.held_back,
        )  # fmt: skip

    def _place(self, event: Event) -> tuple[str, ...]:
        if self.dedup_key:
            # A folder of each key where others have one of each run: old ones are removed one by one.
            return "@notices", blake2b(self.dedup_key.encode(), digest_size=16).hexdigest(), "key"
        return *event.place, self._name

    def _numbers(self, hook: SMSHook) -> list[str]:
        """
        Return the recipients in E.164: this notifier's, or, if none of them is a number, the connection's.

        :raises InvalidMessageError: there are none; says why.
        """
        faults = list[str]()
        for given in read_recipients(self.recipients), hook.settings.notifier_recipients:
            numbers = list[str]()
            for each in given:
                try:
                    numbers.append(hook.number(each))
                except InvalidMessageError as err:
                    faults.append(str(err))
            if numbers:
                if faults:
                    self.log.warning(
                        "%s recipients got no SMS, since they are no phone numbers. The first %s.",
                        len(faults),
                        faults[0],
                    )
                return numbers
        if faults:
            raise InvalidMessageError(f"No recipient is a phone number. The first {faults[0]}.")
        raise InvalidMessageError(
            "SMSNotifier has no recipients. Name them in SMSNotifier(recipients=…), or in the extra "
            f"notifier_recipients of connection {self.p2psms_conn_id}."
        )

    def _send_at_last(self, hook: SMSHook, store: Store, row: dict[str, Any], *, scope: str) -> SendResult:
        """Send; of two machines that stop each other at the same moment, let one go first."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

        from airflow_provider_p2psms.rows import RowRules, check_rows, read_rows

        once_more = Retrying(
            retry=retry_if_exception_type(ReplacedError),
            wait=wait_random(0, 3),
            stop=stop_after_attempt(4),
            reraise=True,
        )
        rules = RowRules(region=hook.settings.region, key_column="key")
        # Each time a sender of its own: one that was stopped stays so.
        return once_more(lambda: self._sender(hook, store, scope).send(check_rows(read_rows([row]), rules)))

    def _fit_text(self, hook: SMSHook, context: Any) -> str:
        """Make the text one that can be sent: an alert that is cut is better than none."""
        from airflow_provider_p2psms.rows.damage import clean
        from airflow_provider_p2psms.rows.sms_text import check_text

        event, given = str(self._event(context)), self.text
        if given is None and hook.settings.notifier_text:
            given = self._fill(self._renderer(context), "notifier_text", hook.settings.notifier_text)
        if given is None:
            return event
        text = clean(given)
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        try:
            check_text(text)
        except InvalidMessageError as err:
            self.log.warning("The text of an SMS %s. The default text is sent instead.", err)
            return event
        return text

    def _sender(self, hook: SMSHook, store: Store, scope: str) -> Sender:
        from airflow_provider_p2psms.sending.ledgers import LedgerRules
        from airflow_provider_p2psms.sending.payloads import PeerToPeer
        from airflow_provider_p2psms.sending.plan import PlanRules
        from airflow_provider_p2psms.sending.send import Sender
        from airflow_provider_p2psms.sending.times import Times
        from airflow_provider_p2psms.sending.timing import Timing

        staging = hook.settings
        return Sender(
            client=hook.get_conn(),
            payload=PeerToPeer(),
            from_number=hook.line(self.from_number),
            rules=PlanRules(
                allowed_recipients=frozenset(map(hook.number, staging.allowed_recipients)),
                redirect_to=hook.number(staging.redirect_to) if staging.redirect_to else None,
            ),
            timing=Timing(),
            ledger=LedgerRules(
                store=store,
                scope=scope,
                report_lag_s=hook.settings.report_lag_s if self.report_lag is None else self.report_lag,
            ),
            # Callbacks of one key have other texts; they are one message all the same.
            key_column="key" if self.dedup_key else None,
            batch_size=PeerToPeer.batch_size,
            max_in_flight=1,
            stop=threading.Event(),
            times=self._times or Times(),
        )


# The name in the manner of Airflow's own providers.
send_p2psms_notification = SMSNotifier


def _describe(err: Exception) -> str:
    # What is neither ours nor Airflow's may quote anything.
    if isinstance(err, P2PSMSError):
        return err.summary
    return str(err) if isinstance(err, AirflowException) else type(err).__name__


def _check_recipients(recipients: object) -> None:
    numbers = read_recipients(recipients)
    fit = all(isinstance(each, str | int) and str(each).strip() for each in numbers)
    if recipients is not None and not (numbers and fit):
        raise ValueError(
            "SMSNotifier: recipients must be phone numbers, as a list or separated by commas. Leave it "
            "out to alert the connection's notifier_recipients."
        )


def _check_template(name: str, template: object) -> None:
    if template is None:
        return
    if not isinstance(template, str) or not template.strip():
        raise ValueError(f"SMSNotifier: {name} is empty; leave it out for the default, or write one.")
    if "{" in template:
        from jinja2 import Environment, TemplateSyntaxError

        try:
            Environment(autoescape=False).parse(template)  # noqa: S701 - a text message is no HTML
        except TemplateSyntaxError as err:
            raise ValueError(
                f"SMSNotifier: {name} is a Jinja template with an error: {err.message}"
            ) from None
