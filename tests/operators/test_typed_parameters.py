"""Every parameter is templated and mapped: it comes as its type, or is refused before anything is sent."""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pendulum
import pytest

from airflow_provider_p2psms import choices
from airflow_provider_p2psms.airflow_compat import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    task,
    task_group,
)
from airflow_provider_p2psms.operators.redacted_fields import reveal
from airflow_provider_p2psms.operators.sms import CancelScheduledSMSOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor
from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

LINE = "+983000505"
ROWS = [{"mobile": "09120000001", "greeting": "Hi", "id": "a"}]
COLUMNS = {"recipient_column": "mobile", "message_column": "greeting"}
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

ODD = [
    None, True, False, 0, 1, -1, -100, 2.5, 10**6, 10**400, math.nan, math.inf, -math.inf, Decimal("0.5"),
    Decimal("NaN"), 1j, "", " ", "None", "null", "0", "1", "-1", "2.5", "1_000", "1e3", "1e999", "nan", "inf",
    "0x10", "۱۲", "true", "False", "yes", "fail", "skip", "{}", "[]", "[1]", '["08:00", "21:00", "UTC"]',
    "('a', 'b')", "[" * 10_000, "\ud800", "a\0b", b"1", [], [None], ["a"], ("08:00", "21:00", "Nowhere"), {},
    {"a": 1}, {1: 2}, {"a"}, object(), dt.timedelta(1), AT, dt.date(2026, 1, 1),
    dt.datetime.max.replace(tzinfo=dt.UTC),
    range(3), print, iter([1]),
]  # fmt: skip


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value):
    return value is None or is_required_count(value)


def is_required_count(value):
    return type(value) is int and value >= 1


def is_flag(value):
    return type(value) is bool


def is_name(value):
    return type(value) is str and value != ""


def is_optional_text(value):
    return value is None or type(value) is str


def is_one_of(choices):
    return lambda value: value in get_args(choices)


def is_list_of_texts(value):
    return all(type(each) is str for each in value) and not isinstance(value, str)


OF_A_FILE = {"sheet", "hidden_rows", "encoding"}
TYPES = {
    "file": is_optional_text,
    "sheet": lambda value: is_optional_text(value) or is_required_count(value),
    "hidden_rows": is_one_of(choices.HiddenRows),
    "encoding": is_optional_text,
    "text": is_optional_text,
    "text_values": is_list_of_texts,
    "recipient_column": is_name,
    "message_column": is_name,
    "key_column": lambda value: value is None or is_name(value),
    "trust_e164": is_flag,
    "mobiles_only": is_flag,
    "from_number": is_optional_text,
    "send_time": lambda value: is_optional_text(value) or value.utcoffset() is not None,
    "send_window": lambda value: value is None or (is_list_of_texts(value) and len(value) == 3),
    "on_late": is_one_of(choices.OnLate),
    "on_invalid": is_one_of(choices.OnInvalid),
    "on_empty": is_one_of(choices.OnEmpty),
    "on_backfill": is_one_of(choices.OnBackfill),
    "max_age": lambda value: value is None or (type(value) is dt.timedelta and value > dt.timedelta(0)),
    "on_stale": is_one_of(choices.OnStale),
    "on_in_doubt": is_one_of(choices.OnInDoubt),
    "resend": is_optional_text,
    "report_lag": lambda value: value is None or (is_number(value) and 0 <= value <= 604_800),
    "identity": is_one_of(choices.Identity),
    "drop_duplicates": is_flag,
    "max_recipients": is_count,
    "max_parts": is_count,
    "max_cost": lambda value: value is None or (is_number(value) and value >= 1),
    "batch_size": is_count,
    "max_in_flight": is_required_count,
    "list_ids_up_to": is_required_count,
    "requests_per_second": lambda value: value is None or (is_number(value) and value > 0),
    "outcomes": is_optional_text,
    "p2psms_conn_id": is_name,
}


@pytest.fixture
def dag(request):
    """An empty DAG of this test's own."""
    return make_dag(request)


def make_dag(request, **options):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)[:200]
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), **options)


@pytest.fixture
def run(run_dag):
    """Run a DAG; give the states and numbers of tries of its tasks by their ids."""

    def run(dag):
        return {
            f"{ti.task_id}{ti.map_index if ti.map_index >= 0 else ''}": (str(ti.state), ti.try_number)
            for ti in run_dag(dag).get_task_instances()
        }

    return run


def upstream(value, name="given"):
    """Add a task that returns a value."""

    @task(task_id=name, show_return_value_in_logs=False)
    def give():
        return value

    return give()


def send(**options):
    rows = {} if {"messages", "file"} & options.keys() else {"messages": ROWS}
    return PeerToPeerSMSOperator(task_id="send", **{"from_number": LINE, **rows, **COLUMNS, **options})


def test_every_parameter_has_a_type_and_is_templated():
    """No parameter is left out of these tests, and none of the templates."""
    import inspect

    taken = set(inspect.signature(PeerToPeerSMSOperator.__init__).parameters) - {"self", "kwargs"}

    assert taken == {"messages", *TYPES}
    assert taken == set(PeerToPeerSMSOperator.template_fields)


@pytest.mark.parametrize("name", TYPES)
def test_odd_values_in_a_dag_file(name):
    """Each is refused when the DAG is parsed, or is read as the parameter's type."""
    for value in ODD:
        if callable(value):  # Airflow calls it when the task runs
            continue
        rows: dict[str, Any] = {"messages": None if name == "file" and value is not None else []}
        try:
            operator = PeerToPeerSMSOperator(task_id="send", **{**rows, "key_column": "k", name: value})
        except ValueError:
            continue
        assert TYPES[name](getattr(operator, name)), value


@pytest.mark.sampled(9)
@pytest.mark.parametrize("name", TYPES)
def test_odd_values_of_a_template(name, p2psms_sandbox: Sandbox, tmp_path, monkeypatch):
    """Each fails the task for good before anything is sent, or comes to the send as the parameter's type."""
    monkeypatch.chdir(tmp_path)
    for value in ODD:
        rows: dict[str, Any] = {"file": "x.csv"} if name in {"file", *OF_A_FILE} else {"messages": []}
        options: dict[str, Any] = {"from_number": LINE, "key_column": "k", **rows}
        options[name] = lambda context, jinja_env, value=value: value
        operator = PeerToPeerSMSOperator(task_id="send", **options)
        try:
            operator.render_template_fields({})
            operator.execute({})
        except AirflowFailException:
            continue
        except AirflowSkipException:  # no rows
            pass
        except (AirflowException, OSError, ValueError):  # there is nothing of that name
            assert name in {"file", "p2psms_conn_id", "outcomes", *OF_A_FILE}, value
        assert TYPES[name](reveal(getattr(operator, name))), value
    assert not p2psms_sandbox.arrived


GIVEN = {
    "text_values": ["NULL"],
    "recipient_column": "mobile",
    "message_column": "greeting",
    "key_column": "id",
    "trust_e164": False,
    "mobiles_only": True,
    "send_window": ["00:00", "23:59:59.999999", "UTC"],
    "on_late": "send_now",
    "on_invalid": "skip",
    "on_empty": "fail",
    "on_backfill": "send",
    "on_in_doubt": "fail",
    "resend": "again",
    "report_lag": 1.5,
    "identity": "key",
    "drop_duplicates": False,
    "max_recipients": 3,
    "max_parts": 3,
    "max_cost": 50_000,
    "batch_size": 1,
    "max_in_flight": 1,
    "list_ids_up_to": 1,
    "requests_per_second": 100.0,
}
SENT = [*ROWS, {**ROWS[0], "mobile": "09120000002", "id": "b"}, {**ROWS[0], "mobile": "021", "id": "c"}]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("way", "native"),
    [("templates", False), ("templates", True), ("outputs", False), ("expand_kwargs", False)],
)
def test_all_parameters_of_a_run(way, native, request, run, p2psms_sandbox: Sandbox):
    """Templates, other tasks and mapped arguments give every parameter, in native rendering, too."""
    dag = make_dag(request, params=GIVEN, render_template_as_native_obj=native)
    with dag:
        if way == "templates":
            send(messages=SENT, **{name: f"{{{{ params.{name} }}}}" for name in GIVEN})
        elif way == "outputs":
            given = {name: upstream(value, f"give_{name}") for name, value in GIVEN.items()}
            send(messages=SENT, **given)
        else:
            options = {"task_id": "send", "messages": SENT, "from_number": LINE}
            PeerToPeerSMSOperator.partial(**options).expand_kwargs(upstream([GIVEN]))

    assert {("success", 1)} == set(run(dag).values())
    assert ["Hi", "Hi"] == p2psms_sandbox.texts_arrived
    assert 2 == p2psms_sandbox.send_requests


@pytest.mark.parametrize("native", [False, True])
def test_none_of_a_template(native, request, run, p2psms_sandbox: Sandbox, capfd):
    """It leaves an optional parameter unset, and fails a task where it needs a value, or is a guard."""
    optional = ["key_column", "send_window", "text_values", "report_lag", "batch_size"]
    dag = make_dag(request, params={"nothing": None}, render_template_as_native_obj=native)
    with dag:
        send(**dict.fromkeys(optional, "{{ params.nothing }}"))
        PeerToPeerSMSOperator(task_id="guard", messages=ROWS, max_cost="{{ params.nothing }}")
        PeerToPeerSMSOperator(task_id="flag", messages=ROWS, drop_duplicates="{{ params.nothing }}")
        PeerToPeerSMSOperator(task_id="count", messages=ROWS, max_in_flight="{{ params.nothing }}", retries=1)

    failed = dict.fromkeys(["guard", "flag", "count"], ("failed", 1))
    assert {"send": ("success", 1)} | failed == run(dag)
    assert 'The template in "max_in_flight" fails: a value in it is None' in "".join(capfd.readouterr())


@pytest.mark.parametrize("way", ["output", "expand_kwargs"])
def test_a_guard_that_got_lost(way, dag, run, p2psms_sandbox: Sandbox, capfd):
    """Nothing is sent without the limit that another task should have given."""
    with dag:
        if way == "output":
            send(max_cost=upstream(None))
        else:
            options: dict[str, Any] = {"task_id": "send", "messages": ROWS, "from_number": LINE, **COLUMNS}
            PeerToPeerSMSOperator.partial(**options).expand_kwargs(upstream([{"max_cost": None}]))

    assert ("failed", 1) in run(dag).values()
    assert "max_cost comes from another task, which returned None" in "".join(capfd.readouterr())
    assert [] == p2psms_sandbox.arrived


@pytest.mark.parametrize("way", ["output", "expand", "partial"])
def test_a_wrong_value_fails_for_good(way, dag, run, p2psms_sandbox: Sandbox, capfd):
    """No retry follows, nothing is sent, and neither log nor page shows what came."""
    rows = [{"mobile": "09351234567"}]
    options: dict[str, Any] = {
        "task_id": "send",
        "messages": ROWS,
        "from_number": LINE,
        "retries": 2,
        **COLUMNS,
    }
    with dag:
        if way == "output":
            PeerToPeerSMSOperator(**options, report_lag=upstream(rows))
        elif way == "expand":
            PeerToPeerSMSOperator.partial(**options).expand(report_lag=[rows])
        else:
            del options["messages"]
            PeerToPeerSMSOperator.partial(**options, report_lag=rows).expand(messages=[ROWS])

    states = run(dag)
    states.pop("given", None)
    assert [("failed", 1)] == list(states.values())
    output = "".join(capfd.readouterr())
    assert (
        "report_lag must be a number of seconds, from 0 to 604,800 (7 days). It is of the type list."
        in output
    )
    assert "9351234567" not in output
    assert not p2psms_sandbox.arrived


def test_what_is_shown_of_a_wrong_value(p2psms_sandbox: Sandbox):
    """Airflow's page of rendered fields has its type, and not the rows that it may be."""
    operator = send(max_cost=lambda context, jinja_env: [{"mobile": "09351234567"}])

    operator.render_template_fields({})

    assert "<list>" == repr(operator.max_cost)


def test_guards_of_mapped_tasks(dag, run, p2psms_sandbox: Sandbox):
    """Each map index has its own."""
    others = [{**ROWS[0], "mobile": "09120000002"}]
    with dag:
        PeerToPeerSMSOperator.partial(task_id="send", from_number=LINE, **COLUMNS).expand_kwargs(
            [{"messages": ROWS, "max_cost": 1}, {"messages": others, "max_cost": "1000000"}]
        )

    assert {"send0": ("failed", 1), "send1": ("success", 1)} == run(dag)
    assert ["Hi"] == p2psms_sandbox.texts_arrived


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"messages": None}, "give messages or file"),
        ({"recipient_column": "greeting"}, "recipient_column and message_column must be two columns"),
        ({"identity": "key"}, "needs key_column"),
        ({"sheet": 1}, "can be used with file"),
        ({"nothing": 1}, "there are no parameters nothing"),
    ],
)
def test_mapped_parameters_that_exclude_each_other(options, told, dag, run, p2psms_sandbox: Sandbox, capfd):
    """They are known when the task runs, and fail it for good."""
    common = {"messages": ROWS, **COLUMNS}
    with dag:
        PeerToPeerSMSOperator.partial(task_id="send", from_number=LINE, retries=2).expand_kwargs(
            upstream([{**common, **options}])
        )

    assert ("failed", 1) == run(dag)["send0"]
    assert told in "".join(capfd.readouterr())
    assert not p2psms_sandbox.arrived


def test_outcomes_of_mapped_tasks(dag, run, p2psms_sandbox: Sandbox, tmp_path):
    """Each map index writes a file of its own, whether or not the path says so."""
    rows = [[{"mobile": "09120000001", "id": f"{index}"}] for index in range(2)]
    # Each its own text: the gateway refuses a text that it got in the last 40 seconds.
    options: dict[str, Any] = {
        "from_number": LINE, "key_column": "id", "recipient_column": "mobile",
        "text": "{id} {{ task.task_id }}",
    }  # fmt: skip
    kept = [str(tmp_path / "kept.a"), str(tmp_path / "kept.b")]
    with dag:
        mapped = PeerToPeerSMSOperator.partial
        mapped(task_id="text", outcomes=f"{tmp_path}/text.d/out", **options).expand(messages=rows)
        mapped(task_id="path", outcomes=tmp_path / "path.csv", **options).expand(messages=rows)
        mapped(task_id="own", outcomes=f"{tmp_path}/{{{{ ti.map_index }}}}.csv", **options).expand(
            messages=rows
        )
        mapped(task_id="given", messages=rows[0], **{**options, "text": "{id} {{ ti.map_index }}"}).expand(
            outcomes=kept
        )
        mapped(task_id="output", outcomes=upstream(f"{tmp_path}/output.csv", "path_of"), **options).expand(
            messages=rows
        )

        @task_group
        def group(rows, path):
            PeerToPeerSMSOperator(
                task_id="grouped", messages=rows, outcomes=f"{tmp_path}/group.csv", **options
            )
            PeerToPeerSMSOperator(task_id="of_group", messages=rows, outcomes=path, **options)

        group.expand_kwargs([{"rows": each, "path": f"{tmp_path}/of.{each[0]['id']}"} for each in rows])

        @task.p2psms(outcomes=f"{tmp_path}/function.csv", **options)
        def function(rows):
            return rows

        function.expand(rows=rows)

    assert {"success"} == {state for state, _ in run(dag).values()}
    written = {
        str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*") if file.is_file()
    }
    assert {
        "text.d/out-0", "text.d/out-1", "path-0.csv", "path-1.csv", "0.csv", "1.csv", "kept.a", "kept.b",
        "output-0.csv", "output-1.csv", "group-0.csv", "group-1.csv", "of.0", "of.1", "function-0.csv",
        "function-1.csv",
    } == set(written)  # fmt: skip
    assert ",1,accepted," in written["path-1.csv"]


@pytest.mark.parametrize(
    "rows",
    [iter(ROWS), (row for row in ROWS), map(dict, ROWS), [*ROWS, iter(ROWS)]],
    ids=["iterator", "generator", "map", "list"],
)
def test_a_generator_in_a_dag_file(rows):
    """It is empty at a retry, so it is refused with the ways on."""
    with pytest.raises(ValueError, match=r"send: messages holds a generator .* @task\.p2psms"):
        send(messages=rows)


def test_a_generator_for_a_function(dag):
    """A function's arguments in the DAG file are lists, too."""
    with dag:

        @task.p2psms
        def tell(rows):
            return rows

        with pytest.raises(ValueError, match="op_args holds a generator"):
            tell(row for row in ROWS)


def test_a_generator_of_a_mapped_task(dag, run, p2psms_sandbox: Sandbox):
    """Airflow makes the task when it runs, and there it is refused."""
    with dag:
        PeerToPeerSMSOperator.partial(
            task_id="send", messages=iter(ROWS), from_number=LINE, retries=2, **COLUMNS
        ).expand(max_parts=[5, 6])

    assert {"send0": ("failed", 1), "send1": ("failed", 1)} == run(dag)
    assert not p2psms_sandbox.arrived


@pytest.mark.parametrize("rows", [{"a": ROWS[0]}.values(), {**ROWS[0]}.items()])
def test_what_can_be_read_again(rows):
    """Views of a dictionary are no iterators."""
    send(messages=rows)


def test_a_sheet_that_is_called_by_a_year():
    """A text of digits stays a text, which is looked for by name first; a number is a whole one."""
    operator = send(file="list.xlsx", sheet="2026")
    assert "2026" == operator.sheet
    assert 2 == send(file="list.xlsx", sheet=2.0).sheet


@pytest.mark.parametrize(
    ("operator", "given", "bad"),
    [
        (
            SMSDeliverySensor,
            {"until": "delivered", "min_delivered": "0.5", "on_failed": "continue"},
            "min_delivered",
        ),
        (CancelScheduledSMSOperator, {"on_failed": "continue"}, "on_failed"),
    ],
)
def test_tasks_behind_a_send(operator, given, bad, request, run, p2psms_sandbox: Sandbox, capfd):
    """The sensor's and the cancelling task's parameters are templated and mapped, too."""
    with make_dag(request, params=given) as dag:
        options = {name: f"{{{{ params.{name} }}}}" for name in given}
        operator(task_id="templates", message_outbox_ids=[], **options)
        operator.partial(task_id="mapped", message_outbox_ids=[]).expand_kwargs(
            upstream([given, {**given, bad: {"a": 1}}])
        )

    states = run(dag)
    states.pop("given")
    assert {"templates": "success", "mapped0": "success", "mapped1": "failed"} == {
        name: state for name, (state, _) in states.items()
    }
    assert f"{bad} must be " in "".join(capfd.readouterr())


def test_parameters_of_a_query(p2psms_sandbox: Sandbox):
    """A template's text of a mapping or a list is one; what is neither is refused."""
    given = SimpleNamespace(parameters='{"day": 1}', hook_params="{'a': 1}")
    operator = SQLToSMSOperator(
        task_id="send", sql="SELECT 1", conn_id="shop",
        parameters="{{ given.parameters }}", hook_params="{{ given.hook_params }}",
    )  # fmt: skip
    context: Any = {"given": given}
    operator.render_template_fields(context)
    assert "{'day': <int>}" == str(operator.parameters)
    assert "{'a': <int>}" == str(operator.hook_params)

    bad: list[tuple[str, Any]] = [("parameters", "5"), ("hook_params", ["a"]), ("hook_params", {1: 2})]
    for name, value in bad:
        with pytest.raises(ValueError, match=f"send: {name} must be a mapping"):
            SQLToSMSOperator(task_id="send", sql="SELECT 1", conn_id="shop", **{name: value})


def test_a_path_may_be_an_object(tmp_path):
    """Local paths and those of object storage are taken as they are."""
    assert tmp_path == send(messages=None, file=tmp_path, outcomes=Path("out.csv")).file
