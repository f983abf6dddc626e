"""The rows of a file by the operator with its defaults."""

from airflow.sdk import DAG

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

with DAG("campaign", schedule=None):
    PeerToPeerSMSOperator(
        task_id="send", file="{{ dag_run.conf.file }}", p2psms_conn_id="p2psms_fast", retries=0
    )
