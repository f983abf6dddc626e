"""What a real Airflow tells of a send: metrics over the wire, lineage, an asset that wakes another DAG."""

import contextlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

HERE = Path(__file__).parent / "measured"
LONG = "x" * 200  # two parts
ROWS = f"""recipient,message
09120000001,{LONG}
09120000002,{LONG}
09120000003,{LONG}
09120000004,hello
09120000005,hello
09120000005,hello
12,hello
"""


class StatsD:
    """Listens for counters as a StatsD server does; keeps those of this package."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.counters: Counter[str] = Counter()
        self.emitted: Counter[str] = Counter()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._note(self._socket.recv(65_536).decode())

    def _note(self, packet: str) -> None:
        for line in packet.splitlines():
            if found := re.fullmatch(r"airflow\.p2psms\.(\w+),dag_id=tells,task_id=send:(\d+)\|c", line):
                self.counters[found[1]] += int(found[2])
                self.emitted[found[1]] += 1

    def take(self) -> dict[str, int]:
        """Return the counts since the last time."""
        taken, self.counters, self.emitted = dict(self.counters), Counter(), Counter()
        return taken

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file to which OpenLineage writes its events."""
    return tmp_path_factory.mktemp("lineage") / "events.jsonl"


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsD]:
    """Run a StatsD server."""
    with contextlib.closing(StatsD()) as server:
        yield server


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a gateway."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def airflow(statsd: StatsD, sandbox: Sandbox, lineage: Path) -> Iterator[AirflowStack]:
    """Run an Airflow that sends metrics to the server, and with the OpenLineage provider set up."""
    transport = {"type": "file", "log_file_path": str(lineage), "append": True}
    env = {
        "AIRFLOW_CONN_P2PSMS_DEFAULT": sandbox.connection_uri,
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",  # so that tags are on the wire, too
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
    }
    with AirflowStack(HERE / "dags", env=env) as running:
        yield running


def test_a_send_is_told_of(
    airflow: AirflowStack, statsd: StatsD, sandbox: Sandbox, lineage: Path, tmp_path: Path
):
    """Each try counts what it did, a failed one too; files are lineage; an outlet wakes another DAG."""
    file, outcomes = tmp_path / "rows.csv", tmp_path / "outcomes.csv"
    file.write_text(ROWS)
    sandbox.order_fault("refuse_422", after=1)

    run = airflow.trigger("tells", {"file": str(file), "outcomes": str(outcomes)})
    assert "failed" == airflow.wait(run), airflow.task_logs(run)
    assert {
        "accepted": 2, "refused": 3, "invalid": 1, "in_doubt": 0, "duplicates": 1, "requests": 2, "parts": 4,
    } == told(airflow, statsd)  # fmt: skip
    assert not runs_of(airflow, "hears")

    airflow.clear("tells", run, "send")
    assert "success" == airflow.wait(run), airflow.task_logs(run)
    assert {
        "accepted": 3, "refused": 0, "invalid": 1, "in_doubt": 0, "duplicates": 1, "requests": 2, "parts": 4,
    } == told(airflow, statsd)  # fmt: skip
    (sent,) = airflow.wait_for(
        "the lineage of the send", lambda: events_of(lineage, "COMPLETE", "tells.send")
    )
    assert [{"namespace": "file", "name": str(file)}] == names(sent["inputs"])
    assert [{"namespace": "file", "name": str(outcomes)}] == names(sent["outputs"])
    assert not re.search(rf"{LONG}|912000000|hello", lineage.read_text())
    airflow.wait_for("the DAG that waits for the asset", lambda: runs_of(airflow, "hears"))


def told(airflow: AirflowStack, statsd: StatsD) -> dict[str, int]:
    """Return the counters of one try, each of which is emitted once."""
    airflow.wait_for("the counters of a try", lambda: len(statsd.emitted) == 7)
    assert {1} == set(statsd.emitted.values())
    return statsd.take()


def runs_of(airflow: AirflowStack, dag_id: str) -> list[Any]:
    """Return the runs of a DAG."""
    return airflow.sql("SELECT run_id FROM dag_run WHERE dag_id = :dag", dag=dag_id)


def events_of(lineage: Path, kind: str, job: str) -> list[Any]:
    """Return what OpenLineage has written of a task."""
    whole, _, _ = lineage.read_text().rpartition("\n")
    events = map(json.loads, whole.splitlines())
    return [event for event in events if (event["eventType"], event["job"]["name"]) == (kind, job)]


def names(datasets: list[Any]) -> list[dict[str, str]]:
    """Return only how datasets are named."""
    return [{key: each[key] for key in ("namespace", "name")} for each in datasets]
