"""Money, staging, pace and what a send announces, in real Airflow."""

import contextlib
import datetime as dt
import json
import logging
import os
import sqlite3
import time

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, Asset
from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox

pytestmark = pytest.mark.airflow

OPERATORS = [PeerToPeerSMSOperator, PeerToPeerFileOperator]
DESK = "+989350000000"
TEXT = "Dear {name}"
ROWS = [{"recipient": f"0912000000{place}", "name": f"n{place}"} for place in range(1, 6)]
MCI, OTHER = 2370, 2503  # rial, in the sandbox


@pytest.fixture
def dag(request):
    """An empty DAG of this test's own."""
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1))


@pytest.fixture
def send(dag, run_dag):
    """Run one task of an operator; give its state and its result."""

    def send(operator, **options):
        operator(task_id="send", dag=dag, from_number="+983000505", **{"text": TEXT, **options})
        if hasattr(dag, "sync_to_db"):  # Airflow 2 has an event for what a parsed DAG told it of
            dag.sync_to_db()
        [ti] = run_dag(dag).get_task_instances()
        return str(ti.state), ti.xcom_pull(task_ids="send")

    return send


@pytest.fixture
def connection(p2psms_sandbox: Sandbox, monkeypatch):
    """Give the connection some extras."""

    def connection(**extras):
        fields = {
            "conn_type": "p2psms",
            "host": p2psms_sandbox.base_url,
            "password": p2psms_sandbox.token,
            "extra": extras,
        }
        monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", json.dumps(fields))

    return connection


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_cost_is_in_the_result(operator, send, p2psms_sandbox: Sandbox):
    """With `max_cost` the result has the estimate, asked of the gateway before the send."""
    state, result = send(operator, messages=ROWS, max_cost=5 * OTHER)

    assert ("success", 5 * MCI) == (state, result["cost"])
    kinds = [request.kind for request in p2psms_sandbox.requests]
    assert ["send/calculate-price", "payment/credit/mine"] == kinds[:2]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("max_cost", "credit"), [(5 * OTHER - 1, 1e9), (1e9, 5 * OTHER - 1)])
def test_too_dear_sends_nothing(operator, max_cost, credit, send, p2psms_sandbox: Sandbox):
    """Above the guard or the credit the task fails for good, without a retry and without a send."""
    p2psms_sandbox.credit = credit

    state, _ = send(operator, messages=ROWS, max_cost=max_cost, retries=2, retry_delay=dt.timedelta(0))

    assert "failed" == state
    assert 0 == p2psms_sandbox.send_requests
    assert 1 == [request.kind for request in p2psms_sandbox.requests].count("send/calculate-price")


@pytest.mark.parametrize("operator", OPERATORS)
def test_allowed_recipients(operator, send, connection, p2psms_sandbox: Sandbox):
    """A connection that allows one number, however it is written, lets no other text out and counts them."""
    connection(allowed_recipients=["۰۹۱۲ ۰۰۰ ۰۰۰۲"])

    _, result = send(operator, messages=ROWS)

    assert (1, 4) == (result["accepted"], result["held_back"])
    assert ["+989120000002"] == [message.recipient for message in p2psms_sandbox.arrived]


@pytest.mark.parametrize("operator", OPERATORS)
def test_redirect_to(operator, send, connection, p2psms_sandbox: Sandbox):
    """Each text of its own goes to the one number, and is counted."""
    connection(redirect_to="0935 000 0000")

    _, result = send(operator, messages=ROWS)

    assert (5, 5, 0) == (result["accepted"], result["redirected"], result["duplicates"])
    assert [(DESK, TEXT.format(**row)) for row in ROWS] == [
        (message.recipient, message.text) for message in p2psms_sandbox.arrived
    ]


@pytest.mark.parametrize("operator", OPERATORS)
def test_redirect_to_gets_the_same_text_once(operator, send, connection, p2psms_sandbox: Sandbox):
    """What would be one text for five people is one text for that number."""
    connection(redirect_to=DESK)

    _, result = send(operator, messages=ROWS, text="The same for all")

    assert (1, 1, 4) == (result["accepted"], result["redirected"], result["duplicates"])
    assert ["The same for all"] == p2psms_sandbox.texts_arrived


def test_staging_is_loud(send, connection, capfd, caplog):
    """The task's log warns of it, without the number."""
    connection(redirect_to=DESK)

    with caplog.at_level(logging.WARNING):
        send(PeerToPeerSMSOperator, messages=ROWS)

    told = caplog.text + "".join(capfd.readouterr())
    assert "STAGING: 5 texts go to redirect_to" in told
    assert DESK.removeprefix("+98") not in told


@pytest.mark.sampled(2)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("by_connection", "by_operator"), [(2, None), (1_000, 2), (None, 2)])
def test_the_pace(by_connection, by_operator, operator, send, connection, p2psms_sandbox: Sandbox):
    """The connection's pace holds for its tasks, and the operator's own goes before it."""
    connection(requests_per_second=by_connection)
    start = time.monotonic()

    _, result = send(operator, messages=ROWS, batch_size=1, requests_per_second=by_operator)

    assert (5, 5) == (result["accepted"], p2psms_sandbox.send_requests)
    assert time.monotonic() - start >= 4 / 2


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_task_may_be_faster_than_its_connection(operator, send, connection):
    """The operator's pace goes before a slower one, too: this would take hours."""
    connection(requests_per_second=0.001)

    assert "success" == send(operator, messages=ROWS, batch_size=1, requests_per_second=1_000)[0]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("max_parts", "events"), [(5, 1), (4, 0)])
def test_outlets_tell_of_a_send(operator, max_parts, events, dag, send, p2psms_sandbox: Sandbox):
    """An asset among the plain `outlets` has an event once the send has succeeded, and none if it failed."""
    uri = f"p2psms://campaigns/{dag.dag_id}"

    send(operator, messages=ROWS, max_parts=max_parts, outlets=[Asset(uri)])

    assert events == count_events(uri)


def count_events(uri: str) -> int:
    """Count the events of an asset in Airflow's database; Airflow 2 calls it a dataset."""
    file = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file)) as database:
        tables = {name for [name] in database.execute("SELECT name FROM sqlite_master")}
        thing = "asset" if "asset_event" in tables else "dataset"
        query = f"SELECT count(*) FROM {thing}_event e JOIN {thing} a ON a.id = e.{thing}_id WHERE a.uri = ?"
        [[count]] = database.execute(query, [uri])
    return int(count)
