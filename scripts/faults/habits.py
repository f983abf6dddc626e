"""Makes one figure of the second table: a request is lost on a gateway whose reports have a habit."""

import os
import tempfile
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from unittest import mock

from airflow_provider_p2psms.airflow_compat import AirflowException, AirflowFailException
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from scripts.faults.conditions import REPORT_LAG_S
from scripts.faults.habit_rows import EARLIER, LATER, LOST, HabitColumn, HabitRow
from scripts.faults.in_airflow import may_have_been_sent
from scripts.faults.measure import Figure, Message, figure
from scripts.faults.ours import TIMES, connection_of
from scripts.faults.traffic import traffic

RETRIES = 1


class _Operator(PeerToPeerSMSOperator):
    _times = TIMES


def measure_habit(row: HabitRow, column: HabitColumn, *, lost: tuple[Message, ...] = LOST) -> Figure:
    """Lose the second of three batches on a gateway whose reports have the habit."""
    habits = {"report_lag_s": REPORT_LAG_S, **row.habits}
    with (
        Sandbox(duplicate_window_s=0, **habits) as sandbox,
        tempfile.TemporaryDirectory(prefix="p2psms-fault-table-") as ledger,
        mock.patch.dict(
            os.environ,
            AIRFLOW__P2PSMS__LEDGER_PATH=ledger,
            AIRFLOW_CONN_P2PSMS_DEFAULT=connection_of(sandbox),
        ),
    ):
        sandbox.order_fault(column.fault, after=1)
        with traffic(sandbox, text=column.text) if column.text else nullcontext():
            told = _run(lost, report_lag=column.report_lag)
        return figure(sandbox, lost, told, beside=(*EARLIER, *LATER))


def _run(lost: tuple[Message, ...], *, report_lag: float | None) -> str:
    """Execute the operator as Airflow's task runner does, with one retry; return as ``run_task`` does."""
    for attempt in range(1, RETRIES + 2):
        operator = _Operator(
            task_id="send",
            messages=(*EARLIER, *lost, *LATER),
            batch_size=len(lost),
            max_in_flight=1,
            report_lag=report_lag,
            retries=RETRIES,
        )
        try:
            operator.execute(_context(attempt))
        except AirflowException as err:
            failure = err
            if isinstance(err, AirflowFailException):
                break
        else:
            return "ok" if attempt == 1 else "retried"
    return "in doubt" if may_have_been_sent(failure) else "failed"


def _context(attempt: int) -> Any:
    ti = SimpleNamespace(
        dag_id="habits",
        run_id="once",
        task_id="send",
        map_index=-1,
        try_number=attempt,
        max_tries=RETRIES,
        xcom_push=lambda **_: None,
    )
    return {"ti": ti}
