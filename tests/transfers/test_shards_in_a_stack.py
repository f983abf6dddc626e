"""Shards in a whole Airflow: all send at once, some are killed in the middle, each row arrives once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack, TaskInstance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAGS = Path(__file__).parent / "sharded" / "dags"
COUNT, ROWS, SHARDS = 350, 100, 4


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a gateway that takes the same text twice, so that a repeated one would be seen."""
    with Sandbox(latency_s=0.5, duplicate_window_s=0, queue_s=0) as running:
        yield running


@pytest.fixture(scope="module", params=["own", "shared"])
def airflow(request, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """Run an Airflow whose shards have a ledger each, or one together."""
    env = {"AIRFLOW_CONN_P2PSMS_DEFAULT": sandbox.connection_uri}
    if request.param == "shared":
        env["AIRFLOW__P2PSMS__LEDGER_PATH"] = str(tmp_path_factory.mktemp("ledger"))
    with AirflowStack(DAGS, env=env, triggerer=True) as running:
        yield running


def test_killed_shards_go_on(airflow: AirflowStack, sandbox: Sandbox, tmp_path: Path):
    """Those whose processes die are finished by Airflow's retries; the report counts all messages."""
    file, name = tmp_path / "list.csv", tmp_path.name
    texts = [f"سلام\n{name} {number}" for number in range(COUNT)]
    lines = [f'0912{number:07},"{text}"' for number, text in enumerate(texts)]
    file.write_text("recipient,message\n" + "\n".join(lines), encoding="utf-8")
    before, killed = len(sandbox.arrived), set[int]()

    def shard_in_the_middle() -> TaskInstance | None:
        arrived = Counter(texts.index(each.text) // ROWS for each in sandbox.arrived[before:])
        found = (
            each
            for each in airflow.task_instances(run)
            if each.task_id == "shard.send" and each.state == "running" and each.pid
            if each.map_index not in killed and 0 < arrived[each.map_index] < ROWS / 2
        )
        return next(found, None)

    run = airflow.trigger("sharded", {"file": str(file)})
    for _ in range(2):
        shard = airflow.wait_for("a shard to be in the middle", shard_in_the_middle)
        airflow.kill(psutil.Process(shard.pid))
        killed.add(shard.map_index)

    assert "success" == airflow.wait(run, timeout_s=480), airflow.task_logs(run)
    assert Counter(texts) == Counter(each.text for each in sandbox.arrived[before:])
    states = Counter(f"{each.task_id} {each.state}" for each in airflow.task_instances(run))
    assert {
        "shards success": 1,
        "shard.send success": SHARDS,
        "shard.waited success": SHARDS,
        "report success": 1,
    } == states
    tries = {
        each.map_index: each.try_number
        for each in airflow.task_instances(run)
        if each.task_id == "shard.send"
    }
    assert all(tries[index] > 1 for index in killed)
    assert COUNT == airflow.xcom(run, "report")["sent"]
