"""
What the ledger costs in a real Airflow, and how long it takes to find out that nearly all was sent.

1. Two sends alike, in turns, to a gateway that answers in 200 ms: one with its ledger in Airflow's task state
   store, one that forgets. The ratio of their wall times is the ledger's price.
2. A send whose last batch was refused, cleared: how long until that one batch is sent.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack

DAGS = Path(__file__).parent / "dags"
LATENCY_S = 0.2


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--short", action="store_true", help="small figures: shows that it runs")
    short = parser.parse_args().short
    pairs, batches, batch_size = (1, 12, 100) if short else (5, 60, 1_000)
    resumed, resumed_size = (40, 50) if short else (1_000, 1_000)
    with tempfile.TemporaryDirectory() as folder, Sandbox(database=Path(folder) / "outbox.sqlite") as sandbox:
        sandbox.duplicate_window_s = 0
        env = {"AIRFLOW_CONN_P2PSMS_DEFAULT": sandbox.connection_uri}
        with AirflowStack(DAGS, env=env) as airflow:
            print(
                f"Airflow {airflow}; {batches} batches of {batch_size:,}, 4 in flight, {LATENCY_S:.1f} s each"
            )
            measure_cost(airflow, sandbox, pairs, batches, batch_size)
            measure_resume(airflow, sandbox, resumed, resumed_size)
    return 0


def measure_cost(airflow: AirflowStack, sandbox: Sandbox, pairs: int, batches: int, batch_size: int) -> None:
    """Print the ratio of wall times with and without a ledger."""
    sandbox.latency_s = LATENCY_S
    ratios = []
    for pair in range(pairs):
        seconds = {}
        for dag_id in ("without_ledger", "with_ledger"):
            conf = {"run": f"{dag_id} {pair}", "batches": batches, "batch_size": batch_size}
            seconds[dag_id] = run(airflow, dag_id, conf)["seconds"]
        ratios.append(seconds["with_ledger"] / seconds["without_ledger"])
        print(f"  without {seconds['without_ledger']:.2f} s, with {seconds['with_ledger']:.2f} s")
    print(
        f"ledger: {statistics.median(ratios):.3f} of the wall time without (median of {pairs}; at most 1.05)"
    )


def measure_resume(airflow: AirflowStack, sandbox: Sandbox, batches: int, batch_size: int) -> None:
    """Print how long a cleared send takes of which all batches but one were accepted."""
    sandbox.latency_s = 0.0
    sandbox.order_fault("refuse_422", after=batches - 1)
    conf = {"run": "resumed", "batches": batches, "batch_size": batch_size}
    run_id = airflow.trigger("with_ledger", conf)
    airflow.wait(run_id, timeout_s=900)
    before = sandbox.send_requests
    airflow.clear("with_ledger", run_id, "send")
    airflow.wait_for("the cleared run", lambda: airflow.final_state(run_id) == "success", timeout_s=900)
    result = airflow.xcom(run_id, "send")
    print(
        f"resume: {result['seconds']:.1f} s and {sandbox.send_requests - before} request for {batches:,} "
        f"batches of {batch_size:,} of which {result['already_accepted'] // batch_size:,} were accepted "
        "(at most 15 s)"
    )


def run(airflow: AirflowStack, dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Run a send to its success; return what it returned."""
    run_id = airflow.trigger(dag_id, conf)
    if airflow.wait(run_id, timeout_s=600) != "success":
        raise SystemExit(f"{dag_id} failed:\n{airflow.logs()}")
    result: dict[str, Any] = airflow.xcom(run_id, "send")
    return result


if __name__ == "__main__":
    sys.exit(main())
