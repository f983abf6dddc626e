"""`query_shards` in real Airflow: ranges of keys, a mapped send over them, each row once."""

import json
import sqlite3
from collections import Counter
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.transfers.query_shards import QueryShardsOperator, query_shards
from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

KEYS = [2, 3, 5, 8, 13, 21, 34]
SELECT_KEYS = "SELECT id FROM customers WHERE city = :city ORDER BY id"
SELECT_ROWS = "SELECT id, mobile, name FROM customers WHERE city = :city AND id BETWEEN :first AND :last"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A database of customers, of whom one is in another city."""
    database = sqlite3.connect(tmp_path / "shop.db")
    with database:
        database.execute("CREATE TABLE customers (id INTEGER, mobile TEXT, name TEXT, city TEXT)")
        rows = [(key, f"0912{key:07}", f"n{key}", "Shiraz") for key in KEYS] + [(4, "0912", "x", "Qom")]
        database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows)
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(connection))
    yield database
    database.close()


def send_over(ranges, sql=SELECT_ROWS):
    return SQLToSMSOperator.partial(
        task_id="send",
        conn_id="shop",
        sql=sql,
        recipient_column="mobile",
        text="Dear {name}",
        from_number="+983000505",
    ).expand(parameters=ranges)


def dag_of(request):
    return DAG(
        request.node.name.replace("[", "_").replace("]", ""),
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1),
        params={"city": "Shiraz"},
    )


def states(run):
    return dict(Counter(f"{ti.task_id} {ti.state}" for ti in run.get_task_instances()))


@pytest.mark.parametrize("how", ["task", "function"])
def test_a_mapped_send_over_a_query(how, request, shop, run_dag, p2psms_sandbox: Sandbox):
    """Each range is a query of its own; its keys are bound, and nothing is written into the SQL."""
    with dag_of(request) as dag:

        @task
        def query_shards_(params=None):
            return query_shards(SELECT_KEYS, 3, conn_id="shop", parameters={"city": params["city"]})

        if how == "function":
            send_over(query_shards_())
        else:
            send_over(query_shards(SELECT_KEYS, 3, conn_id="shop", parameters={"city": "{{ params.city }}"}))

    name = "query_shards_" if how == "function" else "query_shards"
    assert {f"{name} success": 1, "send success": 3} == states(run_dag(dag))
    assert sorted(f"Dear n{key}" for key in KEYS) == sorted(p2psms_sandbox.texts_arrived)


@pytest.mark.parametrize(
    ("rows", "ranges"),
    [(1, [(key, key) for key in KEYS]), (3, [(2, 5), (8, 21), (34, 34)]), (7, [(2, 34)]), (99, [(2, 34)])],
)
def test_the_ranges_are_those_of_the_keys(rows, ranges, shop):
    """From the first to the last key of so many rows, with the other parameters, named or in order."""
    named = query_shards(SELECT_KEYS, rows, conn_id="shop", parameters={"city": "Shiraz"})
    in_order = query_shards(SELECT_KEYS.replace(":city", "?"), rows, conn_id="shop", parameters=["Shiraz"])

    assert [{"city": "Shiraz", "first": first, "last": last} for first, last in ranges] == named
    assert [["Shiraz", first, last] for first, last in ranges] == in_order


def test_new_rows_at_the_end_leave_the_first_ranges(shop):
    """A table that has grown gives the same ranges first."""
    before = query_shards("SELECT id FROM customers ORDER BY 1", 3, conn_id="shop")
    with shop:
        shop.execute("INSERT INTO customers VALUES (55, '09120000055', 'n', 'Qom')")

    assert before[:2] == query_shards("SELECT id FROM customers ORDER BY 1", 3, conn_id="shop")[:2]


def test_a_query_without_rows(shop):
    """There is nothing to map over."""
    assert [] == query_shards(SELECT_KEYS, conn_id="shop", parameters={"city": "Yazd"})


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (
            "SELECT id FROM customers ORDER BY id DESC",
            "not in ascending order, or one of them is there twice",
        ),
        ("SELECT 1 FROM customers", "not in ascending order, or one of them is there twice"),
        ("SELECT mobile FROM customers ORDER BY id", "no key: one of its values is a str"),
        ("SELECT NULL", "no key: one of its values is a NoneType"),
        ("SELECT 1.5", "no key: one of its values is a float"),
    ],
)
def test_keys_that_cut_nothing(sql, fault, shop):
    """Keys by which a row would be in two ranges, or in none, are refused; none of them is shown."""
    with pytest.raises(InvalidMessageError, match=fault) as error:
        query_shards(sql, conn_id="shop")
    assert "0912" not in str(error.value)


def test_a_query_that_fails(shop):
    """The database's own words are in the error."""
    with pytest.raises(P2PSMSError, match="no such table"):
        query_shards("SELECT id FROM nowhere", conn_id="shop")


def test_more_ranges_than_airflow_maps_over(shop, monkeypatch):
    """The error says how many rows a range needs, and that many are enough."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    how: dict[str, Any] = {"conn_id": "shop", "parameters": {"city": "Shiraz"}}

    for rows in (1, 2):
        with pytest.raises(InvalidMessageError, match=r"The query has 7 rows.*\n- Set rows to 3 or more\."):
            query_shards(SELECT_KEYS, rows, **how)
    assert 3 == len(query_shards(SELECT_KEYS, 3, **how))


def test_a_definition_asks_no_database(request):
    """While a DAG is defined, a connection that is not there is no fault."""
    with dag_of(request) as dag:
        send_over(query_shards("SELECT 1", conn_id="nowhere"))
        QueryShardsOperator(task_id="cut", sql="keys.sql", conn_id="{{ params.city }}", retries=2)

    assert {"query_shards", "send", "cut"} == set(dag.task_ids)
