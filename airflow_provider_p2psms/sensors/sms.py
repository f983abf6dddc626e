"""The sensor that waits until messages are sent or delivered; the watching itself is in ``delivery``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_p2psms.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_p2psms.choices import OnFailed, Until
from airflow_provider_p2psms.errors import InvalidMessageError, fold_lines
from airflow_provider_p2psms.operators import parameters
from airflow_provider_p2psms.operators.error_mapping import errors_for_airflow
from airflow_provider_p2psms.operators.hook import HasSMSHook
from airflow_provider_p2psms.operators.links import OutboxLink, record_outbox_link
from airflow_provider_p2psms.operators.parameters import Parameter
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.delivery.watch import DeliveryWatch
    from airflow_provider_p2psms.gateway.client import GatewayClient

# Where no triggerer runs, Airflow itself ends the task so long after its time.
_GRACE_S = 300


class SMSDeliverySensor(AuthorsTemplates, HasSMSHook, BaseSensorOperator):
    """
    Wait until messages are sent, or delivered, and return what became of them.

    A message that the gateway rejected, found invalid, cancelled, had no credit for or failed to send fails
    the task at once and for good, with the gateway's reason and the outbox ids. A gateway that does not
    answer is waited for: ten looks in a row without an answer fail the try, and the task's ``retries`` apply.

    :param message_outbox_ids: the ``message_outbox_ids`` of a send task, one id, a list, or JSON text of one;
        none at all, as behind a send that was skipped, succeeds at once.
    :param until: ``"sent"`` (default): the gateway has handed every message to the operators.
        ``"delivered"``: the operators have reported on every recipient.
    :param min_delivered: with ``until="delivered"``, the share of recipients, above 0 and up to 1, who must
        have their message: succeeds once it is reached, and fails for good once it cannot be any more. By
        default no share is demanded: the task succeeds when all reports are final, and the counts tell.
    :param on_failed: messages that were not sent: ``"fail"`` (default) or ``"continue"`` with the others and
        count them.
    :param deferrable: wait in the triggerer instead of a worker. Default: ``[operators] default_deferrable``.
    :param p2psms_conn_id: the connection.
    :return: ``sent``, ``delivered``, ``undelivered``, ``blacklisted``, ``pending``, ``failed`` (all counts of
        recipients), ``cost`` (rial, of what was sent) and ``parts`` (SMS parts of what was sent, an estimate
        where the reports do not say). ``delivered``, ``undelivered`` and ``blacklisted`` are asked for with
        ``until="delivered"`` alone, and 0 otherwise.

    All parameters but ``deferrable`` are templated.

    All of Airflow's own sensor parameters apply: ``poke_interval``, ``timeout``, ``soft_fail``, ``mode`` and
    ``execution_timeout``, which also ends a sensor that is deferred.
    A look at 10,000 ids asks 200 questions at most (and at more ids in proportion). States come by pages of
    100 records, so one look tells of all, unless many messages of others are among them. Delivery can only be
    asked by id: 10,000 messages to one recipient each take about 50 looks. ``mode="reschedule"`` forgets
    between looks; where one look cannot ask for all ids it keeps its worker until each has been asked for.

    Source: gateway docs, "report/new_list", "report/by_bulk" and "report/bulk_stats".
    """

    _parameters: ClassVar[Mapping[str, Parameter]] = {
        "until": parameters.choice(Until),
        "min_delivered": parameters.number("a share from 0 to 1", lambda each: 0 <= each <= 1),
        "on_failed": parameters.choice(OnFailed),
        "p2psms_conn_id": parameters.text("the name of a connection"),
    }
    template_fields: Sequence[str] = ("message_outbox_ids", *_parameters)
    operator_extra_links = (OutboxLink(),)
    ui_color = "#d9e9f2"

    _may_be_none = frozenset({"message_outbox_ids"})
    _watch: DeliveryWatch | None = None
    # Whether each id was asked for.
    _is_complete = True

    def __init__(
        self,
        *,
        message_outbox_ids: object,
        until: Until = "sent",
        min_delivered: float | str | None = None,
        on_failed: OnFailed = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message_outbox_ids = message_outbox_ids
        self.until = until
        self.min_delivered: Any = min_delivered
        self.on_failed = on_failed
        self.deferrable = deferrable
        self.p2psms_conn_id = p2psms_conn_id
        self._check_at_parse()

    def execute(self, context: Context) -> Any:
        """Wait in this worker, or after a first look in the triggerer."""
        started_at = time.time()
        with self._errors(), self.hook.get_conn() as client:
            self._watch = self._new_watch(client)
            record_outbox_link(self, context, self.hook, self._watch.outbox_ids)
            if not self.deferrable:
                return super().execute(context)
            if found := self.poke(context):
                return found.xcom_value
            ids = self._watch.outbox_ids
        return self._defer(ids, started_at)

    @property
    def reschedule(self) -> bool:
        """
        Whether to leave the worker until the next look.

        In reschedule mode the sensor forgets between looks. So it stays until each id was asked for.
        """
        return bool(super().reschedule) and self._is_complete

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Look once."""
        if self._watch is None:
            raise AirflowException("poke() of this sensor works only while execute() runs.")
        with self._errors():
            look = self._watch.look()
            self._is_complete = look.complete
            if look.failure:
                raise AirflowFailException(fold_lines(look.failure))
        return PokeReturnValue(look.done, xcom_value=look.counts.as_dict())

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Take what the trigger has found."""
        outcome, message, counts = event["outcome"], event["message"], event["counts"]
        if outcome == "done":
            return dict(counts)
        if outcome == "unreachable":
            raise AirflowException(fold_lines(message))
        with self._errors():
            if outcome == "timed_out":
                told = f"The timeout of {self.timeout:g} s is over.\nSo far: {counts}"
                raise AirflowSensorTimeout(fold_lines(told))
            raise AirflowFailException(fold_lines(message))

    def _check_together(self) -> None:
        if self.min_delivered is not None and self.until == "sent":
            raise InvalidMessageError('min_delivered needs until="delivered".')

    def _new_watch(self, client: GatewayClient) -> DeliveryWatch:
        from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids
        from airflow_provider_p2psms.delivery.watch import DeliveryWatch

        return DeliveryWatch(
            client,
            parse_outbox_ids(self.message_outbox_ids, none_is_empty=True),
            until=self.until,
            min_delivered=self.min_delivered or 0.0,
            on_failed=self.on_failed,
        )

    def _defer(self, outbox_ids: Sequence[int], started_at: float) -> NoReturn:
        from airflow_provider_p2psms.triggers.sms import SMSDeliveryTrigger

        limit_s = self.timeout + _GRACE_S
        if self.execution_timeout:  # Airflow 2 does this itself; Airflow 3 ends tasks in workers alone
            left_s = self.execution_timeout.total_seconds() - (time.time() - started_at)
            limit_s = min(limit_s, max(0.0, left_s))
        self.defer(
            trigger=SMSDeliveryTrigger(
                message_outbox_ids=outbox_ids,
                until=self.until,
                min_delivered=self.min_delivered or 0.0,
                on_failed=self.on_failed,
                poke_interval=self.poke_interval,
                deadline=started_at + self.timeout,
                p2psms_conn_id=self.p2psms_conn_id,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=limit_s),
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
                raise AirflowSkipException(str(err)) from None
            raise
