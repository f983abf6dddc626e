"""The failures that people see most, a task each; the test provides the connections and the file."""

import pendulum

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.notifications.sms import SMSNotifier
from airflow_provider_p2psms.operators.sms import CancelScheduledSMSOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor

LINE = "+983000505"
NAMES = ("Sara", "Omid", "Leila")
ROWS = [(f"0912000{number:04d}", f"Dear {name}, hello") for number, name in enumerate(NAMES, 1)]
# A number without its last digits, one that a spreadsheet has rounded, and no text.
BAD_ROWS = """name,recipient,message
Sara,09120000001,Hello
Omid,0912,Hello
Leila,9.12E+09,Hello
Reza,09120000004,
"""

with DAG(
    "orders",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 0},
) as dag:
    PeerToPeerSMSOperator(task_id="bad_rows", file="{{ var.value.data }}/customers.csv")
    PeerToPeerSMSOperator(task_id="no_file", file="{{ var.value.data }}/orders.csv")
    PeerToPeerSMSOperator(task_id="wrong_token", messages=ROWS, p2psms_conn_id="p2psms_wrong_token")
    PeerToPeerSMSOperator(task_id="refused", messages=ROWS, p2psms_conn_id="p2psms_refuses")
    PeerToPeerSMSOperator(task_id="unreachable", messages=ROWS, p2psms_conn_id="p2psms_unreachable")
    PeerToPeerSMSOperator(task_id="not_settled_yet", messages=ROWS, p2psms_conn_id="p2psms_loses_answers")
    PeerToPeerSMSOperator(
        task_id="for_a_person", messages=ROWS, on_in_doubt="fail", p2psms_conn_id="p2psms_loses_answers"
    )
    PeerToPeerSMSOperator(task_id="too_many_recipients", messages=ROWS, max_recipients=2)
    PeerToPeerSMSOperator(task_id="too_expensive", messages=ROWS, max_cost=1)
    PeerToPeerSMSOperator(task_id="past_send_time", messages=ROWS, send_time="2026-01-01T09:00:00+03:30")
    PeerToPeerSMSOperator(task_id="template", messages=ROWS, text="Dear {{ params.customer }}")
    PeerToPeerSMSOperator(task_id="no_connection", messages=ROWS, p2psms_conn_id="p2psms_nowhere")
    PeerToPeerSMSOperator(task_id="unknown_extra", messages=ROWS, p2psms_conn_id="p2psms_unknown_extra")
    rejected = PeerToPeerSMSOperator(task_id="send", messages=[(ROWS[0][0], "Win a prize [[reject]]")])
    ids = rejected.output["message_outbox_ids"]
    SMSDeliverySensor(task_id="rejected", message_outbox_ids=ids, poke_interval=0.5)
    CancelScheduledSMSOperator(task_id="too_late_to_cancel", message_outbox_ids=ids)

    @task(on_failure_callback=SMSNotifier(["09120000001"], p2psms_conn_id="p2psms_unreachable"))
    def alert() -> None:
        raise ValueError("the warehouse is closed")

    alert()
