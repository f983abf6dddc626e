"""A send that is waited for in the triggerer, and one that is waited for in vain."""

import pendulum

from airflow_provider_p2psms.airflow_compat import DAG
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor

ROWS = [(f"0912000{number:04d}", f"text {number}") for number in range(1, 6)]
IN_VAIN_S = 20

for name, timeout in (("waits", 3600), ("waits_in_vain", IN_VAIN_S)):
    with DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False) as dag:
        send = PeerToPeerSMSOperator(task_id="send", messages=ROWS)
        SMSDeliverySensor(
            task_id="wait",
            message_outbox_ids=send.output["message_outbox_ids"],
            until="delivered",
            poke_interval=0.5,
            timeout=timeout,
            deferrable=True,
            retries=2,
        )
    globals()[name] = dag
