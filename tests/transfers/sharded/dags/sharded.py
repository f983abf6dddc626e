"""A campaign in shards: each is sent, and waited for in the triggerer; a report adds up all of them."""

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
PeerToPeerSMSOperator._times = Times(linger_s=10, skew_s=1, poll_at_least_every_s=2, questions=10_000)


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False, params={"file": Param("")})
def sharded() -> None:
    @task_group
    def shard(file: Any) -> Any:
        sent = PeerToPeerSMSOperator(
            task_id="send",
            file=file,
            batch_size=10,
            max_in_flight=2,
            report_lag=2,
            retries=6,
            retry_delay=dt.timedelta(seconds=1),
        )
        waited = SMSDeliverySensor(
            task_id="waited",
            message_outbox_ids=sent.output["message_outbox_ids"],
            until="sent",
            poke_interval=1,
            deferrable=True,
        )
        return waited.output

    @task
    def report(counts: Any) -> dict[str, int]:
        total: Counter[str] = Counter()
        for each in counts:
            total.update(each)
        return dict(total)

    report(shard.expand(file=shards("{{ params.file }}", rows=180)))


sharded()
