"""A thousand deferred sensors in one real triggerer, which stays alive and free."""

import os
import re
import socket
import socketserver
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack, airflow_version, postgres_server

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "many_dags"
MANY = 1_000
# Times like Airflow's own, as this stack has much to do; and no key, so that triggers are kept as JSON.
SETTINGS = {
    "AIRFLOW__CORE__FERNET_KEY": "",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "300",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
}

# The one task that is deferred lends its trigger to all that wait for their turn, each with its own id.
DEFER_ALL = """
WITH one AS (
    SELECT task_instance.*, classpath, kwargs
    FROM task_instance JOIN trigger ON trigger.id = trigger_id WHERE state = 'deferred'
), others AS (
    SELECT id, (CAST(:ids AS int[]))[map_index + 1] AS outbox_id, nextval('trigger_id_seq') AS new_trigger
    FROM task_instance WHERE task_id = 'wait' AND state = 'scheduled'
), triggers AS (
    INSERT INTO trigger (id, classpath, kwargs, created_date)
    SELECT new_trigger, classpath,
        jsonb_set(CAST(kwargs AS jsonb), '{message_outbox_ids}', jsonb_build_array(outbox_id)), now()
    FROM others, one
)
UPDATE task_instance AS other
SET state = 'deferred', trigger_id = new_trigger, start_date = one.start_date,
    trigger_timeout = one.trigger_timeout, next_method = one.next_method, next_kwargs = one.next_kwargs
FROM others, one WHERE other.id = others.id RETURNING other.id
"""
WATCHED = "SELECT id FROM task_instance WHERE trigger_id IS NOT NULL"
WATCHING = """
SELECT job.id, count(*) AS triggers, now() - latest_heartbeat < interval '30 seconds' AS is_alive
FROM job JOIN trigger ON triggerer_id = job.id GROUP BY job.id
"""


class Questions:
    """What a gateway was asked: how often for each id, and how many questions were under way at once."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.most_at_once = 0
        self._under_way: set[object] = set()
        self._lock = threading.Lock()

    def begin(self, connection: object, ids: list[int]) -> None:
        """Note a question on a connection."""
        with self._lock:
            self.asked.update(ids)
            self._under_way.add(connection)
            self.most_at_once = max(self.most_at_once, len(self._under_way))

    def end(self, connection: object) -> None:
        """Note that the question on a connection is answered, or lost."""
        with self._lock:
            self._under_way.discard(connection)

    def restart(self) -> None:
        """Count from now on."""
        with self._lock:
            self.asked.clear()
            self.most_at_once = 0


@contextmanager
def counting(gateway_port: int, questions: Questions) -> Iterator[int]:
    """Stand before a gateway and note what it is asked; gives the port."""

    class Passage(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("127.0.0.1", gateway_port)) as gateway:
                threading.Thread(target=self.answer, args=(gateway,), daemon=True).start()
                self.pass_on(self.request, gateway)

        def answer(self, gateway):
            self.pass_on(gateway, self.request)
            questions.end(self)

        def pass_on(self, source, target):
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):  # the other side has ended
                while data := source.recv(65_536):
                    if source is not self.request:
                        questions.end(self)
                    elif ids := re.findall(rb"[?&]messages_outbox_id=(\d+)", data):
                        questions.begin(self, list(map(int, ids)))
                    target.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passage) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def airflow() -> Iterator[AirflowStack]:
    """Have an Airflow without a triggerer so far."""
    if airflow_version(sys.executable) < (3, 3):
        pytest.skip("writes triggers into the tables of Airflow 3.3")
    if not postgres_server():
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    with AirflowStack(DAGS, env=SETTINGS) as airflow:
        yield airflow


def states(airflow: AirflowStack, run_id: str) -> Counter[str | None]:
    """Count the sensors by state."""
    return Counter(task.state for task in airflow.task_instances(run_id) if task.task_id == "wait")


def defer_all(airflow: AirflowStack, sandbox: Sandbox, port: int) -> str:
    """Bring a thousand sensors to where they wait for a triggerer; give the run's id."""
    connection = {"connection_id": "p2psms_default", "conn_type": "p2psms", "password": sandbox.token}
    rest = {"host": f"http://127.0.0.1:{port}/v1", "extra": '{"from_number": "+983000505"}'}
    airflow.api("POST", "/connections", connection | rest)
    airflow.api("POST", "/pools", {"name": "one_waits", "slots": 1, "include_deferred": True})
    run_id = airflow.trigger("watches_many")
    one_waits = {"deferred": 1, "scheduled": MANY - 1}
    airflow.wait_for("one to be deferred", lambda: one_waits == states(airflow, run_id), timeout_s=120)
    ids = airflow.xcom(run_id, "send", "message_outbox_ids")
    assert MANY - 1 == len(airflow.sql(DEFER_ALL, ids=ids))
    airflow.api("PATCH", "/pools/one_waits", {"pool": "one_waits", "slots": MANY, "include_deferred": True})
    return run_id


def wait_for_all(airflow: AirflowStack, questions: Questions) -> None:
    """Wait until the triggers have asked for every id from now on."""
    questions.restart()
    airflow.wait_for("all ids to be asked for", lambda: len(questions.asked) == MANY, timeout_s=240)


def test_a_thousand_sensors_in_one_triggerer(airflow: AirflowStack):
    """All are asked for again and again, none holds the others up, and all hear of the delivery."""
    questions = Questions()
    sandbox = Sandbox(queue_s=1e9, delivery_s=0, duplicate_window_s=0, latency_s=0.02)
    with sandbox, counting(sandbox.bound_port, questions) as port:
        run_id = defer_all(airflow, sandbox, port)
        airflow.start_triggerer()
        for _ in range(3):
            wait_for_all(airflow, questions)
            # One that held the event loop up until its answer came would be the only one to ask. How long the
            # loop waits for a processor says nothing about us: on a busy machine that is long.
            assert questions.most_at_once > 1
        [triggerer] = airflow.sql(WATCHING)
        assert (MANY, True) == (triggerer.triggers, triggerer.is_alive)

        sandbox.queue_s = 0

        airflow.wait_for("all triggers to fire", lambda: not airflow.sql(WATCHED), timeout_s=240)
        airflow.wait_for("some to succeed", lambda: states(airflow, run_id)["success"] >= 3)
        assert not states(airflow, run_id)["failed"], airflow.logs()
