"""One message to the gateway by our operator: its result in an XCom for each key, or in one."""

from airflow.sdk import DAG

from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator

GROUP = {"recipients": ["+989121234567"], "message": "Your order has shipped"}

with DAG("one_message", schedule=None):
    PeerToPeerSMSOperator(task_id="send", messages=[GROUP], from_number="+983000505")

with DAG("one_message_one_xcom", schedule=None):
    PeerToPeerSMSOperator(task_id="send", messages=[GROUP], from_number="+983000505", multiple_outputs=False)
