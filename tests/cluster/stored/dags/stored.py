"""A send whose ids are waited for by a sensor, and counted by a task of the user's own."""

from __future__ import annotations

from typing import Any

import pendulum

from airflow_provider_p2psms.airflow_compat import Param, dag, task
from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False, params={"file": Param("")})
def stored() -> None:
    sent = PeerToPeerSMSOperator(task_id="send", file="{{ params.file }}")
    SMSDeliverySensor(
        task_id="waited",
        message_outbox_ids=sent.output["message_outbox_ids"],
        until="sent",
        poke_interval=1,
        deferrable=True,
    )

    @task
    def count(outbox_ids: Any) -> int:
        return len(parse_outbox_ids(outbox_ids))

    count(sent.output["message_outbox_ids"])


stored()
