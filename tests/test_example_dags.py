"""The example DAGs, each run whole against the sandbox."""

import csv
import importlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pendulum
import pytest

import example_dags
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.pricing import count_parts, price_of
from tests.conftest import AIRFLOW_VERSION

pytestmark = pytest.mark.airflow

HERE = Path(example_dags.__file__).parent
EXAMPLES = sorted(file.stem for file in HERE.glob("p2psms_*.py"))


def example(name: str) -> Any:
    """Return the one DAG of an example's file, parsed anew."""
    module = importlib.reload(importlib.import_module(f"example_dags.{name}"))
    return getattr(module, name)()


class Examples:
    """Runs an example; gives the states of its tasks, and keeps the tasks."""

    def __init__(self, run_dag: Callable[..., Any]) -> None:
        self.tasks: dict[str, Any] = {}
        self._run_dag = run_dag

    def __call__(self, name: str, *, logical_date: Any = None, **conf: object) -> Counter[str]:
        run = self._run_dag(example(name), logical_date=logical_date, run_conf=conf)
        tasks = run.get_task_instances()
        self.tasks = {ti.task_id: ti for ti in tasks}
        return Counter(f"{ti.task_id} {ti.state}" for ti in tasks)


@pytest.fixture
def run(run_dag: Callable[..., Any]) -> Examples:
    return Examples(run_dag)


def test_each_example_has_a_test():
    """No example is left unrun."""
    assert [
        "p2psms_alerts",
        "p2psms_campaign",
        "p2psms_cancel",
        "p2psms_delivery",
        "p2psms_function",
        "p2psms_guarded",
        "p2psms_pipeline",
        "p2psms_query",
        "p2psms_reminder",
        "p2psms_shards",
    ] == EXAMPLES


def test_the_pipeline_tells_each_customer(run: Examples, p2psms_sandbox: Sandbox):
    """Each of the orders' customers gets their own text once, and the ids are fanned out."""
    states = run("p2psms_pipeline")

    orders = list(csv.DictReader((HERE / "data/orders.csv").open(encoding="utf-8")))
    assert len(orders) >= 1_000
    assert {"orders success": 1, "notify success": 1, "id_pages success": 1, "store success": 3} == states
    assert len(orders) == len(set(p2psms_sandbox.texts_arrived)) == len(p2psms_sandbox.arrived)
    texts = {message.recipient: message.text for message in p2psms_sandbox.arrived}
    for order in orders:
        text = texts[f"+98{order['mobile'].replace(' ', '')[-10:]}"]
        assert all(order[column] in text for column in ("name", "order_id", "amount", "city"))


def test_the_reminder_waits_for_the_morning(run: Examples, p2psms_sandbox: Sandbox):
    """Appointments are reminded of at eight in Tehran."""
    assert {"appointments success": 1, "remind success": 1} == run(
        "p2psms_reminder", logical_date=pendulum.now("Asia/Tehran").add(days=1).at(20, 1)
    )

    assert {"04:30:00"} == {str(message.send_time).split()[1] for message in p2psms_sandbox.arrived}
    assert {"+989120000011", "+989350000012"} == {message.recipient for message in p2psms_sandbox.arrived}


@pytest.mark.skipif(AIRFLOW_VERSION.startswith("2."), reason="each run of Airflow 2 has a date")
def test_the_reminder_by_hand(run: Examples, p2psms_sandbox: Sandbox):
    """A run without a date reminds the next morning, too."""
    assert {"appointments success": 1, "remind success": 1} == run("p2psms_reminder")

    tomorrow = pendulum.now("Asia/Tehran").add(days=1).at(8).in_timezone("UTC")
    assert {tomorrow.format("YYYY-MM-DD HH:mm:ss")} == {
        message.send_time for message in p2psms_sandbox.arrived
    }


def test_the_campaign_keeps_outcomes(run: Examples, p2psms_sandbox: Sandbox, tmp_path):
    """Good rows are uploaded, a damaged number and a repeated text are not, and each row is told of."""
    outcomes = tmp_path / "outcomes.csv"

    assert {"send success": 1} == run("p2psms_campaign", outcomes=str(outcomes))

    assert {
        "C-101": "accepted",
        "C-102": "accepted",
        "C-103": "accepted",
        "C-104": "invalid",
        "C-105": "duplicate",
    } == {row["key"]: row["outcome"] for row in csv.DictReader(outcomes.open(encoding="utf-8"))}
    assert 3 == len(p2psms_sandbox.arrived)


def test_the_guarded_campaign_books_its_cost(run: Examples, p2psms_sandbox: Sandbox):
    """The estimate is what the gateway charges for what arrived."""
    assert {"send success": 1, "book success": 1} == run("p2psms_guarded")

    orders = list(csv.DictReader((HERE / "data/orders.csv").open(encoding="utf-8")))
    assert len(orders) == len(p2psms_sandbox.arrived)
    charged = sum(price_of(each.recipient, parts=count_parts(each.text)) for each in p2psms_sandbox.arrived)
    booked = run.tasks["book"].xcom_pull(task_ids="book")
    assert f"{len(orders):,} parts, about {charged:,} rial" == booked


def test_the_guarded_campaign_keeps_within_the_credit(run: Examples, p2psms_sandbox: Sandbox):
    """An account that cannot pay for all of it sends nothing."""
    p2psms_sandbox.credit = 1_000_000

    assert "send failed" in run("p2psms_guarded")
    assert 0 == p2psms_sandbox.send_requests


@pytest.mark.parametrize("orders", [120, 0])
def test_the_alerts_tell_who_is_to_know(
    orders, run: Examples, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
):
    """A failure is told to whoever is on call, a success to the team."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))

    states = run("p2psms_alerts", orders=orders)

    told = {(message.recipient, message.text.partition(",")[0]) for message in p2psms_sandbox.arrived}
    if orders:
        assert {"count_orders success": 1, "publish success": 1} == states
        assert {("+989120000023", "120 سفارش دیروز شمرده شد.")} == told
    else:
        assert {"count_orders failed": 1, "publish upstream_failed": 1} == states
        text = "Airflow: p2psms_alerts.count_orders failed"
        assert {("+989120000021", text), ("+989350000022", text)} == told


def test_the_function_reminds_city_by_city(run: Examples, p2psms_sandbox: Sandbox):
    """Each city's rows are sent by a task of their own; a city without any is no failure."""
    assert {"remind success": 3} == run("p2psms_function")

    arrived = {message.recipient: message.text for message in p2psms_sandbox.arrived}
    assert {"+989120000031", "+989350000032", "+989130000033"} == set(arrived)
    assert "سارا عزیز، صورتحساب 501 به مبلغ 1,250,000 تومان فردا سررسید می‌شود." == arrived["+989120000031"]


def test_the_query_tells_who_owes(run: Examples, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """Those who owe enough are told how much, and each row's outcome is written down."""
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE customers (id INTEGER, name TEXT, mobile TEXT, debt INTEGER)")
        shop.executemany(
            "INSERT INTO customers VALUES (?, ?, ?, ?)",
            [(1, "سارا", "09120000041", 250_000), (2, "امید", "09120000042", 99), (3, "نگار", "?", 300_000)],
        )
    shop.close()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(connection))

    assert {"tell success": 1} == run("p2psms_query", outcomes=str(tmp_path / "outcomes.csv"))

    assert ["سارا عزیز، مانده حساب شما 250,000 تومان است."] == p2psms_sandbox.texts_arrived
    rows = csv.DictReader((tmp_path / "outcomes.csv").open(encoding="utf-8"))
    assert {"1": "accepted", "3": "invalid"} == {row["key"]: row["outcome"] for row in rows}


def test_delivery_is_waited_for(run: Examples, p2psms_sandbox: Sandbox):
    """Three are told, and the counts go on once the operators have reported."""
    p2psms_sandbox.queue_s = p2psms_sandbox.delivery_s = 0  # so that the first look ends it

    assert {"notify success": 1, "delivered success": 1, "report success": 1} == run("p2psms_delivery")

    assert 3 == len(p2psms_sandbox.arrived)


def test_the_shards_are_sent_waited_for_and_reported_on(run: Examples, p2psms_sandbox: Sandbox):
    """Each shard has its send and its sensor, and the report adds up all of them."""
    p2psms_sandbox.queue_s = 0  # so that the first look ends it

    assert {
        "shards success": 1,
        "shard.send success": 3,
        "shard.delivered success": 3,
        "report success": 1,
    } == run("p2psms_shards", rows=500)

    orders = list(csv.DictReader((HERE / "data/orders.csv").open(encoding="utf-8")))
    assert len(orders) == len(set(p2psms_sandbox.texts_arrived)) == len(p2psms_sandbox.arrived)
    total = run.tasks["report"].xcom_pull(task_ids="report")
    assert (len(orders), 0, 0) == (total["sent"], total["pending"], total["failed"])


@pytest.mark.parametrize(("paid", "cancelled", "state"), [(True, "success", 7), (False, "skipped", 5)])
def test_a_reminder_is_cancelled_when_it_is_needless(
    paid, cancelled, state, run: Examples, p2psms_sandbox: Sandbox
):
    """The reminder that was scheduled is cancelled at the gateway, or left alone."""
    assert {"remind success": 1, "is_paid success": 1, f"cancel {cancelled}": 1} == run(
        "p2psms_cancel", paid=paid
    )

    [message] = p2psms_sandbox.arrived
    assert state == SMSHook().report_by_bulk(message.outbox_id)["state_id"]
