"""A DAG that misses a deadline and then fails, and tells of both: see `test_callbacks_in_a_stack.py`."""

import os
import signal
import time
from datetime import timedelta
from typing import Any

import pendulum

from airflow_provider_p2psms.airflow_compat import dag, task
from airflow_provider_p2psms.notifications.sms import SMSNotifier

LINE = "+983000505"


def deadlines() -> dict[str, Any]:
    """Have a deadline that the triggerer tells of, and one that a worker does, where Airflow knows them."""
    try:
        from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]
            AsyncCallback,
            DeadlineAlert,
            DeadlineReference,
        )
    except ImportError:  # Airflow 2; and from 3.2 on the callbacks have moved
        try:
            from airflow.sdk import (  # type: ignore[attr-defined, no-redef]
                AsyncCallback,
                DeadlineAlert,
                DeadlineReference,
            )
        except ImportError:
            return {}
    callbacks: list[Any] = [AsyncCallback(SMSNotifier, {"recipients": ["09120000002"], "from_number": LINE})]
    try:
        from airflow.sdk import SyncCallback  # type: ignore[attr-defined]
    except ImportError:
        pass
    else:
        # Airflow gives the process of such a callback none of the connections in its database.
        by_worker = {"recipients": ["09120000003"], "from_number": LINE, "p2psms_conn_id": "p2psms_env"}
        callbacks.append(SyncCallback(SMSNotifier, by_worker))
    queued, soon = DeadlineReference.DAGRUN_QUEUED_AT, timedelta(seconds=1)
    return {"deadline": [DeadlineAlert(reference=queued, interval=soon, callback=each) for each in callbacks]}


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    on_failure_callback=SMSNotifier(["09120000001"], from_number=LINE),
    **deadlines(),
)
def notices() -> None:
    @task
    def late() -> None:
        time.sleep(6)
        raise ValueError

    late()


notices()


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def killed() -> None:
    """Have a task whose process is killed in its first try, and tell what Airflow does then."""
    alert = SMSNotifier(["09120000004"], from_number=LINE)

    @task(retries=1, retry_delay=timedelta(seconds=1), on_retry_callback=alert, on_failure_callback=alert)
    def dies(ti: Any = None) -> None:
        if ti.try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    dies()


killed()
