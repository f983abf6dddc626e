"""The task that cancels scheduled messages; its name for DAG authors is in ``operators.sms``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms.airflow_compat import AirflowException, AirflowFailException, BaseOperator
from airflow_provider_p2psms.choices import OnFailed
from airflow_provider_p2psms.errors import fold_lines, lay_out, name_some
from airflow_provider_p2psms.operators import parameters
from airflow_provider_p2psms.operators.error_mapping import errors_for_airflow
from airflow_provider_p2psms.operators.hook import HasSMSHook
from airflow_provider_p2psms.operators.parameters import Parameter
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates
from airflow_provider_p2psms.provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Context


class CancelScheduledSMSOperator(AuthorsTemplates, HasSMSHook, BaseOperator):
    """
    Cancel scheduled messages, each until 5 minutes before its time.

    A try may be repeated: what is cancelled already counts as cancelled. As a teardown without setups
    (``.as_teardown()``) it also runs if the send fails, and cancels what was accepted until then. All
    parameters are templated.

    :param message_outbox_ids: what to cancel: the ``message_outbox_ids`` of a send task, one id, a list, or
        JSON text of one.
    :param on_failed: messages that could not be cancelled: ``"fail"`` (default: after all were tried; for
        good, unless the gateway gave no answer) or ``"continue"``.
    :param p2psms_conn_id: the connection.
    :return: for each id (as text, as JSON has keys) ``cancelled``, ``not_found_or_too_late`` or ``in_doubt``
        (the gateway gave no answer to trust, or refused, and its reports do not say). It is there for later
        tasks also when this one fails.

    Source: gateway docs, "Cancel".
    """

    _parameters: ClassVar[Mapping[str, Parameter]] = {
        "on_failed": parameters.choice(OnFailed),
        "p2psms_conn_id": parameters.text("the name of a connection"),
    }
    template_fields: Sequence[str] = ("message_outbox_ids", *_parameters)
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
        self._check_at_parse()

    def execute(self, context: Context) -> dict[str, str]:
        """Cancel, and tell what became of each id."""
        from airflow_provider_p2psms.delivery.cancel import cancel_messages
        from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids

        with errors_for_airflow():
            ids = parse_outbox_ids(self.message_outbox_ids)
            with self.hook.get_conn() as client:
                found = cancel_messages(client, ids)
        outcomes: dict[str, str] = {f"{each}": outcome for each, outcome in found.items()}
        if self.on_failed == "fail":
            self._require_all_cancelled(context, outcomes)
        return outcomes

    def _require_all_cancelled(self, context: Context, outcomes: dict[str, str]) -> None:
        from airflow_provider_p2psms.delivery.cancel import RULE

        failed = [each for each, outcome in outcomes.items() if outcome != "cancelled"]
        if not failed:
            return
        if "ti" in context:
            context["ti"].xcom_push(key="return_value", value=outcomes)
        in_doubt = "in_doubt" in outcomes.values()
        told = lay_out(
            f"{len(failed):,} of {len(outcomes):,} messages could not be cancelled.",
            RULE,
            f"Outbox ids: {name_some(failed)}.",
            *(["For some the gateway gave no answer: a retry asks again."] if in_doubt else ()),
            options=('To go on all the same, set on_failed="continue".',),
        )
        raise (AirflowException if in_doubt else AirflowFailException)(fold_lines(told))
