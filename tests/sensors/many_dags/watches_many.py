"""A send of a thousand messages, each waited for by a task of its own, of which a pool lets one begin."""

import pendulum

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor

with DAG("watches_many", schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    send = PeerToPeerSMSOperator(
        task_id="send", messages=[("09120000001", f"text {number}") for number in range(1_000)]
    )

    @task
    def each_id(outbox_ids):
        return outbox_ids

    SMSDeliverySensor.partial(
        task_id="wait", until="delivered", poke_interval=10, deferrable=True, pool="one_waits"
    ).expand(message_outbox_ids=each_id(send.output["message_outbox_ids"]))
