"""A daily send that missed its latest four days, which Airflow makes up for."""

import pendulum

from airflow_provider_p2psms.airflow_compat import DAG
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

TODAY = pendulum.today("UTC")

with DAG(
    "missed",
    schedule="@daily",
    start_date=TODAY.subtract(days=4),
    catchup=True,
    max_active_runs=1,
    is_paused_upon_creation=True,
) as dag:
    PeerToPeerSMSOperator(
        task_id="send",
        messages=[("09120000001", "hello")],
    )
