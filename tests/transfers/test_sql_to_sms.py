"""`SQLToSMSOperator` in real Airflow, on PostgreSQL and SQLite: a query in, messages out, each once."""

import csv
import datetime as dt
import json
import os
import secrets
import threading
import time
from collections import Counter

import pendulum
import pytest
import sqlalchemy
from sqlalchemy.engine import URL

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator
from tests.stack import postgres_server

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

LINE = "+983000505"
COUNT = 40
QUERY = "SELECT id, mobile, name FROM customers ORDER BY random()"
TEXTS = {f"Dear n{i}" for i in range(1, COUNT + 1)}


class _Shop:
    """A database of customers, and how Airflow and the tests reach it."""

    def __init__(self, uri: str, url: URL) -> None:
        self.uri = uri
        self.engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")

    def ask(self, statement: str, *rows):
        with self.engine.connect() as connection:
            done = connection.execute(sqlalchemy.text(statement), *([list(rows)] if rows else []))
            return list(done) if done.returns_rows else []


@pytest.fixture
def sqlite_shop(tmp_path):
    file = tmp_path / "shop.db"
    connection = json.dumps({"conn_type": "sqlite", "host": str(file)})
    shop = _Shop(connection, URL.create("sqlite", database=str(file)))
    yield shop
    shop.engine.dispose()


@pytest.fixture
def postgres_shop():
    """A database of this test's own on the server, gone when the test ends."""
    server = postgres_server()
    if server is None:
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    name = f"p2psms_shop_{secrets.token_hex(6)}"
    of_server = _Shop("", server)
    of_server.ask(f"CREATE DATABASE {name}")
    url = server.set(database=name)
    shop = _Shop(url.set(drivername="postgres").render_as_string(hide_password=False), url)
    yield shop
    shop.engine.dispose()
    of_server.ask(f"DROP DATABASE {name} WITH (FORCE)")
    of_server.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request, monkeypatch):
    """Have 40 customers in a database, under the connection `shop`."""
    shop = request.getfixturevalue(f"{request.param}_shop")
    shop.ask("CREATE TABLE customers (id INTEGER, mobile TEXT, name TEXT)")
    rows = ({"i": i, "mobile": f"0912000{i:04d}", "name": f"n{i}"} for i in range(1, COUNT + 1))
    shop.ask("INSERT INTO customers VALUES (:i, :mobile, :name)", *rows)
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", shop.uri)
    return shop


@pytest.fixture
def dag(request):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    start = pendulum.datetime(2026, 1, 1)
    return DAG(name, schedule=None, start_date=start, params={"least": 39}, template_searchpath="/")


@pytest.fixture
def run(dag, run_dag):
    """Run the DAG of this test; give the states of its tasks."""

    def run(**kwargs):
        tasks = run_dag(dag, **kwargs).get_task_instances()
        return {f"{ti.task_id}{ti.map_index if ti.map_index >= 0 else ''}": str(ti.state) for ti in tasks}

    return run


def send(**options):
    given = {"sql": QUERY, "conn_id": "shop", "recipient_column": "mobile", "text": "Dear {name}"}
    return SQLToSMSOperator(**{"task_id": "send", "from_number": LINE, **given, **options})


def test_a_query_reaches_people(dag, run, shop, p2psms_sandbox: Sandbox):
    """Each row's own text arrives at its number; the result is that of the send operators."""
    got = []
    with dag:
        sent = send()

        @task
        def keep(ids, result):
            got.append((set(ids), result["accepted"]))

        keep(sent.output["message_outbox_ids"], sent.output)

    assert {"send": "success", "keep": "success"} == run()
    assert {(f"+98912000{i:04d}", f"Dear n{i}") for i in range(1, COUNT + 1)} == {
        (message.recipient, message.text) for message in p2psms_sandbox.arrived
    }
    assert [({message.outbox_id for message in p2psms_sandbox.arrived}, COUNT)] == got


def test_templates_files_and_outcomes(dag, run, shop, p2psms_sandbox: Sandbox, tmp_path):
    """The query may lie in a file, whose name may have blanks; it and its parameters are templates."""
    (tmp_path / "due today.sql").write_text(
        "-- who is due\nSELECT * FROM customers WHERE id >= {{ params.least }} ORDER BY id;\n"
    )
    with dag:
        send(
            sql=str(tmp_path / "due today.sql").lstrip("/"),
            conn_id="{{ 'shop' }}",
            key_column="id",
            outcomes=f"{tmp_path}/outcomes.csv",
        )

    assert {"send": "success"} == run()
    assert ["Dear n39", "Dear n40"] == p2psms_sandbox.texts_arrived
    outcomes = csv.DictReader((tmp_path / "outcomes.csv").open(encoding="utf-8"))
    assert [("39", "accepted"), ("40", "accepted")] == [(row["key"], row["outcome"]) for row in outcomes]


def test_parameters_are_filled_in_and_not_shown(dag, run, shop, p2psms_sandbox: Sandbox, kept):
    """A parameter can be anybody's number: Airflow keeps its name alone."""
    number = "09120000007"
    place = ":who" if "sqlite" in shop.uri else "%(who)s"
    with dag:
        send(
            sql=f"SELECT * FROM customers WHERE mobile = {place}",
            parameters={"who": "{{ '0912' ~ '0000007' }}"},
        )

    assert {"send": "success"} == run()
    assert ["Dear n7"] == p2psms_sandbox.texts_arrived
    rendered = kept("rendered_fields", dag.dag_id)
    assert number not in rendered
    assert "Dear" not in rendered
    assert "who" in rendered


@pytest.mark.sampled(5)
@pytest.mark.parametrize("who", ["due.sql", "{{ 7 * 7 }}", "{{ nope }}"])
@pytest.mark.parametrize("way", ["output", "expand", "expand_kwargs"])
def test_parameters_of_other_tasks_are_data(way, who, dag, run, shop, p2psms_sandbox: Sandbox, tmp_path):
    """A name that looks like a template, or like a file of one, is looked for as it is."""
    shop.ask("INSERT INTO customers VALUES (99, '09120000099', :who)", {"who": who})
    place = ":who" if "sqlite" in shop.uri else "%(who)s"
    options = {
        "sql": f"SELECT * FROM customers WHERE name = {place}",
        "conn_id": "shop",
        "text": "Dear {name}",
    }
    with dag:

        @task
        def names():
            return {"who": who} if way == "output" else [{"who": who}]

        @task
        def kwargs():
            return [{"parameters": {"who": who}}]

        if way == "output":
            send(**options, parameters=names())
        else:
            made = SQLToSMSOperator.partial(
                task_id="send", from_number=LINE, recipient_column="mobile", **options
            )
            made.expand(parameters=names()) if way == "expand" else made.expand_kwargs(kwargs())

    assert {"success"} == set(run().values())
    assert [f"Dear {who}"] == p2psms_sandbox.texts_arrived


def test_only_the_query_may_be_a_file_of_sql(dag, run, shop, p2psms_sandbox: Sandbox, tmp_path):
    """A text or a parameter with such a name is what it says; a parameter in the DAG file is a template."""
    place = ":who" if "sqlite" in shop.uri else "%(who)s"
    shop.ask("UPDATE customers SET name = 'due.sql' WHERE id = 1")
    with dag:
        send(
            sql=f"SELECT * FROM customers WHERE name = {place}", parameters={"who": "due.sql"}, text="due.sql"
        )

    assert {"send": "success"} == run()
    assert ["due.sql"] == p2psms_sandbox.texts_arrived


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parameters", {"who": "{{ params.nothing }}"}),
        ("parameters", {"who": "{{ 'secret'.nope }} secret"}),
        ("sql", "SELECT * FROM customers WHERE id = {{ params.nothing }}"),
    ],
)
def test_a_parameter_without_a_value_is_no_query_without_rows(
    field, value, dag, run, shop, p2psms_sandbox: Sandbox, capfd
):
    """A template that gives None, or fails, fails the task by the field's name, and shows nothing of it."""
    dag.params["nothing"] = None
    with dag:
        send(**{"sql": "SELECT * FROM customers", "parameters": {}, field: value})

    assert {"send": "failed"} == run()
    output = "".join(capfd.readouterr())
    assert f'The template in "{field}" fails: ' in output
    assert "secret" not in output


def test_a_query_can_be_mapped(dag, run, shop, p2psms_sandbox: Sandbox):
    """One task for each set of parameters, each a send of its own."""
    place = ":i" if "sqlite" in shop.uri else "%(i)s"
    options = {"task_id": "send", "conn_id": "shop", "recipient_column": "mobile", "text": "Dear {name}"}
    with dag:
        SQLToSMSOperator.partial(
            **options,
            sql=f"SELECT * FROM customers WHERE id = {place}",
            from_number=LINE,
        ).expand(parameters=[{"i": 1}, {"i": 2}])

    assert {"send0": "success", "send1": "success"} == run()
    assert {"Dear n1", "Dear n2"} == set(p2psms_sandbox.texts_arrived)
    assert 2 == p2psms_sandbox.send_requests


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fault", ["500_after", "cut_before_answer", "500_before"])
def test_another_order_on_a_retry_sends_nothing_twice(
    fault, dag, run, shop, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
):
    """A send that fails in its middle is finished by a retry whose rows come in another order."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledger"))
    p2psms_sandbox.order_fault(fault, after=2)
    # The reports fail as well, so that this try cannot settle it.
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)

    def mended(context):
        p2psms_sandbox.clear_faults()
        # Rows have gone, and others have come. One that was not taken would fail the task.
        if fault != "500_before":
            shop.ask("DELETE FROM customers WHERE name NOT IN (SELECT name FROM customers WHERE id > 1)")
        shop.ask("INSERT INTO customers VALUES (41, '09120000041', 'n41')")

    with dag:
        send(
            batch_size=5, max_in_flight=1, report_lag=0.2,
            retries=1, retry_delay=dt.timedelta(0), on_retry_callback=mended,
        )  # fmt: skip

    assert {"send": "success"} == run()
    arrived = Counter(p2psms_sandbox.texts_arrived)
    assert {1} == set(arrived.values())
    assert {*TEXTS, "Dear n41"} - {"Dear n1"} <= set(arrived) <= {*TEXTS, "Dear n41"}


def test_no_connection_is_open_while_requests_leave(
    dag, run, postgres_shop, p2psms_sandbox: Sandbox, monkeypatch
):
    """All rows are read, and the database let go, before the first request."""
    shop = postgres_shop
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", f"{shop.uri}?application_name=p2psms_send")
    p2psms_sandbox.order_fault("slow", delay_s=2)
    seen = []

    def look():
        deadline = time.monotonic() + 60
        while not p2psms_sandbox.send_requests and time.monotonic() < deadline:
            time.sleep(0.02)
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'p2psms_send'"
        seen.extend(shop.ask(query))

    watcher = threading.Thread(target=look)
    watcher.start()
    with dag:
        sql = (
            "SELECT '0912000' || lpad(i::text, 4, '0') AS mobile, 'n' || i AS name "
            "FROM generate_series(1, 5000) AS n(i)"
        )
        send(sql=sql)

    assert {"send": "success"} == run()
    watcher.join()
    assert [(0,)] == [tuple(row) for row in seen]
    assert 5_000 == len(p2psms_sandbox.arrived)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"messages": []}, "the rows come from sql"),
        ({"file": "a.csv"}, "the rows come from sql"),
        ({"sql": ""}, "sql must be one query"),
        ({"sql": ["SELECT 1", "SELECT 2"]}, "sql must be one query"),
        ({"conn_id": ""}, "conn_id must be the name of a connection. It is an empty text"),
        ({"on_invalid": "ignore"}, "on_invalid must be one of"),
    ],
)
def test_wrong_parameters_are_refused_at_parse(options, told):
    """What can never work is refused before anything runs."""
    with pytest.raises(ValueError, match=told):
        send(**options)


def test_a_connection_that_is_no_database(p2psms_sandbox: Sandbox):
    """It is named, with what is needed."""
    with pytest.raises(Exception, match=r"p2psms_default is not one of a database: SMSHook"):
        send(conn_id="p2psms_default").execute({})


def test_a_bad_row_stops_everything(dag, run, shop, p2psms_sandbox: Sandbox):
    """Nothing is half-checked: the last of many rows is bad, and nothing was sent."""
    with dag:
        send(sql="SELECT mobile, name FROM customers UNION ALL SELECT '12', 'bad'", batch_size=5)

    assert {"send": "failed"} == run()
    assert 0 == p2psms_sandbox.send_requests


def test_no_rows_skip_the_task(dag, run, shop, p2psms_sandbox: Sandbox):
    """A query without rows is `on_empty`'s to judge."""
    with dag:
        send(sql="SELECT * FROM customers WHERE id < 0")

    assert {"send": "skipped"} == run()
