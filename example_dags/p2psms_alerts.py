"""Whoever is on call gets a text when a task fails, once; the team gets one when the night's work is done."""

from __future__ import annotations

from typing import Any

import pendulum

try:
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param

from airflow_provider_p2psms.notifications.sms import SMSNotifier

LINE = "+983000505"


@dag(
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={
        # Better an Airflow variable: recipients="{{ var.value.on_call }}", with commas between the numbers.
        "on_call": Param("0912 000 0021, 0935 000 0022", type="string", title="Who is on call"),
        "orders": Param(120, type="integer", title="How many orders there are"),
    },
    # Each task has its own text: the DAG, the task, what became of it, the try, and the run's time.
    default_args={"on_failure_callback": SMSNotifier("{{ params.on_call }}", from_number=LINE)},
    tags=["p2psms", "example"],
)
def p2psms_alerts() -> None:
    """Count the day's orders; tell whoever is on call if there are none."""

    @task
    def count_orders(params: dict[str, Any]) -> None:
        """Stand in for the night's work."""
        if not params["orders"]:
            raise ValueError("There are no orders.")

    @task(
        on_success_callback=SMSNotifier(
            ["+98 912 000 0023"],
            text="{{ params.orders }} سفارش دیروز شمرده شد.",
            from_number=LINE,
        )
    )
    def publish() -> None:
        """Stand in for what is done with them."""

    count_orders() >> publish()


p2psms_alerts()
