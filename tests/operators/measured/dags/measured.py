"""A send that is told of in every way: metrics, lineage, an asset; and a DAG that waits for that asset."""

from __future__ import annotations

import datetime as dt

import pendulum

from airflow_provider_p2psms.airflow_compat import Asset, Param, dag, task
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

CAMPAIGN = Asset("p2psms://campaigns/measured")
START = pendulum.datetime(2026, 1, 1)


@dag(
    schedule=None, start_date=START, catchup=False, params={name: Param("") for name in ("file", "outcomes")}
)
def tells() -> None:
    PeerToPeerSMSOperator(
        task_id="send",
        file="{{ params.file }}",
        outcomes="{{ params.outcomes }}",
        on_invalid="skip",
        batch_size=2,
        max_in_flight=1,
        retries=0,
        retry_delay=dt.timedelta(0),
        outlets=[CAMPAIGN],
    )


@dag(schedule=[CAMPAIGN], start_date=START, catchup=False)
def hears() -> None:
    @task
    def hear() -> None:
        """Run because a campaign was sent."""

    hear()


tells()
hears()
