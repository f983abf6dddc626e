"""Sends say which DAG, run and task they come from, to a loopback gateway alone."""

from urllib.parse import quote

import pendulum
import pytest

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox
from tests.gateway.conftest import ScriptedGateway, answer, http
from tests.sandbox.conftest import Asker

ORIGIN = {"dag_id": "گزارش روز", "run_id": "manual__2026-01-01T00:00:00+00:00", "task_id": "send"}
ACCEPTED = http(200, b'{"data": {"message_outbox_ids": [5]}, "meta": {"status": true}}')


def send_through(base_url, **settings):
    """Send one message, and return the head of the request as it came."""
    gateway = ScriptedGateway(answer(ACCEPTED))
    try:
        filled = GatewaySettings(
            base_url=base_url.format(gateway.port),
            token="secret",
            **{name: value.format(gateway.port) for name, value in settings.items()},
        )
        with GatewayClient(filled, origin=ORIGIN) as client:
            client.send_peer_to_peer([Group(["+989120000001"], "the text")], from_number="+983000505")
    finally:
        gateway.close()
    return gateway.requests[0].partition(b"\r\n\r\n")[0].decode("ascii")


def test_a_loopback_gateway_learns_the_origin():
    """In ASCII, and nothing but the three ids."""
    head = send_through("http://127.0.0.1:{}/v1")

    [line] = [line for line in head.split("\r\n") if line.startswith("X-P2PSMS-Origin: ")]
    assert line.partition(": ")[2] == (
        f"dag_id={quote('گزارش')}+{quote('روز')}"
        "&run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00&task_id=send"
    )


def test_no_other_gateway_does():
    """One that is reached by a proxy, under a name of its own, gets the headers that it always got."""
    head = send_through("http://gateway.test/v1", proxy="http://127.0.0.1:{}")

    assert "http://gateway.test/v1/api/send" in head
    assert "origin" not in head.lower()
    assert "manual__" not in head


@pytest.mark.airflow
@pytest.mark.parametrize("operator", ["PeerToPeerSMSOperator", "PeerToPeerFileOperator"])
def test_the_messages_of_a_dag_are_found(operator, run_dag, p2psms_sandbox: Sandbox, asker: type[Asker]):
    """By DAG, run and task, after a run in Airflow."""
    from airflow_provider_p2psms.airflow_compat import DAG
    from airflow_provider_p2psms.operators import sms

    with DAG(f"origin_{operator}", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        for name in ("one", "two"):
            getattr(sms, operator)(task_id=name, messages=[("09120000001", f"text {name}")])
    run = run_dag(dag)
    ask = asker(p2psms_sandbox)
    ask.send("from elsewhere")

    def texts(**filters):
        query = "&".join(f"{name}={quote(value)}" for name, value in filters.items())
        return {each["text"] for each in ask("GET", f"/sandbox/messages?{query}").json["records"]}

    assert texts(dag=dag.dag_id) == {"text one", "text two"} == texts(run=run.run_id)
    assert texts(dag=dag.dag_id, task="two") == {"text two"}
    assert texts(dag="origin") == set()


@pytest.mark.parametrize("header", ["", "dag_id", "dag_id=%ff", "a=1&b=2&c=3&d=4", "dag_id=" + "x" * 1000])
def test_a_bad_header_is_no_origin(header, ask: Asker):
    """The send is taken; a name that is too long is cut."""
    body = {
        "sending_type": "peer_to_peer",
        "from_number": "+983000505",
        "params": [{"recipients": ["+989120000001"], "message": "a"}],
    }
    assert ask("POST", "/v1/api/send", body, X_P2PSMS_Origin=header).status == 200

    [record] = ask("GET", "/sandbox/messages").json["records"]
    assert record["dag_id"] == ("x" * 250 if "xxx" in header else None)
