"""Runs one task in real Airflow, and says what Airflow then tells its user. Import it with a home set up."""

import itertools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.sdk import DAG

_count = itertools.count(1)


def run_task(add_task: Callable[[], object]) -> str:
    """
    Run a DAG of the one task that ``add_task`` makes, with one retry and no delay.

    :return: ``ok``, ``retried`` (the retry succeeded), ``in doubt`` (failed, and the error says that messages
        may have been taken) or ``failed``.
    """
    errors: list[BaseException] = []

    def note(context: Any) -> None:
        errors.append(context["exception"])

    with DAG(
        f"fault_table_{os.getpid()}_{next(_count)}",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        default_args={"retries": 1, "retry_delay": timedelta(0), "on_failure_callback": note},
    ) as dag:
        add_task()
    _register(dag)
    (task,) = dag.test().get_task_instances()
    if task.state == "success":
        return "ok" if task.try_number == 1 else "retried"
    return "in doubt" if any(map(may_have_been_sent, errors)) else "failed"


def may_have_been_sent(error: BaseException | None) -> bool:
    """Whether an error of a task, or what it comes from, says that messages may have been taken."""
    while error and not getattr(error, "may_have_been_sent", False):
        error = error.__cause__ or error.__context__
    return error is not None


def _register(dag: DAG) -> None:
    """Write the DAG to the database: Airflow runs none that it does not find there."""
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
