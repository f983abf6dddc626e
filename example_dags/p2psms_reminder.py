"""A recurring reminder: each evening, of tomorrow's appointments, to arrive in the morning, not at night."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator


def next_morning(moment: datetime) -> str:
    """Return eight in the morning, in Tehran, of the day after a moment."""
    return pendulum.instance(moment).in_timezone("Asia/Tehran").add(days=1).at(8).isoformat()


@dag(
    schedule="0 20 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    user_defined_macros={"next_morning": next_morning},
    tags=["p2psms", "example"],
)
def p2psms_reminder() -> None:
    """Remind each patient of tomorrow's appointment."""

    @task(show_return_value_in_logs=False)  # they are people's numbers
    def appointments() -> list[dict[str, Any]]:
        """Stand in for a query of tomorrow's appointments."""
        return [
            {"phone": "09120000011", "name": "سارا", "at": "09:30"},
            {"phone": "+98 935 000 0012", "name": "امید", "at": "11:00"},
        ]

    PeerToPeerSMSOperator(
        task_id="remind",
        messages=appointments(),
        recipient_column="phone",
        text="{name} عزیز، نوبت شما فردا ساعت {at} است.",
        from_number="+983000505",
        # The gateway sends at eight in the morning after the run; whatever the time, nobody is woken.
        # On Airflow 3 a run that is started by hand may have no data interval.
        send_time="{{ next_morning(data_interval_end | default(dag_run.run_after)) }}",
        send_window=("08:00", "21:00", "Asia/Tehran"),
        # A run that is cleared days later is not to remind of what has passed.
        on_late="fail",
        on_empty="succeed",
    )


p2psms_reminder()
