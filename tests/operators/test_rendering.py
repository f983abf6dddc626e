"""Templates in real Airflow: what the author wrote is rendered, what other tasks return never is."""

import datetime as dt
import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    ObjectStoragePath,
    task,
    task_group,
)
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.operators.ledger import parse_resend
from airflow_provider_p2psms.operators.sms import CancelScheduledSMSOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor
from airflow_provider_p2psms.transfers.sql_to_sms import SQLToSMSOperator

try:
    from airflow.sdk.definitions.template import literal
except ImportError:
    from airflow.utils.template import literal  # type: ignore[no-redef]

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

LINE = "+983000505"
# Names and texts as customers may choose them: a template would be rendered, or fail the task.
EVIL = [
    "{{ 7 * 7 }}",
    "{{ nope }}",
    "{% raw",
    "{# x #}y",
    "promo.txt",
    "query.sql",
    "{{ params.who }}",
    "{x}",
]
ROWS = [{"recipient": f"0912000{place:04d}", "message": f"Hi {name}"} for place, name in enumerate(EVIL, 1)]
TEXTS = [row["message"] for row in ROWS]
BARE = [{**row, "message": name} for row, name in zip(ROWS, EVIL, strict=True)]


@pytest.fixture
def dag(request):
    """An empty DAG of this test's own."""
    return make_dag(request)


@pytest.fixture
def native_dag(request):
    """One that renders native objects."""
    return make_dag(request, render_template_as_native_obj=True)


def make_dag(request, **options):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    params = {
        "who": "Sara", "nothing": None, "number": "+989120000001", "code": "0012", "whole": 12, "line": LINE,
        "rows": [["09120000001", "a"]],
    }  # fmt: skip
    start = pendulum.datetime(2026, 1, 1)
    return DAG(name, schedule=None, start_date=start, params=params, **options)


@pytest.fixture
def run(run_dag):
    """Run a DAG; give the states of its tasks by their ids."""

    def run(dag, **kwargs):
        tasks = run_dag(dag, **kwargs).get_task_instances()
        return {f"{ti.task_id}{ti.map_index if ti.map_index >= 0 else ''}": str(ti.state) for ti in tasks}

    return run


def upstream(value, name="rows", dag=None):
    """Add a task that returns a value."""

    @task(task_id=name, dag=dag, show_return_value_in_logs=False)
    def give():
        return value

    return give()


def send(**options):
    return PeerToPeerSMSOperator(**{"task_id": "send", "from_number": LINE, **options})


def mapped(**options):
    return PeerToPeerSMSOperator.partial(**{"task_id": "send", "from_number": LINE, **options})


def by_output():
    send(messages=upstream(BARE))


def by_list_of_outputs():
    send(messages=[upstream(each, f"row{place}") for place, each in enumerate(BARE)])


def by_expand():
    mapped().expand(messages=upstream([BARE]))


def by_expand_kwargs():
    mapped().expand_kwargs(upstream([{"messages": BARE}]))


def by_expand_kwargs_over_partial():
    mapped(messages=[]).expand_kwargs(upstream([{"messages": BARE}]), strict=False)


def by_list_of_kwargs():
    mapped().expand_kwargs([upstream({"messages": BARE})])


def by_output_in_a_list_of_kwargs():
    mapped().expand_kwargs([{"messages": upstream(BARE)}])


def by_zip():
    mapped().expand_kwargs(upstream([BARE]).map(lambda rows: {"messages": rows}))


def by_mapped_group():
    @task_group
    def group(rows):
        send(messages=rows)

    group.expand(rows=upstream([BARE]))


def by_mapped_group_of_kwargs():
    @task_group
    def group(rows):
        send(messages=rows)

    group.expand_kwargs(upstream([{"rows": BARE}]))


def by_expand_kwargs_in_groups():
    @task_group
    def inner(text):
        mapped(text=text).expand_kwargs(upstream([{"messages": [{**BARE[0], "message": ""}, *BARE[1:]]}]))

    @task_group
    def outer():
        inner("{{ '{{ 7 * 7 }}' | replace('{', '{{') | replace('}', '}}') }}")

    outer()


def by_function():
    @task.p2psms(from_number=LINE)
    def tell(rows):
        return rows

    tell(upstream(BARE))


def by_function_of_lists():
    @task.p2psms(from_number=LINE)
    def tell(*args, rows):
        return [*args[0], *rows["more"]]

    tell([upstream(BARE[0], "one")], rows={"more": upstream(BARE[1:])})


def by_mapped_function():
    @task.p2psms(from_number=LINE)
    def tell(rows, note):
        assert "Sara" == note
        return rows

    tell.partial(note="{{ params.who }}").expand(rows=upstream([BARE]))


def by_mapped_function_of_kwargs():
    @task.p2psms(from_number=LINE)
    def tell(rows, note):
        assert "Sara" == note
        return rows

    tell.partial(note="{{ params.who }}").expand_kwargs(upstream([{"rows": BARE}]))


def by_xcom_in_a_template():
    upstream(BARE) >> send(messages="{{ ti.xcom_pull(task_ids='rows') | tojson }}")


WAYS = [each for name, each in globals().items() if name.startswith("by_")]


@pytest.mark.sampled(9)
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_rows_of_other_tasks_are_data(way, native, request, run, p2psms_sandbox: Sandbox):
    """However rows of another task get into a send, their texts arrive as they are, letter by letter."""
    with make_dag(request, render_template_as_native_obj=native) as dag:
        way()

    assert {"success"} == set(run(dag).values())
    assert EVIL == sorted(p2psms_sandbox.texts_arrived, key=EVIL.index)


def test_an_object_in_rows_is_not_rendered(dag, run, p2psms_sandbox: Sandbox):
    """A row of a class that has template fields, as Airflow's own have, is a row."""

    class Row(dict[str, Any]):
        template_fields = ("note",)
        note = "{{ nope }}"

    with dag:
        send(messages=[Row(recipient="09120000001", message="Hi")])

    assert {"send": "success"} == run(dag)


def test_what_the_author_writes_is_rendered(dag, run, p2psms_sandbox: Sandbox):
    """Rows, texts and arguments in the DAG file are templates, also where a task is mapped over them."""
    row = {"recipient": "09120000001", "message": "{{ params.who }} 0"}
    many = [("09120000002", "{{ params.who }} 1"), ("09120000003", "x")]
    with dag:
        send(messages=[row, tuple(many[0])])
        mapped(task_id="listed").expand(messages=[[("09120000004", "{{ params.who }} 2")]])
        mapped(task_id="kwargs", text="{{ params.who }} {n}").expand_kwargs(
            [{"messages": [{"recipient": "09120000005", "n": "{{ 3 }}"}]}]
        )
        mapped(task_id="partial", text="{{ params.who }} {n}").expand_kwargs(
            upstream([{"messages": [{"recipient": "09120000006", "n": "{{ 4 }}"}]}])
        )

    assert {"success"} == set(run(dag).values())
    assert {"Sara 0", "Sara 1", "Sara 2", "Sara 3", "Sara {{ 4 }}"} == set(p2psms_sandbox.texts_arrived)


def test_a_subclass_has_templates_of_its_own(dag, run, p2psms_sandbox: Sandbox):
    """What a class of the author's hands in is rendered, also where its rows come from another task."""

    class Greeting(PeerToPeerSMSOperator):
        def __init__(self, **kwargs):
            super().__init__(text="Dear {{ params.who }}, {n}", **kwargs)

    with dag:
        Greeting.partial(task_id="send", from_number=LINE).expand_kwargs(
            upstream([{"messages": [{"recipient": "09120000001", "n": "{{ 1 }}"}]}])
        )

    assert {"success"} == set(run(dag).values())
    assert ["Dear Sara, {{ 1 }}"] == p2psms_sandbox.texts_arrived


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "field", ["text", "from_number", "send_time", "outcomes", "resend", "p2psms_conn_id"]
)
@pytest.mark.parametrize("way", ["output", "expand", "expand_kwargs"])
def test_a_parameter_of_another_task_is_no_template(field, way, dag, run, p2psms_sandbox: Sandbox, capfd):
    """It is neither rendered nor sent as it is: the task fails, and says which parameter it was."""
    options: dict[str, Any] = {
        "messages": [{"recipient": "09120000001", "n": 1}],
        "from_number": LINE,
        "text": "{n}",
    }
    options.pop(field, None)
    with dag:
        if way == "output":
            PeerToPeerSMSOperator(task_id="send", **options, **{field: upstream("{{ params.who }}")})
        else:
            task = PeerToPeerSMSOperator.partial(task_id="send", **options)
            if way == "expand":
                task.expand(**{field: upstream(["{{ params.who }}"])})
            else:
                task.expand_kwargs(upstream([{field: "{{ params.who }}"}]))

    states = run(dag)
    assert {"rows": "success", "send" if way == "output" else "send0": "failed"} == states
    assert f'"{field}" comes from another task and holds {{{{' in "".join(capfd.readouterr())
    assert not p2psms_sandbox.arrived


def test_a_text_of_another_task_has_columns(dag, run, p2psms_sandbox: Sandbox):
    """It is a text like the author's, but for templates."""
    with dag:
        send(messages=[{"recipient": "09120000001", "n": "x"}], text=upstream("Dear {n}"))

    assert {"success"} == set(run(dag).values())
    assert ["Dear x"] == p2psms_sandbox.texts_arrived


FAULTS = [
    ("{{ nope }}", "'nope' is undefined (line 1)"),
    ("a\n{{ params.nope }}", "(line 2)"),
    ("{{ 1 / 0 }}", "ZeroDivisionError (line 1)"),
    ("{% if %}", "TemplateSyntaxError (line 1)"),
    ("{{ {}['secret'] }}", "UndefinedError (line 1)"),
]


@pytest.mark.sampled(7)
@pytest.mark.parametrize(("template", "told"), FAULTS)
@pytest.mark.parametrize("way", ["text", "messages", "mapped", "function", "mapped function"])
def test_a_template_that_fails_shows_nothing(way, template, told, dag, run, p2psms_sandbox: Sandbox, capfd):
    """The error names the field and the reason; neither log, output nor database has what is in the field."""
    number, word = f"935{secrets.randbelow(10**7):07d}", secrets.token_hex(8)
    whole = f"{template.replace('secret', word)} {word}"
    field = {"text": "text", "mapped": "text", "messages": "messages"}.get(way, "op_kwargs")
    with dag:

        @task.p2psms(from_number=LINE)
        def tell(rows, note):
            return rows

        rows = [{"recipient": number, "message": word}]
        if way == "text":
            send(messages=rows, text=whole)
        elif way == "messages":
            send(messages=[*rows, {"recipient": number, "message": whole}])
        elif way == "mapped":
            mapped(text=whole).expand(messages=[rows])
        elif way == "function":
            tell(rows, whole)
        else:
            tell.partial(note=whole).expand(rows=[rows])
        field = "op_args" if way == "function" else field

    assert {"failed"} == set(run(dag).values())
    output = "".join(capfd.readouterr())
    assert f'The template in "{field}" fails: ' in output
    assert told in output
    assert not p2psms_sandbox.arrived
    look_for((number, word), output, dag)


def look_for(private, output, dag):
    """Assert that neither logs nor the tables that Airflow writes at run time hold something."""
    home = Path(os.environ["AIRFLOW_HOME"])
    written = {file: file.read_text("utf-8", "replace") for file in home.rglob("*.log")} | {"output": output}
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        tables = {table for (table,) in database.execute("select name from sqlite_master where type='table'")}
        for table in tables - {"serialized_dag", "dag_code"}:  # the author wrote it there
            written[table] = str(database.execute(f'select * from "{table}"').fetchall())
    assert [] == [(str(name), each) for name, text in written.items() for each in private if each in text]


def test_a_task_whose_template_failed_goes_on_when_it_is_mended(
    dag, run_dag, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
):
    """A retry finds the ledger that the failed try began, and sends."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))
    tries = []

    def number():
        tries.append(1)
        if len(tries) == 1:
            raise OSError
        return "09120000001"

    dag.user_defined_macros = {"number": number}
    with dag:
        send(messages=[("{{ number() }}", "Hi")], retries=1, retry_delay=dt.timedelta(0))
    (ti,) = run_dag(dag).get_task_instances()

    assert ("success", 2) == (str(ti.state), len(tries))
    assert ["Hi"] == p2psms_sandbox.texts_arrived


@pytest.mark.sampled(2)
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("resend", "is_wish"), [("{{ params.nothing }}", False), ("{{ '' }}", False), ("{{ 'a' }}", True)]
)
def test_a_template_without_a_wish(
    resend, is_wish, native, request, run, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
):
    """What it gives for nothing is no word: there is no ledger but the task's own."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))
    with make_dag(request, render_template_as_native_obj=native) as dag:
        send(messages=[("09120000001", "Hi")], resend=resend)

    assert {"send": "success"} == run(dag)
    assert is_wish == any(file.name.startswith("p2psms-") for file in tmp_path.rglob("*"))


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("field", "template"),
    [
        ("text", "{{ params.nothing }}"),
        ("text", "Dear {{ params.nothing }}, {n}"),
        ("text", "{{ 'None' }}"),
        ("text", " {{ none }} "),
        ("send_time", "{{ params.nothing }}"),
        ("from_number", "{{ params.nothing }}"),
        ("outcomes", "/tmp/{{ params.nothing }}.csv"),
        ("on_in_doubt", "{{ params.nothing }}"),
        ("messages", [{"recipient": "09120000001", "message": "Dear {{ params.nothing }}"}]),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_none_is_no_text(field, template, native, request, run, p2psms_sandbox: Sandbox, capfd):
    """Where a template would write None into a text, nothing is sent, and the field is named."""
    options = {"messages": [{"recipient": "09120000001", "n": 1}], "text": "{n}", "from_number": LINE}
    with make_dag(request, render_template_as_native_obj=native) as dag:
        send(**{**options, field: template})

    assert {"send": "failed"} == run(dag)
    assert f'The template in "{field}" fails: a value in it is None' in "".join(capfd.readouterr())
    assert not p2psms_sandbox.arrived


def test_a_text_may_be_a_file(request, run, p2psms_sandbox: Sandbox, tmp_path):
    """The name of a .txt or .j2 file stands for the template in it, in `text` alone."""
    (tmp_path / "promo.txt").write_text("Dear {{ params.who }}, {n}\n", "utf-8")
    (tmp_path / "list.txt").write_text("recipient,n\n09120000001,{{ x }}\n", "utf-8")
    with make_dag(request, template_searchpath=str(tmp_path)) as dag:
        send(file=str(tmp_path / "list.txt"), text="promo.txt")
        mapped(task_id="mapped", text="promo.txt").expand(
            messages=[[{"recipient": "09120000002", "n": "promo.txt"}]]
        )
        send(task_id="typed", messages=[("09120000003", "promo.txt")])
        send(task_id="address", messages=[{"recipient": "09120000004"}], text="http://x.ir/a.txt")

    assert {"success"} == set(run(dag).values())
    assert {"Dear Sara, {{ x }}", "Dear Sara, promo.txt", "promo.txt", "http://x.ir/a.txt"} == set(
        p2psms_sandbox.texts_arrived
    )


def test_a_file_that_is_not_there(dag, run, p2psms_sandbox: Sandbox, capfd):
    """It is no text."""
    with dag:
        send(messages=[{"recipient": "09120000001"}], text="promo.txt")

    assert {"send": "failed"} == run(dag)
    assert 'The template in "text" fails: there is no file' in "".join(capfd.readouterr())
    assert not p2psms_sandbox.arrived


def test_native_rendering_keeps_texts(native_dag, run, p2psms_sandbox: Sandbox, tmp_path):
    """Numbers, codes and times arrive as they were written; what is no text keeps its type."""
    (tmp_path / "12.csv").write_text("recipient,message\n09120000009,file\n", "utf-8")
    with native_dag as dag:
        send(
            messages="{{ params.rows }}",
            from_number="{{ params.line }}",
            resend="{{ params.whole }}",
            on_in_doubt="{{ 'reconcile' }}",
            outcomes=f"{tmp_path}/{{{{ params.whole }}}}.out",
        )
        send(
            task_id="texts",
            messages=[
                {"recipient": "{{ params.number }}", "code": "{{ params.code }}", "sum": "{{ '12.50' }}"}
            ],
            text="{code} {sum} {{ params.whole }} {{ '1e5' }}",
        )
        send(
            task_id="numbers", messages=[{"recipient": "{{ params.number }}"}], text="{{ params.code }}",
            send_time="{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(days=2) }}",
        )  # fmt: skip
        send(task_id="file", file=f"{tmp_path}/{{{{ params.whole }}}}.csv")

    assert {"success"} == set(run(dag).values())
    assert {
        ("+989120000001", "a"), ("+989120000001", "0012 12.50 12 1e5"), ("+989120000001", "0012"),
        ("+989120000009", "file"),
    } == {(each.recipient, each.text) for each in p2psms_sandbox.arrived}  # fmt: skip
    assert {LINE} == {each.from_number for each in p2psms_sandbox.arrived}


@pytest.mark.parametrize(("field", "value"), [("from_number", 983000505), ("text", 12), ("outcomes", 7)])
def test_a_number_where_a_text_belongs(field, value, dag, run, p2psms_sandbox: Sandbox, capfd):
    """Another task's number has lost its plus or its zeros already, and is refused by name."""
    options = {"messages": [{"recipient": "09120000001"}], "text": "Hi", "from_number": LINE}
    with dag:
        send(**{**options, field: upstream(value)})

    assert {"rows": "success", "send": "failed"} == run(dag)
    assert f"{field} must be a text: a number has lost its plus and its leading zeros. It is" in "".join(
        capfd.readouterr()
    )
    assert not p2psms_sandbox.arrived


@pytest.mark.parametrize("way", ["operator", "query", "cancel", "sensor"])
def test_rows_that_are_handed_in_as_parameters_are_not_shown(way, dag, run, p2psms_sandbox: Sandbox, capfd):
    """`.expand_kwargs(rows)` is an easy mistake: the error names the columns, and nothing of the rows."""
    number, word = f"935{secrets.randbelow(10**7):07d}", secrets.token_hex(8)
    classes: dict[str, tuple[Any, dict[str, Any]]] = {
        "operator": (PeerToPeerSMSOperator, {"messages": []}),
        "query": (SQLToSMSOperator, {"sql": "SELECT 1", "conn_id": "shop"}),
        "cancel": (CancelScheduledSMSOperator, {"message_outbox_ids": []}),
        "sensor": (SMSDeliverySensor, {"message_outbox_ids": []}),
    }
    operator, options = classes[way]
    with dag:
        operator.partial(task_id="send", **options).expand_kwargs(
            upstream([{"mobile": number, "greeting": word}])
        )

    assert {"rows": "success", "send0": "failed"} == run(dag)
    output = "".join(capfd.readouterr())
    assert "there are no parameters greeting, mobile" in output
    assert not p2psms_sandbox.arrived
    home = Path(os.environ["AIRFLOW_HOME"])
    logs = "".join(file.read_text("utf-8", "replace") for file in home.rglob("*.log"))
    assert not any(private in text for text in (output, logs) for private in (number, word))


@pytest.mark.parametrize("native", [False, True])
def test_what_airflow_has_words_for_is_the_authors(native, request, run, p2psms_sandbox: Sandbox, tmp_path):
    """`literal()` is no template, a path in object storage may be one, a local one and a macro are taken."""
    (tmp_path / "Sara.csv").write_text("recipient,n\n09120000001,1\n", "utf-8")
    (tmp_path / "{{ x }}.csv").write_text("recipient,n\n09120000002,2\n", "utf-8")
    with make_dag(request, render_template_as_native_obj=native) as dag:
        send(
            task_id="storage",
            file=ObjectStoragePath(f"file://{tmp_path}/{{{{ params.who }}}}.csv"),
            text=literal("{{{n}}}"),
        )
        send(task_id="local", file=tmp_path / "{{ x }}.csv", text=lambda context, jinja_env: "by {n}")

    assert {"success"} == set(run(dag).values())
    assert {"{1}", "by 2"} == set(p2psms_sandbox.texts_arrived)


def test_objects_among_a_functions_arguments(dag, run, p2psms_sandbox: Sandbox):
    """An object with template fields is rendered, in a copy; tuples and sets stay what they are."""

    class Note:
        template_fields = ("text",)

        def __init__(self, text):
            self.text = text

    class Pair(NamedTuple):
        left: str
        right: str

    note = Note("{{ params.who }}")
    with dag:

        @task.p2psms(from_number=LINE)
        def tell(note, pair, names, plain):
            assert (Pair("Sara", "x"), {"Sara"}, ("Sara",)) == (pair, names, plain)
            return [("09120000001", note.text)]

        tell(note, Pair("{{ params.who }}", "x"), names={"{{ params.who }}"}, plain=("{{ params.who }}",))

    assert {"success"} == set(run(dag).values())
    assert ["Sara"] == p2psms_sandbox.texts_arrived
    assert "{{ params.who }}" == note.text


def test_an_argument_may_be_none(native_dag, run, p2psms_sandbox: Sandbox):
    """What a function makes of None is its author's to judge."""
    with native_dag as dag:

        @task.p2psms(from_number=LINE)
        def tell(nothing, text):
            assert nothing is None
            return [("09120000001", text)]

        tell("{{ params.nothing }}", text="{{ params.nothing }}{{ params.whole }}")

    assert {"success"} == set(run(dag).values())
    assert ["None12"] == p2psms_sandbox.texts_arrived


@pytest.mark.parametrize(
    ("gives", "state"),
    [("skip", "skipped"), ("fail", "failed"), ("absent", "failed")],
)
def test_a_template_may_end_the_task(gives, state, dag, run, p2psms_sandbox: Sandbox, capfd):
    """A macro may skip or fail it; what another task did not return is missed by name."""

    def macro():
        raise (AirflowSkipException if gives == "skip" else AirflowFailException)("geheim")

    dag.user_defined_macros = {"macro": macro}
    with dag:
        if gives == "absent":
            nothing = upstream([])
            send(messages=nothing["geheim"])
        else:
            send(messages=[("09120000001", "{{ macro() }}")])

    assert state == run(dag)["send"]
    output = "".join(capfd.readouterr())
    assert ('What another task returned for "messages"' if gives == "absent" else 'in "messages"') in output
    assert not p2psms_sandbox.arrived


def test_an_undefined_name_in_native_rendering(native_dag, run, p2psms_sandbox: Sandbox, capfd):
    """It fails as in any other, wherever it stands."""
    with native_dag as dag:
        send(task_id="rows", messages="{{ nope }}")
        send(task_id="text", messages=[{"recipient": "09120000001"}], text="{{ nope }}")
        send(task_id="part", messages=[("09120000001", "Dear {{ params.nothing }}")])

    assert {"failed"} == set(run(dag).values())
    output = "".join(capfd.readouterr())
    assert "The template in \"messages\" fails: 'nope' is undefined" in output.replace('\\"', '"')
    assert "a value in it is None" in output
    assert not p2psms_sandbox.arrived


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, None), ("", None), (" none ", None), ("None", None), ("null", None),
        (False, None), ("False", None), ("again", "again"), (7, "7"), ("0", "0"), (0, "0"), (2.5, "2.5"),
    ],
)  # fmt: skip
def test_what_counts_as_a_word_to_send_anew(value, word):
    """What templates and JSON write for nothing is none."""
    assert word == parse_resend(value)


@pytest.mark.parametrize("value", [[], {}, dt.date(2026, 1, 1)])
def test_what_is_no_word_to_send_anew(value):
    """It is refused by its type."""
    with pytest.raises(InvalidMessageError, match="resend must be a word"):
        parse_resend(value)


@pytest.mark.parametrize("operator", [CancelScheduledSMSOperator, SMSDeliverySensor])
def test_ids_of_a_template_that_fails(operator, dag, run, p2psms_sandbox: Sandbox, capfd):
    """Tasks that send nothing name the field, too."""
    operator(task_id="send", dag=dag, message_outbox_ids="{{ nope }}")

    assert {"send": "failed"} == run(dag)
    assert "The template in \"message_outbox_ids\" fails: 'nope' is undefined (line 1)." in "".join(
        capfd.readouterr()
    ).replace('\\"', '"')


def test_a_word_of_a_template_that_fails_opens_no_ledger(
    dag, run, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
):
    """The ledger's name is not known, so that nothing is begun."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))
    with dag:
        send(messages=[("09120000001", "Hi")], resend="{{ nope }}")

    assert {"send": "failed"} == run(dag)
    assert not list(tmp_path.iterdir())
    assert not p2psms_sandbox.arrived
