"""One message to the gateway, by our operator and by Airflow's own for HTTP."""

import json
import os

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

GROUP = {"recipients": ["+989121234567"], "message": "Your order has shipped"}

with DAG("one_message", schedule=None):
    PeerToPeerSMSOperator(task_id="send", messages=[GROUP], from_number="+983000505")

with DAG("one_message_by_http", schedule=None):
    HttpOperator(
        task_id="send",
        endpoint="/v1/api/send",
        headers={"Authorization": os.environ.get("BENCH_TOKEN", ""), "Content-Type": "application/json"},
        data=json.dumps({"sending_type": "peer_to_peer", "from_number": "+983000505", "params": [GROUP]}),
        response_filter=lambda response: response.json()["data"]["message_outbox_ids"],
    )
