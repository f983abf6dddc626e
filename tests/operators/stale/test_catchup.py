"""A DAG is unpaused after days: a real scheduler makes up for them, and only the latest of them sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a gateway."""
    with Sandbox(duplicate_window_s=0) as running:
        yield running


def test_catchup_sends_for_the_latest_day_alone(sandbox: Sandbox) -> None:
    """Of the runs of missed days those older than a day are skipped; the recipient gets one message."""
    env = {
        "AIRFLOW_CONN_P2PSMS_DEFAULT": sandbox.connection_uri,
        # Nothing is killed here, and a task that starts slowly is not dead.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
        "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "120",
    }
    with AirflowStack(Path(__file__).parent / "dags", env=env, database="sqlite") as airflow:

        def states() -> list[str | None]:
            rows = airflow.sql("SELECT state FROM task_instance ORDER BY run_id")
            return [row.state for row in rows]

        airflow.wait_for("the DAG", lambda: airflow.sql("SELECT dag_id FROM dag WHERE dag_id = 'missed'"))
        airflow.sql("UPDATE dag SET is_paused = false WHERE dag_id = 'missed' RETURNING dag_id")
        airflow.wait_for("the latest run to end", lambda: "success" in states(), timeout_s=240)
        found = states()

    assert "success" == found[-1]
    # A run a day; on Airflow 3 also one at the first day's begin.
    assert found[:-1] in (["skipped"] * 3, ["skipped"] * 4)
    assert 1 == len(sandbox.arrived)
