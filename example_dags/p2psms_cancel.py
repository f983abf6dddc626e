"""Schedule a send, check something while it waits, and cancel it if the check fails."""

from __future__ import annotations

from typing import Any

import pendulum

try:
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param

from airflow_provider_p2psms.operators.sms import CancelScheduledSMSOperator, PeerToPeerSMSOperator


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={"paid": Param(default=False, type="boolean", title="Has the customer paid meanwhile?")},
    tags=["p2psms", "example"],
)
def p2psms_cancel() -> None:
    """Remind of an invoice in an hour, unless it is paid until then."""
    remind = PeerToPeerSMSOperator(
        task_id="remind",
        messages=[("0912 000 0031", "مشتری گرامی، مهلت پرداخت صورتحساب شما امروز است.")],
        from_number="+983000505",
        send_time="{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(hours=1) }}",
    )

    # In your own DAG this would be a sensor on the payment, with a timeout of well under an hour: the gateway
    # cancels until 5 minutes before the time.
    @task.short_circuit
    def is_paid(params: dict[str, Any]) -> bool:
        """Say whether the reminder is needless."""
        return bool(params["paid"])

    cancel = CancelScheduledSMSOperator(
        task_id="cancel", message_outbox_ids=remind.output["message_outbox_ids"]
    )
    remind >> is_paid() >> cancel


p2psms_cancel()
