"""Shards in a whole Airflow: four send at once, two are killed in the middle, each row arrives once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack, TaskInstance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAGS = Path(__file__).parent / "sharded" / "dags"
# Shards with a ledger each do not know each other's messages: of more than 600, none is asked about, and what
# is in doubt would stay so (docs/ledger.md, "Limits of the report").
COUNT, ROWS, SHARDS = 690, 180, 4


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a gateway that takes the same text twice, so that a repeated one would be seen."""
    with Sandbox(duplicate_window_s=0, queue_s=0) as running:
        yield running


@pytest.fixture(scope="module", params=["own", "shared"])
def airflow(request, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """Run an Airflow whose shards have a ledger each, or one together."""
    env = {
        # A retry waits until the requests of a try that died are over.
        "AIRFLOW_CONN_P2PSMS_DEFAULT": f"{sandbox.connection_uri}&connect_timeout=5&read_timeout=8",
        "AIRFLOW__CORE__PARALLELISM": str(SHARDS),  # so many processes has the LocalExecutor
    }
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
    shard_of = {text: number // ROWS for number, text in enumerate(texts)}
    before = len(sandbox.arrived)

    def four_in_the_middle() -> list[TaskInstance]:
        arrived = Counter(shard_of[each.text] for each in sandbox.arrived[before:])
        sends = [
            each
            for each in airflow.task_instances(run)
            if each.task_id == "shard.send" and each.state == "running" and each.pid
            if 0 < arrived[each.map_index] < ROWS * 3 / 4
        ]
        return sends if len(sends) == SHARDS else []

    sandbox.latency_s = 4.0  # so that four are in the middle at once, though they do not begin at once
    run = airflow.trigger("sharded", {"file": str(file)})
    killed = airflow.wait_for("four shards to be in the middle", four_in_the_middle)[:2]
    for shard in killed:
        airflow.kill(psutil.Process(shard.pid))
    sandbox.latency_s = 0.0  # so that the many questions of a retry are soon answered

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
    assert all(tries[shard.map_index] > 1 for shard in killed)
    assert COUNT == airflow.xcom(run, "report")["sent"]
