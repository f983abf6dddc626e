"""The task that cancels scheduled messages; its name for DAG authors is in ``operators.sms``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_p2psms.airflow_compat import AirflowException, AirflowFailException, BaseOperator
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates
from airflow_provider_p2psms.operators.translation import errors_for_airflow
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

OnFailed = Literal["fail", "continue"]
_NAMED = 20


class CancelScheduledSMSOperator(AuthorsTemplates, BaseOperator):
    """
    Cancel scheduled messages, each until 5 minutes before its time.

    A try may be repeated: what is cancelled already counts as cancelled. Usable as a teardown
    (``.as_teardown(setups=…)``).

    :param message_outbox_ids: what to cancel: the ``message_outbox_ids`` of a send task, one id, a list, or
        JSON text of one. (templated)
    :param on_failed: messages that could not be cancelled: ``"fail"`` (default: after all were tried; for
        good, unless the gateway gave no answer) or ``"continue"``.
    :param p2psms_conn_id: the connection. (templated)
    :return: for each id (as text, as JSON has keys) ``cancelled``, ``not_found_or_too_late`` or ``in_doubt``
        (the gateway gave no answer to trust). It is there for later tasks also when this one fails.

    Source: gateway docs, "Cancel".
    """

    template_fields: Sequence[str] = ("message_outbox_ids", "p2psms_conn_id")
    ui_color = "#f9e4d9"

    def __init__(
        self,
        *,
        message_outbox_ids: object,
        on_failed: OnFailed = "fail",
        p2psms_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message_outbox_ids = message_outbox_ids
        self.on_failed = on_failed
        self.p2psms_conn_id = p2psms_conn_id
        if on_failed not in get_args(OnFailed):
            raise ValueError(f"{self.task_id}: on_failed is one of {', '.join(get_args(OnFailed))}.")

    def execute(self, context: Context) -> dict[str, str]:
        """Cancel, and tell what became of each id."""
        from airflow_provider_p2psms.delivery.cancel import cancel_messages
        from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids
        from airflow_provider_p2psms.hooks.sms import SMSHook

        with errors_for_airflow():
            ids = parse_outbox_ids(self.message_outbox_ids)
            with SMSHook(self.p2psms_conn_id).get_conn() as client:
                found = cancel_messages(client, ids)
        outcomes: dict[str, str] = {f"{each}": outcome for each, outcome in found.items()}
        if self.on_failed == "fail":
            self._heed_failed(context, outcomes)
        return outcomes

    def _heed_failed(self, context: Context, outcomes: dict[str, str]) -> None:
        from airflow_provider_p2psms.delivery.cancel import RULE

        failed = [each for each, outcome in outcomes.items() if outcome != "cancelled"]
        if not failed:
            return
        if "ti" in context:
            context["ti"].xcom_push(key="return_value", value=outcomes)
        more = f" and {len(failed) - _NAMED:,} more" if len(failed) > _NAMED else ""
        told = (
            f"{len(failed):,} of {len(outcomes):,} messages could not be cancelled: outbox ids "
            f"{', '.join(failed[:_NAMED])}{more}. {RULE}"
        )
        if "in_doubt" in outcomes.values():
            raise AirflowException(f"{told} For some the gateway gave no answer: a retry asks again.")
        raise AirflowFailException(told)
