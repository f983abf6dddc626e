"""A function finds who is to be told what, and its task sends it: no XCom, no list in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pendulum

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


@dag(
    schedule="0 10 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Tehran"),
    catchup=False,
    tags=["p2psms", "example"],
)
def p2psms_function() -> None:
    """Remind of invoices that are due, city by city."""

    @task.p2psms(
        text="{name} عزیز، صورتحساب {invoice} به مبلغ {amount:,} تومان فردا سررسید می‌شود.",
        recipient_column="mobile",
        from_number="+983000505",
        send_window=("09:00", "21:00", "Asia/Tehran"),
        on_empty="succeed",
    )
    def remind(city: str) -> Iterator[dict[str, Any]]:
        """Stand in for what finds a city's invoices: an API, a file, a model."""
        due = [
            {
                "mobile": "0912 000 0031",
                "name": "سارا",
                "invoice": 501,
                "amount": 1_250_000,
                "city": "Tehran",
            },
            {"mobile": "0935 000 0032", "name": "امید", "invoice": 502, "amount": 840_000, "city": "Tehran"},
            {"mobile": "0913 000 0033", "name": "نگار", "invoice": 503, "amount": 96_000, "city": "Isfahan"},
        ]
        yield from (row for row in due if row["city"] == city)

    # Each city is a send of its own, with its own ledger and its own result.
    remind.expand(city=["Tehran", "Isfahan", "Shiraz"])


p2psms_function()
