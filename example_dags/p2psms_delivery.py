"""Send, wait in the triggerer until the operators have reported, and go on with the counts."""

from __future__ import annotations

from typing import Any

import pendulum

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    tags=["p2psms", "example"],
)
def p2psms_delivery() -> None:
    """Send codes, and see to it that nine of ten have theirs."""
    notify = PeerToPeerSMSOperator(
        task_id="notify",
        messages=[
            {"recipient": f"0912 000 00{number}", "name": name}
            for number, name in enumerate(("سارا", "امید", "نیما"), start=21)
        ],
        text="{name} عزیز، سفارش شما آماده تحویل است.",
        from_number="+983000505",
    )

    delivered = SMSDeliverySensor(
        task_id="delivered",
        message_outbox_ids=notify.output["message_outbox_ids"],
        until="delivered",
        min_delivered=0.9,
        # A message that monitoring rejects does not keep the others from being waited for.
        on_failed="continue",
        poke_interval=60,
        # Phones that are off for a day get theirs late; by then nobody waits for them any more.
        timeout=24 * 3600,
        deferrable=True,
    )

    @task
    def report(counts: Any) -> str:
        """Stand in for what your pipeline does with the counts."""
        return f"{counts['delivered']} of {counts['sent']} delivered, {counts['cost']} rial"

    report(delivered.output)


p2psms_delivery()
