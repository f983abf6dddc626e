"""
`make cluster-load`: how fast a campaign leaves with 1, 2 and 4 sends at once, and what it costs Airflow.

An Airflow pool sets how many sends run at once. Throughput is from the start of the first send to the end of
the last. Requests are counted in the logs of the API server and of the object storage. Lag is from the moment
when the scheduler has found that a task can start until it hands the task to Celery, of the tasks that wait
for no pool. The table stands in docs/cluster.md; ``--write`` puts it there.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.cluster.campaign import BATCH, start_campaign
from tests.cluster.cluster import LEDGERS, Cluster, missing, run_cluster

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
TABLE = re.compile(r"(?<=<!-- load -->\n).*?(?=<!-- end of load -->)", re.DOTALL)
HEAD = (
    "| sends at once | messages a second | requests to the API server a batch | ledger writes a batch |"
    " ledger objects a batch | scheduler lag, median | longest |\n|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True, slots=True)
class Load:
    """What one campaign took."""

    sends: int
    messages_per_s: float
    api_requests: float
    ledger_writes: float
    ledger_objects: float
    lags_s: list[float]

    def line(self) -> str:
        """Return its line of the table."""
        costs = (self.api_requests, self.ledger_writes, self.ledger_objects)
        lags = (median(self.lags_s), max(self.lags_s))
        cells = [f"{self.sends}", f"{self.messages_per_s:,.0f}", *(f"{each:.1f}" for each in costs)]
        return f"| {' | '.join([*cells, *(f'{each:.1f} s' for each in lags)])} |\n"


class Meter:
    """Counts since it was made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._before = self._counts()

    def _counts(self) -> tuple[int, int, int]:
        api = (self._cluster.airflow.home / "api-server.log").read_text(encoding="utf-8")
        storage = self._cluster.storage.log.read_text(encoding="utf-8")
        writes = storage.count(f'"PUT /{LEDGERS}/')
        return api.count(" path=/execution/"), writes, self._cluster.storage.count_objects(LEDGERS)

    def read(self) -> list[int]:
        """Return requests to the API server, writes of the ledger and its objects."""
        return [now - before for now, before in zip(self._counts(), self._before, strict=True)]


def measure(cluster: Cluster, *, sends: int, rows: int) -> Load:
    """Run one campaign of so many rows."""
    cluster.set_sends(sends)
    meter = Meter(cluster)
    run, _ = start_campaign(cluster, f"load-{sends}", rows)
    if cluster.airflow.wait(run, timeout_s=1800) != "success":
        raise cluster.airflow.error(f"The campaign with {sends} sends at once failed.")
    api_requests, ledger_writes, ledger_objects = (count * BATCH / rows for count in meter.read())
    seconds = "SELECT extract(epoch FROM max(end_date) - min(start_date)) AS s FROM task_instance"
    sent = cluster.airflow.sql(f"{seconds} WHERE run_id = :run AND task_id = 'shard.send'", run=run)
    lag = "SELECT extract(epoch FROM queued_dttm - scheduled_dttm) AS s FROM task_instance"
    lags = cluster.airflow.sql(f"{lag} WHERE run_id = :run AND task_id <> 'shard.send'", run=run)
    return Load(
        sends=sends,
        messages_per_s=rows / float(sent[0].s),
        api_requests=api_requests,
        ledger_writes=ledger_writes,
        ledger_objects=ledger_objects,
        lags_s=[float(row.s) for row in lags],
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/cluster.md")
    options = parser.parse_args()
    if lack := missing():
        print(f"The cluster {lack}.")  # noqa: T201 - this is a script
        return 1
    table = HEAD
    with run_cluster() as cluster:
        for sends in (1, 2, 4):
            table += measure(cluster, sends=sends, rows=options.rows).line()
            print(table, flush=True)  # noqa: T201
    if options.write:
        PAGE.write_text(TABLE.sub(f"{table}\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
