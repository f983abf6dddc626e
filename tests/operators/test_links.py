"""The link from a task to the outbox page of its first message."""

from urllib.parse import quote

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.links import OutboxLink
from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor

pytestmark = pytest.mark.airflow

ROWS = [("09120000001", "one"), ("09120000002", "two")]


def recorded(run, task_id):
    """Return what Airflow keeps as the address of a task's link."""
    [ti] = [ti for ti in run.get_task_instances() if ti.task_id == task_id]
    return ti.xcom_pull(task_ids=task_id, key="_link_OutboxLink")


@pytest.mark.parametrize("extra", [True, False])
def test_the_outbox_page_of_the_first_message(extra, run_dag, p2psms_sandbox: Sandbox, monkeypatch):
    """Send tasks and the sensor link to the page that the connection names; without one there is no link."""
    if extra:
        page = quote(f"{p2psms_sandbox.outbox_url}?outbox_id={{outbox_id}}", safe="")
        monkeypatch.setenv(
            "AIRFLOW_CONN_P2PSMS_DEFAULT", f"{p2psms_sandbox.connection_uri}&outbox_url={page}"
        )
    with DAG(f"links_{extra}", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        sent = PeerToPeerSMSOperator(task_id="send", messages=ROWS)
        PeerToPeerFileOperator(task_id="file", messages=[("09120000003", "three")])
        SMSDeliverySensor(
            task_id="wait", message_outbox_ids=sent.output["message_outbox_ids"], poke_interval=0.05
        )

    run = run_dag(dag)

    assert "success" == str(run.state)
    first = {message.text: message.outbox_id for message in p2psms_sandbox.arrived}["one"]
    address = f"{p2psms_sandbox.outbox_url}?outbox_id={first}" if extra else None
    assert [address, address] == [recorded(run, "send"), recorded(run, "wait")]
    assert bool(recorded(run, "file")) == extra


def test_airflow_knows_the_link():
    """The link is at each of the tasks that have messages."""
    for operator in (PeerToPeerSMSOperator, PeerToPeerFileOperator, SMSDeliverySensor):
        assert ["SMS outbox"] == [link.name for link in operator.operator_extra_links]
    assert "_link_OutboxLink" == getattr(OutboxLink(), "xcom_key", "_link_OutboxLink")


@pytest.mark.parametrize("url", ["panel.example.com/{outbox_id}", "javascript:alert(1)"])
def test_what_is_no_address_of_a_page(url, monkeypatch):
    """An outbox_url that no browser opens as a page is refused."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_P2PSMS_DEFAULT", f"p2psms://:TOKEN@edge.example.com/v1?outbox_url={quote(url, safe='')}"
    )

    with pytest.raises(ValueError, match="outbox_url is not the address of a page"):
        SMSHook().settings  # noqa: B018
