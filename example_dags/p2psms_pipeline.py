"""
The end of a pipeline: a task returns rows, each customer gets their own text, and the ids go on.

`make demo` runs this DAG. In your own, `orders` would be a query: any task whose result is a list of rows
will do, such as the output of an SQL operator.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pendulum

try:
    from airflow.sdk import Param, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models.param import Param

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={
        "orders": Param(str(Path(__file__).parent / "data/orders.csv"), type="string", title="CSV of orders"),
        "from_number": Param("+983000505", type="string", title="Sending line"),
    },
    tags=["p2psms", "example"],
)
def p2psms_pipeline() -> None:
    """Tell each customer that their order has shipped."""

    @task(show_return_value_in_logs=False)  # they are people's numbers
    def orders(params: dict[str, Any]) -> list[dict[str, str]]:
        """Return a row an order."""
        with Path(params["orders"]).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    notify = PeerToPeerSMSOperator(
        task_id="notify",
        messages=orders(),
        text="{name} عزیز، سفارش {order_id} به مبلغ {amount} تومان به {city} فرستاده شد.",
        recipient_column="mobile",
        from_number="{{ params.from_number }}",
    )

    # Airflow maps over whole results only, so a task hands on the one key whose ids are to be fanned out.
    @task
    def id_pages(outbox_ids: list[int], size: int = 500) -> list[list[int]]:
        """Return the ids in pages."""
        return [outbox_ids[start : start + size] for start in range(0, len(outbox_ids), size)]

    @task
    def store(page: list[int]) -> int:
        """Stand in for what your pipeline does with the ids: write them beside the orders, say."""
        return len(page)

    store.expand(page=id_pages(notify.output["message_outbox_ids"]))


p2psms_pipeline()
