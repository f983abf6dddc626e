"""
DAGs whose one task sends the rows of a CSV, named in the run's ``conf``; made to be killed in the middle.

One for each operator and size of batch: the smaller the batches, the longer the send.
"""

from datetime import timedelta

from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sending.times import Times

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

# How fast the reports may be asked is not what is tried here.
TIMES = Times(questions=10_000)

for name, operator in {"json": PeerToPeerSMSOperator, "file": PeerToPeerFileOperator}.items():
    operator._times = TIMES
    for batch_size in (25, 5, 1):
        with DAG(f"{name}_by_{batch_size}", schedule=None) as dag:
            operator(
                task_id="send",
                file="{{ dag_run.conf['file'] }}",
                batch_size=batch_size,
                max_in_flight=4,
                report_lag=2,
                # A loaded machine may end a few tries by itself: Airflow takes them for dead.
                retries=6,
                retry_delay=timedelta(seconds=1),
            )
        globals()[dag.dag_id] = dag
