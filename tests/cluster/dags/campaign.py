"""A campaign in shards on several workers: each is sent and waited for in the triggerer; a report adds up."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pendulum

from airflow_provider_p2psms.airflow_compat import Param, dag, task, task_group
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sending.times import Times
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor
from airflow_provider_p2psms.transfers.shards import shards

# How fast the reports may be asked is not what is tried here, and the gateway is on this machine.
PeerToPeerSMSOperator._times = Times(skew_s=1, poll_at_least_every_s=2, questions=10_000)


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"file": Param(""), "rows": Param(10_000)},
)
def campaign() -> None:
    @task_group
    def shard(file: Any) -> Any:
        sent = PeerToPeerSMSOperator(
            task_id="send",
            file=file,
            batch_size=250,
            max_in_flight=2,
            report_lag=10,
            list_ids_up_to=1_000,
            pool="sends",
            # While the API server is away, tries come and go.
            retries=30,
            retry_delay=dt.timedelta(seconds=2),
        )
        waited = SMSDeliverySensor(
            task_id="waited",
            message_outbox_ids=sent.output["message_outbox_ids"],
            until="sent",
            poke_interval=5,
            deferrable=True,
            retries=30,
            retry_delay=dt.timedelta(seconds=2),
        )
        return waited.output

    @task(retries=30, retry_delay=dt.timedelta(seconds=2))
    def report(counts: Any) -> dict[str, int]:
        total: Counter[str] = Counter()
        for each in counts:
            total.update(each)
        return dict(total)

    cut = shards("{{ params.file }}", rows="{{ params.rows }}")
    report(shard.expand(file=cut))


campaign()
