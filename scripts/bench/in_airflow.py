"""
What takes a real Airflow to measure: the ledger's price, the end of a resumed send, and the least of tasks.

1. Two sends alike, in turns, to a gateway that answers in 200 ms: one with its ledger in Airflow's task state
   store, one that forgets. The ratio of their wall times is the ledger's price.
2. A send whose last batch was refused, cleared: how long until that one batch is sent.
3. A task that sends one message, in turns with an ``HttpOperator`` that posts the same.
4. A task that sends a CSV of a million rows by the operator with its defaults, in turns with two that post
   them in a loop: one returns the ids, as ours does, and one only their number. What it leaves in Airflow's
   database is counted.
5. The same CSV to a gateway that takes 50 ms an answer, eight requests at once, against the time that this
   gateway needs by itself.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_p2psms.sandbox import Sandbox
from scripts.bench.gateway import gateway
from scripts.bench.line import Line
from scripts.bench.rows import write_csv
from tests.stack import AirflowStack

DAGS = Path(__file__).parent / "dags"
LATENCY_S = 0.2
DISTANT_S = 0.05
BATCH_SIZE = 1_000  # the default
IN_FLIGHT = 8
_SIZE = "select coalesce(sum(pg_column_size(value)), 0), count(*)"


def measure(*, short: bool) -> Iterator[Line]:
    """Measure in one Airflow."""
    pairs, batches, batch_size = (1, 12, 100) if short else (5, 60, 1_000)
    rows = 2_000 if short else 1_000_000
    resumed, resumed_size = (40, 50) if short else (1_000, 1_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(database=Path(folder) / "outbox.sqlite") as sandbox,
        gateway(latency_s=LATENCY_S) as slow,
        gateway(latency_s=DISTANT_S) as distant,
        gateway() as fast,
    ):
        sandbox.duplicate_window_s = 0
        connections = {
            f"AIRFLOW_CONN_P2PSMS_{name}": f"p2psms://:x@127.0.0.1:{port}/v1?from_number=%2B983000505"
            for name, port in {"SLOW": slow.port, "DISTANT": distant.port, "FAST": fast.port}.items()
        }
        env = connections | {
            "AIRFLOW_CONN_P2PSMS_DEFAULT": sandbox.connection_uri,
            "BENCH_GATEWAY": fast.url,
            "AIRFLOW_CONN_HTTP_DEFAULT": sandbox.base_url.removesuffix("/v1"),
            "BENCH_TOKEN": sandbox.token,
        }
        with AirflowStack(DAGS, env=env) as airflow:
            yield one_message(airflow, 1 if short else 15)
            yield from campaign(airflow, write_csv(Path(folder), rows), rows, pairs=1 if short else 3)
            yield ledger(airflow, pairs, batches, batch_size)
            yield resume(airflow, sandbox, resumed, resumed_size)


def one_message(airflow: AirflowStack, pairs: int) -> Line:
    """
    Send one message, and have Airflow say how long its task took.

    A task's process reads its DAG file first, so each operator has one of its own: theirs is not to pay for
    our imports, nor ours for theirs.
    """
    times: dict[str, list[float]] = {"one_message": [], "one_message_by_http": []}
    for turn in range(pairs + 1):
        for dag_id, seconds in times.items():
            run_id = airflow.trigger(dag_id)
            if airflow.wait(run_id, timeout_s=120) != "success":
                raise SystemExit(f"{dag_id} failed:\n{airflow.logs()}")
            if turn:  # the first finds a cold Airflow
                seconds.append(airflow.task_seconds(run_id, "send"))
    label = f"Airflow {airflow}, a task that sends one message: wall time of `HttpOperator`"
    return compare(label, times["one_message"], times["one_message_by_http"], goal="at most 1.0")


def campaign(airflow: AirflowStack, path: Path, rows: int, *, pairs: int) -> Iterator[Line]:
    """Send a CSV by the operator as it is, and by loops in tasks."""
    times: dict[str, list[float]] = {"campaign": [], "loop_to_ids": [], "loop_to_count": []}
    for _ in range(pairs):
        for dag_id, seconds in times.items():
            seconds.append(campaign_seconds(airflow, dag_id, path))
    title = f"Airflow {airflow}, {rows:,} Persian rows by the operator"
    ours, to_ids, to_count = times.values()
    label = f"{title} with its defaults: wall time of a task with a loop"
    yield compare(f"{label} that returns the ids", ours, to_ids, goal="at most 1.2")
    yield compare(f"{label} that returns their number", ours, to_count)
    yield bytes_left(airflow, title, rows, pairs)

    own = rows / BATCH_SIZE * DISTANT_S / IN_FLIGHT
    conf = {"conn_id": "p2psms_distant", "max_in_flight": IN_FLIGHT}
    distant = [campaign_seconds(airflow, "campaign", path, **conf) for _ in range(pairs)]
    label = f"{title} at {DISTANT_S * 1_000:.0f} ms an answer, {IN_FLIGHT} in flight: the gateway's own time"
    yield compare(label, distant, [own] * pairs, goal="at most 1.15")


def campaign_seconds(airflow: AirflowStack, dag_id: str, path: Path, **conf: object) -> float:
    """Run a DAG over a CSV; return what its task took, in seconds."""
    run_id = airflow.trigger(dag_id, {"file": str(path)} | conf)
    if airflow.wait(run_id, timeout_s=600) != "success":
        raise SystemExit(f"{dag_id} failed:\n{airflow.logs()}")
    return airflow.task_seconds(run_id, "send")


def bytes_left(airflow: AirflowStack, title: str, rows: int, runs: int) -> Line:
    """Count what a campaign leaves in Airflow's database, as that stores it: ledger, result and ids."""
    sizes = {
        table: next(iter(airflow.sql(f"{_SIZE} from {table} where dag_id = 'campaign'")))
        for table in ("task_state_store", "xcom")
    }
    ledger, xcoms = (size[0] / runs / 1e6 for size in sizes.values())
    records = sizes["task_state_store"][1] // runs
    return Line(
        f"{title} with its defaults: MB left in Airflow's database",
        f"{ledger + xcoms:.1f}",
        f"at most {12 * rows / 1e6:g}",
        f"ledger {ledger:.1f} MB in {records} records, XComs {xcoms:.1f} MB",
    )


def ledger(airflow: AirflowStack, pairs: int, batches: int, batch_size: int) -> Line:
    """Compare wall times with and without a ledger."""
    size = {"batches": batches, "batch_size": batch_size}
    times: dict[str, list[float]] = {"without_ledger": [], "with_ledger": []}
    for pair in range(pairs):
        for dag_id, seconds in times.items():
            conf = {"run": f"{dag_id} {pair}", "conn_id": "p2psms_slow"} | size
            seconds.append(run(airflow, dag_id, conf)["seconds"])
    label = f"{batches} batches of {batch_size:,} at {LATENCY_S:.1f} s, ledger on: wall time without it"
    return compare(label, times["with_ledger"], times["without_ledger"], goal="at most 1.05")


def resume(airflow: AirflowStack, sandbox: Sandbox, batches: int, batch_size: int) -> Line:
    """Clear a send of which all batches but one were accepted."""
    sandbox.order_fault("refuse_422", after=batches - 1)
    conf = {"run": "resumed", "batches": batches, "batch_size": batch_size, "conn_id": "p2psms_default"}
    run_id = airflow.trigger("with_ledger", conf)
    airflow.wait(run_id, timeout_s=900)
    before = sandbox.send_requests
    airflow.clear("with_ledger", run_id, "send")
    airflow.wait_for("the cleared run", lambda: airflow.final_state(run_id) == "success", timeout_s=900)
    result = airflow.xcom(run_id, "send")
    done = result["already_accepted"] // batch_size
    return Line(
        f"{batches:,} batches of {batch_size:,}, {done:,} of them sent before: seconds to send the rest",
        f"{result['seconds']:.1f}",
        "at most 15",
        f"{sandbox.send_requests - before} request",
    )


def compare(label: str, ours: list[float], theirs: list[float], *, goal: str = "") -> Line:
    """Return the median of the ratios of times that were taken in turns."""
    ratios = (one / other for one, other in zip(ours, theirs, strict=True))
    return Line(
        label,
        f"{statistics.median(ratios):.3f}",
        goal,
        f"{statistics.median(ours):.2f} s to {statistics.median(theirs):.2f} s",
    )


def run(airflow: AirflowStack, dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Run a send to its success; return what it returned."""
    run_id = airflow.trigger(dag_id, conf)
    if airflow.wait(run_id, timeout_s=600) != "success":
        raise SystemExit(f"{dag_id} failed:\n{airflow.logs()}")
    result: dict[str, Any] = airflow.xcom(run_id, "send")
    return result
