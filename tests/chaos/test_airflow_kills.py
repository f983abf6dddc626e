"""A send in a real Airflow is killed or stopped in its middle: every message arrives exactly once."""

import os
import signal
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.chaos.airflow_kills import ROWS, TASK, Count, Plan, Send, Stage, stage
from tests.stack import airflow_version, postgres_server

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1500)]

AIRFLOW = airflow_version(sys.executable)
MAX_IN_FLIGHT = 4
NOTHING_WRONG = Count(twice=0, lost=0, foreign=0)


@pytest.fixture(scope="module")
def trials() -> Iterator[Stage]:
    """Have an Airflow on PostgreSQL and a gateway for all tests here."""
    if not postgres_server():
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    with stage() as ready:
        yield ready


@pytest.mark.parametrize(
    ("what", "seed"),
    [
        pytest.param("task", 0, marks=pytest.mark.skipif(AIRFLOW == (3, 0), reason="3.0 does not retry it")),
        ("supervisor", 1),
        ("scheduler", 0),
    ],
)
def test_a_kill_in_the_middle_of_a_send(trials: Stage, what: str, seed: int):
    """Whatever is killed, Airflow's own retry finishes the send: each message once, none lost."""
    # A first try that lives on may be done before Airflow takes it for dead: then another one is watched.
    for turn in range(3):
        outcome = trials.run_trial(Plan.draw(seed + turn, [what]))
        assert outcome.good, outcome.report
        if outcome.tries > 1:
            return
    pytest.fail(f"No retry was seen.\n{outcome.report}")


@pytest.mark.skipif(AIRFLOW != (3, 0), reason="other Airflows retry it")
def test_a_killed_task_of_airflow_3_0(trials: Stage):
    """Airflow 3.0 fails a run whose task was killed; once cleared the task sends just the rest."""
    send = trials.send("json_by_5", "Killed")
    send.wait_for_batches(8)

    trials.airflow.kill(send.process)

    assert "failed" == trials.airflow.wait(send.run_id)
    sent = send.batches()
    assert ROWS // 5 > sent
    assert_finishes_once(trials, send, sent=sent)


@pytest.mark.skipif(AIRFLOW < (3,), reason="on Airflow 2 only its web server can mark a task")
def test_a_task_marked_failed(trials: Stage):
    """A task marked failed in its middle sends no further batch, and once cleared it sends just the rest."""
    send = trials.send("json_by_5", "Marked")
    send.wait_for_batches(8)

    trials.airflow.mark_failed(send.dag_id, send.run_id, TASK)
    psutil.wait_procs([send.process], timeout=60)
    sent = send.batches()

    assert "failed" == trials.airflow.wait(send.run_id)
    assert ROWS // 5 > sent
    assert_finishes_once(trials, send, sent=sent)


def test_a_task_process_told_to_end(trials: Stage):
    """After SIGTERM no request leaves but those under way; the next try sends just the rest."""
    send = trials.send("file_by_5", "Told")
    send.wait_for_batches(8)

    sent = send.batches()
    send.process.send_signal(signal.SIGTERM)
    psutil.wait_procs([send.process], timeout=60)

    assert sent + MAX_IN_FLIGHT >= send.batches()
    assert_finishes_once(trials, send, sent=send.batches())


@pytest.mark.skipif(AIRFLOW < (3, 4), reason="a clear keeps the task state store before 3.4")
def test_a_clear_that_empties_the_task_state_store(trials: Stage):
    """What was sent is not known any more: the cleared task fails, and sends nothing."""
    send = trials.send("json_by_5", "Emptied")
    send.wait_for_batches(8)
    trials.airflow.mark_failed(send.dag_id, send.run_id, TASK)
    psutil.wait_procs([send.process], timeout=60)
    sent = send.batches()

    trials.airflow.clear(send.dag_id, send.run_id, TASK, keep_state=False)
    trials.airflow.wait_for("the cleared task to end", lambda: last_try(trials, send) > 1)

    assert "failed" == trials.airflow.wait(send.run_id)
    assert sent == send.batches()
    assert "Keep task state" in trials.airflow.task_logs(send.run_id)


def last_try(trials: Stage, send: Send) -> int:
    """Return the number of the latest try that has ended."""
    [task] = trials.airflow.task_instances(send.run_id)
    return task.try_number if task.state == "failed" else 0


def assert_finishes_once(trials: Stage, send: Send, *, sent: int) -> None:
    if "failed" == trials.airflow.wait(send.run_id):
        assert sent == send.batches()
        trials.airflow.clear(send.dag_id, send.run_id, TASK)

    assert "success" == trials.airflow.wait(send.run_id)
    assert NOTHING_WRONG == send.count()
    assert ROWS == send.accepted
