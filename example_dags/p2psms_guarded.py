"""A campaign that cannot run away: guards on people and money, its cost booked, and other DAGs told of it."""

from __future__ import annotations

from pathlib import Path

import pendulum

try:
    from airflow.sdk import Asset, Param, dag, task
except ImportError:  # Airflow 2
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import dag, task
    from airflow.models.param import Param

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

# A DAG with `schedule=[CAMPAIGN_SENT]` runs each time that a campaign went out.
CAMPAIGN_SENT = Asset("p2psms://campaigns/shipped")


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={
        "orders": Param(str(Path(__file__).parent / "data/orders.csv"), type="string", title="CSV of orders")
    },
    tags=["p2psms", "example"],
)
def p2psms_guarded() -> None:
    """Send a campaign within its limits, and book what it cost."""
    sent = PeerToPeerSMSOperator(
        task_id="send",
        file="{{ params.orders }}",
        recipient_column="mobile",
        text="{name} عزیز، سفارش {order_id} فرستاده شد.",
        from_number="+983000505",
        # A wrong join multiplies rows; a wrong column makes texts long. Above these nothing is sent.
        max_recipients=5_000,
        max_parts=10_000,
        # In rial. Also asks whether the account's credit covers the send.
        max_cost=25_000_000,
        # Its cost and its parts are handed on below, each as an XCom of its own.
        multiple_outputs=True,
        outlets=[CAMPAIGN_SENT],
    )

    @task
    def book(cost: int, parts: int) -> str:
        """Stand in for your books."""
        return f"{parts:,} parts, about {cost:,} rial"

    book(sent.output["cost"], sent.output["parts"])


p2psms_guarded()
