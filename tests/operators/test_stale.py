"""Runs that are too old to send: which they are, what becomes of them, and what goes on all the same."""

import datetime as dt
from types import SimpleNamespace

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)
from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.operators.stale import describe_staleness
from airflow_provider_p2psms.sandbox import Sandbox

pytestmark = pytest.mark.airflow

LINE = "+983000505"
ROWS = [(f"0912000{number:04d}", f"text {number}") for number in range(1, 4)]
OPERATORS = [PeerToPeerSMSOperator, PeerToPeerFileOperator]
NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)


def context(age, run_type="scheduled", **more):
    """Return what a task sees of a run whose data interval ended so long ago."""
    end = pendulum.now("UTC") - age
    return {"data_interval_end": end, "dag_run": SimpleNamespace(run_type=run_type), **more}


@pytest.mark.parametrize(
    ("age", "run_type", "max_age", "is_stale"),
    [
        (dt.timedelta(days=1), "scheduled", None, False),
        (dt.timedelta(days=1, seconds=1), "scheduled", None, True),
        (dt.timedelta(days=5), "manual", None, False),
        (dt.timedelta(days=5), "backfill", None, False),
        (dt.timedelta(days=5), "asset_triggered", None, False),
        (dt.timedelta(days=5), "scheduled", dt.timedelta(days=6), False),
        (dt.timedelta(hours=2), "scheduled", dt.timedelta(hours=1), True),
        (dt.timedelta(hours=2), "manual", dt.timedelta(hours=1), True),
        (dt.timedelta(hours=2), "backfill", dt.timedelta(hours=1), True),
        (dt.timedelta(hours=-2), "scheduled", dt.timedelta(hours=1), False),
        (None, "scheduled", dt.timedelta(hours=1), False),
    ],
)
def test_which_runs_are_too_old(age, run_type, max_age, is_stale):
    """Scheduled runs may be a day old; `max_age` is the limit of every run that has a data interval."""
    found = {"data_interval_end": NOW - age} if age is not None else {}
    found["dag_run"] = SimpleNamespace(run_type=run_type)

    assert is_stale == bool(describe_staleness(found, max_age=max_age, now=NOW))


@pytest.mark.parametrize(
    ("age", "max_age", "told"),
    [
        (dt.timedelta(days=5, hours=3, minutes=7), None, "5 days 3 hours ago, at 2026-03-05 08:53 UTC"),
        (dt.timedelta(days=5), None, "the limit is 1 day (max_age)"),
        (dt.timedelta(minutes=61), dt.timedelta(minutes=1), "1 hour 1 minute ago"),
        (dt.timedelta(seconds=40), dt.timedelta(seconds=30), "40 seconds ago"),
    ],
)
def test_the_age_in_words(age, max_age, told):
    """The message says how old the run is, when its interval ended, the limit, and the ways on."""
    found = {"data_interval_end": NOW - age, "dag_run": SimpleNamespace(run_type="scheduled")}

    text = describe_staleness(found, max_age=max_age, now=NOW)

    assert text is not None
    assert told in text
    assert text.endswith('set a longer max_age=timedelta(…), or on_stale="send" for any age.')


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("options", "raised"),
    [
        ({}, AirflowSkipException),
        ({"on_stale": "fail"}, AirflowFailException),
        ({"on_stale": "send"}, None),
        ({"max_age": dt.timedelta(days=9)}, None),
    ],
)
def test_a_scheduled_run_of_last_week(operator, options, raised, p2psms_sandbox: Sandbox):
    """It is skipped or failed in words before anything is sent, and sends if told to."""
    task = operator(task_id="send", messages=ROWS, from_number=LINE, **options)

    if raised:
        with pytest.raises(raised, match="ended 7 days ago"):
            task.execute(context(dt.timedelta(days=7)))
    else:
        task.execute(context(dt.timedelta(days=7)))
    assert (0 if raised else 3) == len(p2psms_sandbox.arrived)


def test_a_send_that_has_begun_goes_on(p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """A later try finishes what an earlier one began, however old the run is by then."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))
    p2psms_sandbox.order_fault("refuse_422", after=1)

    def attempt(number, age):
        ti = SimpleNamespace(
            dag_id="dag", run_id="run", task_id="send", map_index=-1, try_number=number, max_tries=1
        )
        return PeerToPeerSMSOperator(
            task_id="send", messages=ROWS, from_number=LINE, batch_size=1, max_in_flight=1
        ).execute(context(age, ti=ti))

    with pytest.raises(AirflowException, match="1 recipients were accepted"):
        attempt(1, dt.timedelta(hours=1))

    assert 1 == attempt(2, dt.timedelta(days=7))["already_accepted"]
    assert 3 == len(p2psms_sandbox.arrived)


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, "success"),
        ({"max_age": dt.timedelta(hours=1)}, "skipped"),
        ({"max_age": dt.timedelta(hours=1), "on_stale": "fail", "retries": 2}, "failed"),
        ({"max_age": dt.timedelta(days=30)}, "success"),
    ],
)
def test_a_run_by_hand_for_an_old_date(options, state, run_dag, p2psms_sandbox: Sandbox, request):
    """A run by hand has no limit but that of `max_age`; above it the function is not even called."""
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    calls = []
    with DAG(name, schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False) as dag:
        from airflow_provider_p2psms.decorators.sms import p2psms_task

        @p2psms_task(from_number=LINE, **options)
        def tell():
            calls.append(1)
            return ROWS

        tell()

    [ti] = run_dag(dag, logical_date=pendulum.now("UTC").subtract(days=7)).get_task_instances()

    assert state == str(ti.state)
    assert (3 if state == "success" else 0) == len(p2psms_sandbox.arrived)
    assert (state == "success") == bool(calls)
