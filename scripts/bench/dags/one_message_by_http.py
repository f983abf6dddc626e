"""The same message by Airflow's own operator for HTTP; a file of its own, as whoever uses it has."""

import json
import os

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

GROUP = {"recipients": ["+989121234567"], "message": "Your order has shipped"}

with DAG("one_message_by_http", schedule=None):
    HttpOperator(
        task_id="send",
        endpoint="/v1/api/send",
        headers={"Authorization": os.environ.get("BENCH_TOKEN", ""), "Content-Type": "application/json"},
        data=json.dumps({"sending_type": "peer_to_peer", "from_number": "+983000505", "params": [GROUP]}),
        response_filter=lambda response: response.json()["data"]["message_outbox_ids"],
    )
