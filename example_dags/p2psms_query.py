"""
From a database to people in one task: a query's rows, each with its own text.

Needs a connection `shop` to any database that an SQL provider of Airflow knows (PostgreSQL, SQLite, …), with
a table `customers` (id, name, mobile, debt).
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import Param, dag
except ImportError:  # Airflow 2
    from airflow.decorators import dag
    from airflow.models.param import Param

from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    params={
        "least": Param(100_000, type="integer", title="Smallest debt to speak of, in toman"),
        "outcomes": Param("/tmp/p2psms_query_outcomes.csv", type="string"),  # noqa: S108 - an example's default
    },
    tags=["p2psms", "example"],
)
def p2psms_query() -> None:
    """Tell each customer what they owe, and write down what became of each text."""
    SQLToSMSOperator(
        task_id="tell",
        conn_id="shop",
        sql="SELECT id, name, mobile, debt FROM customers WHERE debt >= {{ params.least }}",
        recipient_column="mobile",
        key_column="id",
        text="{name} عزیز، مانده حساب شما {debt:,} تومان است.",
        from_number="+983000505",
        send_window=("09:00", "21:00", "Asia/Tehran"),
        on_invalid="skip",
        max_recipients=20_000,
        outcomes="{{ params.outcomes }}",
    )


p2psms_query()
