"""The sensor that waits until messages are sent or delivered; the watching itself is in ``delivery``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

from airflow_provider_p2psms.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_p2psms.operators.links import OutboxLink, record_outbox_link
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates
from airflow_provider_p2psms.operators.translation import errors_for_airflow
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.delivery.watch import DeliveryWatch
    from airflow_provider_p2psms.gateway.client import GatewayClient

Until = Literal["sent", "delivered"]
OnFailed = Literal["fail", "continue"]
# Where no triggerer runs, Airflow itself ends the task so long after its time.
_GRACE_S = 300


class SMSDeliverySensor(AuthorsTemplates, BaseSensorOperator):
    """
    Wait until messages are sent, or delivered, and return what became of them.

    A message that the gateway rejected, found invalid, cancelled, had no credit for or failed to send fails
    the task at once and for good, with the gateway's reason and the outbox ids. A gateway that does not
    answer is waited for: ten looks in a row without an answer fail the try, and the task's ``retries`` apply.

    :param message_outbox_ids: the ``message_outbox_ids`` of a send task, one id, a list, or JSON text of one;
        none at all succeeds at once. (templated)
    :param until: ``"sent"`` (default): the gateway has handed every message to the operators.
        ``"delivered"``: the operators have reported on every recipient.
    :param min_delivered: with ``until="delivered"``, the share of recipients, above 0 and up to 1, who must
        have their message: succeeds once it is reached, and fails for good once it cannot be any more. By
        default no share is demanded: the task succeeds when all reports are final, and the counts tell.
    :param on_failed: messages that were not sent: ``"fail"`` (default) or ``"continue"`` with the others and
        count them.
    :param deferrable: wait in the triggerer instead of a worker. Default: ``[operators] default_deferrable``.
    :param p2psms_conn_id: the connection. (templated)
    :return: ``sent``, ``delivered``, ``undelivered``, ``blacklisted``, ``pending``, ``failed`` (all counts of
        recipients), ``cost`` (rial, of what was sent) and ``parts`` (SMS parts of what was sent, an estimate
        where the reports do not say). ``delivered``, ``undelivered`` and ``blacklisted`` are asked for with
        ``until="delivered"`` alone, and 0 otherwise.

    All of Airflow's own sensor parameters apply: ``poke_interval``, ``timeout``, ``soft_fail`` and ``mode``.
    A look at 10,000 ids asks 200 questions at most (and at more ids in proportion). States come by pages of
    100 ids, so one look tells of all. Delivery can only be asked by id: 10,000 messages to one recipient each
    take about 50 looks. ``mode="reschedule"`` forgets between looks; where one look cannot ask for all ids it
    keeps its worker until each has been asked for.

    Source: gateway docs, "report/new_list", "report/by_bulk" and "report/bulk_stats".
    """

    template_fields: Sequence[str] = ("message_outbox_ids", "p2psms_conn_id")
    operator_extra_links = (OutboxLink(),)
    ui_color = "#d9e9f2"

    _watch: DeliveryWatch | None = None

    def __init__(
        self,
        *,
        message_outbox_ids: object,
        until: Until = "sent",
        min_delivered: float | None = None,
        on_failed: OnFailed = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message_outbox_ids = message_outbox_ids
        self.until = until
        self.min_delivered = min_delivered
        self.on_failed = on_failed
        self.deferrable = deferrable
        self.p2psms_conn_id = p2psms_conn_id
        self._check_parameters()

    def execute(self, context: Context) -> Any:
        """Wait in this worker, or after a first look in the triggerer."""
        from airflow_provider_p2psms.hooks.sms import SMSHook

        deadline = time.time() + self.timeout
        hook = SMSHook(self.p2psms_conn_id)
        with self._errors(), hook.get_conn() as client:
            self._watch = self._new_watch(client)
            record_outbox_link(context, hook, self._watch.outbox_ids)
            if not self.deferrable:
                return super().execute(context)
            if found := self.poke(context):
                return found.xcom_value
            ids = self._watch.outbox_ids
        return self._defer(ids, deadline)

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once; in reschedule mode, until each id was asked for."""
        if self._watch is None:
            raise AirflowException("This sensor looks only while it is executed.")
        with self._errors():
            look = self._watch.look()
            while self.reschedule and not (look.done or look.failure or look.complete):
                self.log.info("More ids than one look can ask for: the worker is kept for the next one.")
                time.sleep(self._watch.pause_s(self.poke_interval))
                look = self._watch.look()
            if look.failure:
                raise AirflowFailException(look.failure)
        return PokeReturnValue(look.done, xcom_value=look.counts.as_dict())

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Take what the trigger has found."""
        outcome, message, counts = event["outcome"], event["message"], event["counts"]
        if outcome == "done":
            return dict(counts)
        if outcome == "unreachable":
            raise AirflowException(message)
        with self._errors():
            if outcome == "timed_out":
                raise AirflowSensorTimeout(f"The timeout of {self.timeout:g} s is over. So far: {counts}")
            raise AirflowFailException(message)

    def _check_parameters(self) -> None:
        """Refuse, when the DAG is parsed, what cannot work whatever the ids are."""
        for name, allowed in (("until", Until), ("on_failed", OnFailed)):
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(f"{self.task_id}: {name} is one of {', '.join(get_args(allowed))}.")
        share = self.min_delivered
        if share is None:
            return
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"{self.task_id}: min_delivered is a share from 0 to 1.")
        if self.until != "delivered":
            raise ValueError(f'{self.task_id}: min_delivered needs until="delivered".')

    def _new_watch(self, client: GatewayClient) -> DeliveryWatch:
        from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids
        from airflow_provider_p2psms.delivery.watch import DeliveryWatch

        return DeliveryWatch(
            client,
            parse_outbox_ids(self.message_outbox_ids),
            until=self.until,
            min_delivered=self.min_delivered or 0.0,
            on_failed=self.on_failed,
        )

    def _defer(self, outbox_ids: Sequence[int], deadline: float) -> NoReturn:
        from airflow_provider_p2psms.triggers.sms import SMSDeliveryTrigger

        self.defer(
            trigger=SMSDeliveryTrigger(
                message_outbox_ids=outbox_ids,
                until=self.until,
                min_delivered=self.min_delivered or 0.0,
                on_failed=self.on_failed,
                poke_interval=self.poke_interval,
                deadline=deadline,
                p2psms_conn_id=self.p2psms_conn_id,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + _GRACE_S),
        )
        raise AssertionError  # Airflow takes over above

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate errors, and skip with the reason where `soft_fail` turns failures for good into that."""
        try:
            with errors_for_airflow():
                yield
        except (AirflowFailException, AirflowSensorTimeout) as err:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(err)) from err
            raise
