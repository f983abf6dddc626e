"""The deferred sensor in a real triggerer: killed in the middle, out of time; and what Airflow logs."""

import json
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack, postgres_server

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "dags"
VERSIONS = Path(__file__).parents[2] / "docs" / "versions.md"
FOREVER_S = 1e9


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(queue_s=FOREVER_S, delivery_s=0, duplicate_window_s=0) as running:
        yield running


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with customers that a task reads."""
    rows = [{"recipient": f"+98935987654{last}", "message": f"geheim {last}"} for last in range(3)]
    file = tmp_path_factory.mktemp("rows") / "customers.json"
    file.write_text(json.dumps(rows))
    return file


@pytest.fixture(scope="module")
def airflow(sandbox: Sandbox, rows: Path) -> Iterator[AirflowStack]:
    """Have an Airflow with a triggerer, and a connection with a link to the gateway's outbox."""
    if not postgres_server():
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    page = quote(f"{sandbox.outbox_url}?outbox_id={{outbox_id}}", safe="")
    env = {
        "AIRFLOW_CONN_P2PSMS_DEFAULT": f"{sandbox.connection_uri}&outbox_url={page}",
        "CUSTOMERS": str(rows),
    }
    stack = AirflowStack(DAGS, env=env, triggerer=True)
    if (3, 0) == stack.version:
        # What docs/versions.md says that keeps XComs out of the scheduler's output.
        [code] = re.findall(r"^```python\n(.*?)^```", VERSIONS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        (stack.home / "config").mkdir()
        (stack.home / "config" / "airflow_local_settings.py").write_text(code)
    with stack as airflow:
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
        airflow.wait_for(f"{run_id} to be deferred", partial(is_deferred, airflow, run_id))
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


def test_the_execution_timeout_ends_a_deferred_sensor(airflow: AirflowStack, sandbox: Sandbox):
    """It counts in the triggerer, too, long before the sensor's own timeout is over."""
    sandbox.queue_s = FOREVER_S
    run_id = airflow.trigger("waits_too_long")
    airflow.wait_for(f"{run_id} to be deferred", lambda: is_deferred(airflow, run_id))

    assert "failed" == airflow.wait(run_id)
    [task] = [task for task in airflow.task_instances(run_id) if task.task_id == "wait"]
    assert "failed" == task.state, airflow.task_logs(run_id)


@pytest.mark.parametrize("fault", [None, "refuse_422"])
def test_no_log_has_numbers_texts_or_tokens(fault, airflow: AirflowStack, sandbox: Sandbox):
    """Rows that a task returns pass through all of Airflow, at its default level, and stand in no log."""
    sandbox.queue_s = 0
    if fault:
        sandbox.order_fault(fault)
    run_id = airflow.trigger("customers")

    assert ("failed" if fault else "success") == airflow.wait(run_id), airflow.task_logs(run_id)
    logs = {str(log): log.read_text("utf-8", "replace") for log in airflow.home.rglob("*.log")}
    assert any(run_id in name and "send" in name for name in logs), "a task has its log"
    for private in ("935987654", "geheim", sandbox.token):
        assert [] == [name for name, text in logs.items() if private in text]
