"""Sends that are waited for in the triggerer: with success, and in vain."""

import datetime as dt
import json
import os
from pathlib import Path

import pendulum

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor

ROWS = [(f"0912000{number:04d}", f"text {number}") for number in range(1, 6)]
IN_VAIN_S = 20


def send_and_wait(messages, **limits):
    send = PeerToPeerSMSOperator(task_id="send", messages=messages)
    SMSDeliverySensor(
        task_id="wait",
        message_outbox_ids=send.output["message_outbox_ids"],
        until="delivered",
        **{"deferrable": True, "poke_interval": 0.5, **limits},
    )


for name, limits in (
    ("waits", {"timeout": 3600, "retries": 2}),
    ("waits_in_vain", {"timeout": IN_VAIN_S, "retries": 2}),
    ("waits_too_long", {"timeout": 3600, "execution_timeout": dt.timedelta(seconds=20), "retries": 0}),
):
    with DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False) as dag:
        send_and_wait(ROWS, **limits)
    globals()[name] = dag


with DAG("customers", schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False) as customers:

    @task(show_return_value_in_logs=False)
    def rows():
        return json.loads(Path(os.environ["CUSTOMERS"]).read_text("utf-8"))

    send_and_wait(rows(), timeout=3600)
