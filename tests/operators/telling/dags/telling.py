"""A send that is told of in every way: metrics, lineage, an asset; and a DAG that waits for that asset."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import Asset, Context, Param, dag, task

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

CAMPAIGN = Asset("p2psms://campaigns/telling")
START = pendulum.datetime(2026, 1, 1)


def write_lineage(context: Context) -> None:
    """Write down what Airflow's collector has when the task is over, as OpenLineage would read it."""
    lineage = get_hook_lineage_collector().collected_assets
    found: dict[str, Any] = {}
    for kind in ("inputs", "outputs"):
        assets = (getattr(each, "asset", None) or each.dataset for each in getattr(lineage, kind))
        found[kind] = sorted({asset.uri for asset in assets})
    Path(os.environ["P2PSMS_TEST_LINEAGE"]).write_text(json.dumps(found), encoding="utf-8")


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
        on_success_callback=write_lineage,
    )


@dag(schedule=[CAMPAIGN], start_date=START, catchup=False)
def hears() -> None:
    @task
    def hear() -> None:
        """Run because a campaign was sent."""

    hear()


tells()
hears()
