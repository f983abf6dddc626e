"""A campaign on a distributed Airflow, of which each part is killed in the middle: each row arrives once."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.cluster.campaign import start_campaign
from tests.cluster.cluster import Cluster, missing, run_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(7200)]

ROWS = int(os.environ.get("P2PSMS_CLUSTER_ROWS", "100000"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Run two workers on this machine's PostgreSQL."""
    if lack := missing():
        (pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip)(lack)
    with run_cluster() as running:
        yield running


def is_deferred(cluster: Cluster, run: str) -> bool:
    """Return whether the triggerer has a sensor of a run."""
    return any(each.state == "deferred" for each in cluster.airflow.task_instances(run))


def add_up(cluster: Cluster, run: str) -> Counter[str]:
    """Return the sums of what the sends of a run have returned."""
    query = "SELECT value FROM xcom WHERE run_id = :run AND task_id = 'shard.send' AND key = 'return_value'"
    total: Counter[str] = Counter()
    for row in cluster.airflow.sql(query, run=run):
        total.update({key: row.value[key] for key in ("accepted", "invalid", "duplicates")})
    return total


def kill_each_part(cluster: Cluster) -> dict[str, Callable[[], None]]:
    """Return what kills a part of the cluster and starts it again, by its name."""
    airflow = cluster.airflow

    def worker() -> None:
        airflow.kill_component("worker-1")
        shutil.rmtree(airflow.home_of("worker-1"))  # as if another machine took its place
        airflow.start_worker("worker-1")
        airflow.wait_for_worker("worker-1")

    def api_server() -> None:
        airflow.kill_component("api-server")
        airflow.start_api_server()
        airflow.wait_for_api_server()

    def scheduler() -> None:
        airflow.kill_component("scheduler")
        airflow.restart_scheduler()

    def triggerer() -> None:
        airflow.kill_component("triggerer")
        airflow.start_triggerer()

    return {
        "a worker": worker,
        "the broker": cluster.broker.restart,
        "the API server": api_server,
        "the scheduler": scheduler,
        "the triggerer": triggerer,
    }


def sends_on(cluster: Cluster, worker: str, run: str) -> set[int]:
    """Return the map indexes of the sends that run on a worker: their logs lie in its home."""
    logs = cluster.airflow.home_of(worker).glob("logs/*/*/task_id=shard.send/map_index=*")
    begun = {int(each.name.partition("=")[2]) for each in logs}
    tasks = cluster.airflow.task_instances(run)
    running = {each.map_index for each in tasks if each.task_id == "shard.send" and each.state == "running"}
    return begun & running


def test_each_part_is_killed_in_the_middle(cluster: Cluster):
    """All rows arrive exactly once, nothing is in doubt, and the report counts all of them."""
    airflow, parts = cluster.airflow, kill_each_part(cluster)
    run, rows = start_campaign(cluster, "killed", ROWS, is_personal=True)
    homeless = set[int]()

    for place, (name, kill) in enumerate(parts.items()):
        share = int(ROWS * (0.1 + 0.15 * place))
        airflow.wait_for(
            f"{share:,} rows", partial(lambda rows: cluster.gateway.count() >= rows, share), timeout_s=600
        )
        if name == "a worker":
            homeless = sends_on(cluster, "worker-1", run)
        if name == "the triggerer":
            airflow.wait_for("a sensor to be deferred", lambda: is_deferred(cluster, run), timeout_s=600)
        print(f"Killing {name} after {cluster.gateway.count():,} rows.", flush=True)  # noqa: T201 - `make` shows it
        assert not airflow.final_state(run)
        kill()

    assert "success" == airflow.wait(run, timeout_s=3600), airflow.task_logs(run)
    assert Counter(rows) == cluster.gateway.arrived()
    assert ROWS == airflow.xcom(run, "report")["sent"]
    assert Counter(accepted=ROWS, invalid=0, duplicates=0) == add_up(cluster, run)
    tasks = airflow.task_instances(run)
    tries = {each.map_index: each.try_number for each in tasks if each.task_id == "shard.send"}
    print(f"{ROWS:,} rows once each; tries of the {len(tries)} sends: {sorted(tries.values())}.")  # noqa: T201
    # No home had anything of their first tries when a worker took the next ones.
    assert homeless
    assert all(tries[each] > 1 for each in homeless)
