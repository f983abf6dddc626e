"""A campaign from a CSV that marketing exported: uploaded as files, bad rows skipped, outcomes kept."""

from __future__ import annotations

from pathlib import Path

import pendulum

try:
    from airflow.sdk import Param, dag
except ImportError:  # Airflow 2
    from airflow.decorators import dag
    from airflow.models.param import Param

from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={
        "customers": Param(
            str(Path(__file__).parent / "data/customers.csv"),
            type="string",
            title="CSV or XLSX of customers",
            description="A local path, or any object storage: s3://conn_id@bucket/customers.csv",
        ),
        "outcomes": Param("/tmp/p2psms_campaign_outcomes.csv", type="string"),  # noqa: S108 - an example's default
    },
    tags=["p2psms", "example"],
)
def p2psms_campaign() -> None:
    """Send a campaign, and write down what became of each customer's row."""
    PeerToPeerFileOperator(
        task_id="send",
        file="{{ params.customers }}",
        recipient_column="mobile",
        message_column="text",
        key_column="customer_id",
        from_number="+983000505",
        send_window=("09:00", "20:00", "Asia/Tehran"),
        on_invalid="skip",
        max_recipients=50_000,
        outcomes="{{ params.outcomes }}",
    )


p2psms_campaign()
