"""
`make cluster`: Airflow with Celery, Redis, PostgreSQL and object storage on this machine, until Ctrl-C.

Two workers run the tasks, each in a home of its own. Files of rows and the ledgers lie in object storage.
"""

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.gateway import Gateway, run_gateway
from tests.cluster.services import Broker, ObjectStorage
from tests.stack import AirflowStack, postgres_server

DAGS = Path(__file__).parent / "dags"
LISTS, LEDGERS = "lists", "ledgers"
# As in dags/campaign.py.
POOL = "sends"
# Each worker has a slot more than its share of the sends, for the tasks that wait for no pool.
SENDS, SLOTS = 4, 3
LATENCY_S = 0.25


@dataclass(frozen=True)
class Cluster:
    """All parts, running."""

    airflow: AirflowStack
    broker: Broker
    storage: ObjectStorage
    gateway: Gateway

    def set_sends(self, number: int) -> None:
        """Let so many sends run at once: the slots of their pool."""
        pool = {"name": POOL, "slots": number, "include_deferred": False}
        self.airflow.api("PATCH", f"/pools/{POOL}", pool)


def missing() -> str | None:
    """Return what this machine lacks for a cluster, and how to get it."""
    python = Path(sys.executable).parent
    if not postgres_server():
        return "needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432"
    if not Broker(Path()).program:
        return "needs redis-server. On Debian and Ubuntu: apt-get install redis-server"
    if not (python / "moto_server").exists() or not (python / "celery").exists():
        return "needs the environment of requirements/cluster.txt: make cluster-test makes it"
    return None


@contextlib.contextmanager
def run_cluster() -> Iterator[Cluster]:
    """Have all parts inside the block."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p2psms-cluster-")))
        broker = stack.enter_context(Broker(folder))
        storage = stack.enter_context(ObjectStorage(folder, sys.executable))
        gateway = stack.enter_context(run_gateway(folder, latency_s=LATENCY_S))
        for bucket in (LISTS, LEDGERS):
            storage.put(bucket)
        env = {
            "AIRFLOW_CONN_P2PSMS_DEFAULT": gateway.connection_uri,
            "AIRFLOW_CONN_STORE": storage.connection_uri,
            "AIRFLOW__CELERY__BROKER_URL": broker.url,
            # A task that starts waits for the API server, whose restart takes long on a busy machine.
            "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
            "AIRFLOW__P2PSMS__LEDGER_PATH": f"s3://store@{LEDGERS}/p2psms",
        }
        airflow = AirflowStack(DAGS, env=env, database="postgresql", triggerer=True, workers=2, slots=SLOTS)
        stack.enter_context(airflow)
        airflow.api("POST", "/pools", {"name": POOL, "slots": SENDS})
        yield Cluster(airflow, broker, storage, gateway)


def main() -> int:
    """Start it, say where its pages are, and wait."""
    if lack := missing():
        print(f"The cluster {lack}.")  # noqa: T201 - this is a script
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(KeyboardInterrupt), run_cluster() as cluster:
        print(  # noqa: T201
            f"Airflow: {cluster.airflow.url}\nGateway: http://127.0.0.1:{cluster.gateway.port}/v1\n"
            f"Object storage: http://127.0.0.1:{cluster.storage.port}\nCtrl-C ends all of it.",
            flush=True,
        )
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
