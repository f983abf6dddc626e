"""One message to the gateway by our operator."""

from airflow.sdk import DAG

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

GROUP = {"recipients": ["+989121234567"], "message": "Your order has shipped"}

with DAG("one_message", schedule=None):
    PeerToPeerSMSOperator(task_id="send", messages=[GROUP], from_number="+983000505")
