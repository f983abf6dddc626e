"""The rows of a file by the operator with its defaults."""

from airflow.sdk import DAG

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

with DAG("campaign", schedule=None):
    PeerToPeerSMSOperator(
        task_id="send",
        file="{{ dag_run.conf.file }}",
        p2psms_conn_id="{{ dag_run.conf.get('conn_id', 'p2psms_fast') }}",
        max_in_flight="{{ dag_run.conf.get('max_in_flight', 4) }}",
        retries=0,
    )
