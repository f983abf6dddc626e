"""The deferred sensor in a real triggerer that is killed in the middle, and comes back."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack, postgres_server

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "dags"
FOREVER_S = 1e9
IN_VAIN_S = 20


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(queue_s=FOREVER_S, delivery_s=0, duplicate_window_s=0) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(sandbox: Sandbox) -> Iterator[AirflowStack]:
    """Have an Airflow with a triggerer, and a connection with a link to the gateway's outbox."""
    if not postgres_server():
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    page = quote(f"{sandbox.outbox_url}?outbox_id={{outbox_id}}", safe="")
    env = {"AIRFLOW_CONN_P2PSMS_DEFAULT": f"{sandbox.connection_uri}&outbox_url={page}"}
    with AirflowStack(DAGS, env=env, triggerer=True) as airflow:
        yield airflow


@pytest.fixture
def asked(sandbox: Sandbox):
    """Count the questions to the gateway's reports."""
    return lambda: len([request for request in sandbox.requests if "/report/" in request.path])


def is_deferred(airflow: AirflowStack, run_id: str) -> bool:
    return any(task.state == "deferred" for task in airflow.task_instances(run_id))


def test_a_triggerer_that_is_killed_in_the_middle(airflow: AirflowStack, sandbox: Sandbox, asked):
    """The next triggerer watches on: what is delivered ends well, the timeout ends in its time."""
    runs = {name: airflow.trigger(name) for name in ("waits", "waits_in_vain")}
    for run_id in runs.values():
        airflow.wait_for(f"{run_id} to be deferred", lambda run_id=run_id: is_deferred(airflow, run_id))
    seen = asked()
    airflow.wait_for("the triggerer to watch", lambda: asked() > seen + 2)

    airflow.kill_triggerer()
    while_down = asked()
    airflow.start_triggerer()

    airflow.wait_for("the next triggerer to watch", lambda: asked() > while_down + 2)
    assert "failed" == airflow.wait(runs["waits_in_vain"])
    [task] = [task for task in airflow.task_instances(runs["waits_in_vain"]) if task.task_id == "wait"]
    assert ("failed", 1) == (task.state, task.try_number), "a timeout is not tried again"
    assert is_deferred(airflow, runs["waits"])

    sandbox.queue_s = 0

    assert "success" == airflow.wait(runs["waits"]), airflow.logs()
    counts = airflow.xcom(runs["waits"], "wait")
    assert (5, 3, 1, 1, 0) == tuple(
        counts[name] for name in ("sent", "delivered", "undelivered", "blacklisted", "pending")
    )
    first_id = airflow.xcom(runs["waits"], "send")["message_outbox_ids"][0]
    if airflow.version >= (3,):
        link = {"SMS outbox": f"{sandbox.outbox_url}?outbox_id={first_id}"}
        assert link == airflow.links("waits", runs["waits"], "send")
        assert link == airflow.links("waits", runs["waits"], "wait")
