"""
A campaign of a million each day: cut into shards of 100,000 rows, with a send and a sensor for each.

The pool is the pace of all shards together: two send at once, each at 10 requests a second. Make it once with
`airflow pools set p2psms 2 "Sends of SMS at once"`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pendulum

try:
    from airflow.sdk import Param, dag, task, task_group
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task, task_group
    from airflow.models.param import Param

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor
from airflow_provider_p2psms.transfers.shards import shards


@dag(
    schedule="0 9 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={
        "customers": Param(
            str(Path(__file__).parent / "data/orders.csv"),
            type="string",
            title="CSV or XLSX of customers",
            description="A path that all workers see, or any object storage: s3://conn_id@bucket/customers.csv",
        ),
        "rows": Param(100_000, type="integer", minimum=1, title="Rows of a shard"),
    },
    tags=["p2psms", "example"],
)
def p2psms_shards() -> None:
    """Send a large campaign in shards, and report on all of them."""

    @task_group
    def shard(file: Any) -> Any:
        """Send one shard, and wait in the triggerer until the operators have it."""
        send = PeerToPeerSMSOperator(
            task_id="send",
            file=file,
            text="{name} عزیز، سفارش {order_id} به {city} رسید.",
            recipient_column="mobile",
            from_number="+983000505",
            requests_per_second=10,
            pool="p2psms",
            retries=3,
        )
        delivered = SMSDeliverySensor(
            task_id="delivered",
            message_outbox_ids=send.output["message_outbox_ids"],
            # Delivery is asked for text by text, which takes days for a million.
            until="sent",
            on_failed="continue",
            poke_interval=300,
            timeout=24 * 3600,
            deferrable=True,
        )
        return delivered.output

    @task
    def report(counts: Any) -> dict[str, int]:
        """Add up what became of all shards."""
        total: Counter[str] = Counter()
        for each in counts:
            total.update(each)
        return dict(total)

    report(shard.expand(file=shards("{{ params.customers }}", rows="{{ params.rows }}")))


p2psms_shards()
