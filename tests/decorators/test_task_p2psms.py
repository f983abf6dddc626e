"""`@task.p2psms` in real Airflow: a function's rows reach people, and nothing of them stays behind."""

import datetime as dt
import inspect
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.decorators.sms import p2psms_task
from airflow_provider_p2psms.operators.sms import SOURCE_FIELDS, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

LINE = "+983000505"
ROWS = [{"recipient": f"0912000{number:04d}", "name": f"n{number}"} for number in range(1, 6)]
TEXTS = [f"Dear {row['name']}" for row in ROWS]
SENDING: dict[str, Any] = {"text": "Dear {name}", "from_number": LINE}


@pytest.fixture
def dag(request):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"who": "all"})


@pytest.fixture
def run(dag, run_dag):
    """Run the DAG of this test; give the states of its tasks."""

    def run(**kwargs):
        tasks = run_dag(dag, **kwargs).get_task_instances()
        return {f"{ti.task_id}{ti.map_index if ti.map_index >= 0 else ''}": str(ti.state) for ti in tasks}

    return run


def test_what_a_function_returns_is_sent(dag, run, p2psms_sandbox: Sandbox):
    """Its rows arrive with their texts, and each key of the result can be an XCom of its own."""
    got = []
    with dag:

        @task.p2psms(**SENDING, multiple_outputs=True)
        def tell():
            return ROWS

        @task
        def keep(ids, accepted):
            got.append((list(ids), accepted))

        sent = tell()
        keep(sent["message_outbox_ids"], sent["accepted"])

    assert {"tell": "success", "keep": "success"} == run()
    assert TEXTS == p2psms_sandbox.texts_arrived
    assert [([message.outbox_id for message in p2psms_sandbox.arrived], 5)] == got


def test_a_generator_streams(dag, run, p2psms_sandbox: Sandbox):
    """A function may yield its rows one by one."""
    with dag:

        @task.p2psms(from_number=LINE)
        def tell():
            for row in ROWS:
                yield row["recipient"], f"Dear {row['name']}"

        tell()

    assert {"tell": "success"} == run()
    assert TEXTS == p2psms_sandbox.texts_arrived


def test_arguments_and_context_reach_the_function(dag, run, p2psms_sandbox: Sandbox):
    """Outputs of other tasks, templates and the names of Airflow's context are its arguments."""
    with dag:

        @task
        def orders():
            return ROWS[:1]

        @task.p2psms(text="{{ params.who }}: {note}", from_number=LINE)
        def tell(rows, *, note, params=None, ti=None):
            assert "tell" == ti.task_id
            return [{**row, "note": f"{note} {params['who']}"} for row in rows]

        tell(orders(), note="{{ task.task_id }}")

    assert {"orders": "success", "tell": "success"} == run()
    assert ["all: tell all"] == p2psms_sandbox.texts_arrived


def test_it_can_be_mapped_with_partial_and_override(dag, run, p2psms_sandbox: Sandbox):
    """Each mapped task calls the function for itself and sends its rows."""
    with dag:

        @task.p2psms(text="none", from_number=LINE)
        def tell(row, greeting):
            return [{**row, "greeting": greeting}]

        tell.override(task_id="greet", text="{greeting} {name}").partial(greeting="Dear").expand(row=ROWS[:3])

    assert {"greet0": "success", "greet1": "success", "greet2": "success"} == run()
    assert Counter(TEXTS[:3]) == Counter(p2psms_sandbox.texts_arrived)
    assert 3 == p2psms_sandbox.send_requests


def test_a_retry_computes_anew_and_sends_the_rest(dag, run, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """Rows that a retry returns in another order, with one more, are sent once each."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))
    p2psms_sandbox.order_fault("500_before", after=2)
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)
    calls = []

    def corrected(context):
        p2psms_sandbox.clear_faults()

    with dag:

        @task.p2psms(
            **SENDING, batch_size=1, max_in_flight=1, report_lag=0.1,
            retries=1, retry_delay=dt.timedelta(0), on_retry_callback=corrected,
        )  # fmt: skip
        def tell():
            calls.append(1)
            return [*reversed(ROWS), {"recipient": "09120000099", "name": "new"}] if calls[1:] else ROWS

        tell()

    assert {"tell": "success"} == run()
    assert 2 == len(calls)
    assert dict.fromkeys([*TEXTS, "Dear new"], 1) == Counter(p2psms_sandbox.texts_arrived)


def test_nothing_that_the_function_handles_stays_in_airflow(dag, run, p2psms_sandbox: Sandbox, capfd, kept):
    """Neither its arguments' values nor its rows are in logs, rendered fields or its own XComs."""
    word, number = "geheim", "09351112233"
    p2psms_sandbox.duplicate_window_s = 0
    with dag:

        @task(show_return_value_in_logs=False)
        def person():
            return {"recipient": number, "name": word}

        @task.p2psms(**SENDING)
        def tell(row, *more, note):
            return [row, {"recipient": "09350000000", "name": f"{word} too"}]

        tell(person(), [number], note=f"{{{{ '{word}' }}}}")
        tell.override(task_id="mapped").partial(note=number).expand(row=[{"recipient": number, "name": word}])

    assert {"success"} == set(run().values())
    home = Path(os.environ["AIRFLOW_HOME"])
    logs = "".join(file.read_text("utf-8", "replace") for file in home.rglob("*.log"))
    for written in (logs, "".join(capfd.readouterr())):
        assert number not in written
        assert word not in written
    rendered = kept("rendered_fields", dag.dag_id)
    xcoms = kept("value", dag.dag_id, but_of="person")
    assert xcoms != "[]"
    assert "<dict>" in rendered
    assert "<list>" in rendered
    for written in (rendered, xcoms):
        assert number not in written
        assert word not in written


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("returned", "state"),
    [(None, "failed"), (7, "failed"), ("no rows", "failed"), ([("0912", "hi")], "failed"), ([], "skipped")],
)
def test_what_is_no_row_fails_before_any_request(returned, state, dag, run, p2psms_sandbox: Sandbox):
    """Nothing is sent of a result that is not rows, and none is asked for again."""
    with dag:

        @task.p2psms(from_number=LINE, retries=3)
        def tell():
            return returned

        tell()

    assert {"tell": state} == run()
    assert 0 == p2psms_sandbox.send_requests


def test_a_backfill_does_not_call_the_function(dag, p2psms_sandbox: Sandbox):
    """Where nothing is to be sent, nothing is computed."""

    class Backfill:
        run_type = "backfill"

    with dag:

        @task.p2psms(**SENDING)
        def tell():
            raise AssertionError

        operator = tell().operator
    with pytest.raises(Exception, match="backfill"):
        operator.execute({"dag_run": Backfill()})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"messages": []}, "the rows come from the function"),
        ({"file": "a.csv"}, "the rows come from the function"),
        ({"on_invalid": "ignore"}, "on_invalid must be one of"),
        ({"text": "Dear {name"}, "brace"),
    ],
)
def test_wrong_parameters_are_refused_at_parse(options, told, dag):
    """The decorator takes what the operator takes, but for the rows."""
    with dag:

        @task.p2psms(**options)
        def tell():
            return ROWS

        with pytest.raises(ValueError, match=told):
            tell()


def test_async_functions_are_refused_at_parse(dag):
    """A coroutine is no row, and is not mistaken for one at run time."""
    with dag:

        @task.p2psms
        async def tell():
            return ROWS

        with pytest.raises(TypeError, match="plain function"):
            tell()


def test_the_typed_name_is_the_same_decorator(dag, run, p2psms_sandbox: Sandbox):
    """`p2psms_task`, which editors know the parameters of, makes the same task."""
    with dag:

        @p2psms_task(text="Dear {name}", from_number=LINE, task_id="other")
        def tell() -> list[dict[str, str]]:
            return ROWS

        tell()

    assert {"other": "success"} == run()
    assert TEXTS == p2psms_sandbox.texts_arrived


def test_editors_are_told_every_parameter():
    """The typed signature has the operator's parameters, with the same defaults and types."""
    from typing import get_overloads

    typed = inspect.signature(get_overloads(p2psms_task)[1]).parameters
    taken = inspect.signature(PeerToPeerSMSOperator.__init__).parameters

    of_the_task = {"self", *SOURCE_FIELDS, "kwargs", "multiple_outputs"}
    assert [
        (name, one.default, one.annotation) for name, one in taken.items() if name not in of_the_task
    ] == [(name, one.default, one.annotation) for name, one in typed.items() if name not in of_the_task]
