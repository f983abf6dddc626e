"""Two sends alike, one with its ledger in Airflow's state store, one that forgets; both return their time."""

import time
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

from airflow.sdk import DAG, Context

from airflow_provider_p2psms.ledger.stores import MemoryStore
from airflow_provider_p2psms.operators import ledger
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sending.ledgers import Place


class Timed(PeerToPeerSMSOperator):
    """Sends as many rows as the run's conf says; returns how long that took, and what it gave."""

    def execute(self, context: Context) -> dict[str, object]:
        """Send, timed."""
        conf = context["dag_run"].conf or {}
        self.batch_size, self.p2psms_conn_id = conf["batch_size"], conf["conn_id"]
        self.messages = _rows(conf["run"], conf["batches"] * conf["batch_size"])
        start = time.perf_counter()
        result = super().execute(context)
        return {"seconds": time.perf_counter() - start, **result}


class Forgetful(Timed):
    """The same without a ledger that outlives it."""

    def execute(self, context: Context) -> dict[str, object]:
        """Send, timed."""
        with mock.patch.object(ledger, "_places", return_value=[Place(MemoryStore())]):
            return super().execute(context)


def _rows(run: str, count: int) -> Iterator[tuple[str, str]]:
    return ((f"+98912{number:07d}", f"{run}: your order {number} has shipped") for number in range(count))


for name, operator in {"with_ledger": Timed, "without_ledger": Forgetful}.items():
    with DAG(name, schedule=None) as dag:
        operator(
            task_id="send",
            messages=[],
            max_in_flight=4,
            retries=0,
            retry_delay=timedelta(0),
        )
    globals()[name] = dag
