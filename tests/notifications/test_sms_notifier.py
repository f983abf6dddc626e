"""`SMSNotifier` in real Airflow: who is called back is told once, and whatever fails breaks nothing."""

import asyncio
import datetime as dt
import json
import multiprocessing
import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.ledger.stores import ObjectStore
from airflow_provider_p2psms.notifications.sms import SMSNotifier
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.ledgers import LedgerRules, OpenLedger
from tests.conftest import AIRFLOW_VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

IN_AIRFLOW_3 = AIRFLOW_VERSION >= "3"
NUMBERS = ["0912 000 0001", "+989350000002"]
E164 = ["+989120000001", "+989350000002"]


@pytest.fixture(autouse=True)
def _own_ledger(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledger"))


@pytest.fixture
def dag(request):
    return DAG(f"d{abs(hash(request.node.name))}", schedule=None, start_date=pendulum.datetime(2026, 1, 1))


def fails(dag, name="late", **options):
    """Add a task that fails."""

    @task(task_id=name, dag=dag, **options)
    def failing():
        raise ValueError

    return failing()


def works(dag, **options):
    @task(task_id="works", dag=dag, **options)
    def working():
        return None

    return working()


def notifier(*, kind=SMSNotifier, **options):
    return kind(**{"recipients": NUMBERS, "from_number": "+983000505", **options})


class Forgetful(SMSNotifier):
    """One whose window is over at once."""

    _window_s = 0.0


class _Ti:
    """What a callback reads of a task instance."""

    dag_id, run_id, task_id, map_index, try_number, state = "shop", "run", "notify", -1, 1, "failed"

    def __init__(self, **changed):
        vars(self).update(changed)


@pytest.fixture
def logged(caplog, capfd):
    """Give what was logged: Airflow's own loggers write to the output, or to Python's logging."""
    return lambda: "".join((caplog.text, *capfd.readouterr()))


def context(dag, **changed):
    return {"dag": dag, "ti": _Ti(**changed), "run_id": "run"}


def test_a_failed_task_is_told_of(dag, run_dag, p2psms_sandbox: Sandbox):
    """Everyone gets the default text: which task of which DAG has failed, in one part."""
    fails(dag, on_failure_callback=notifier())
    run_dag(dag)

    assert E164 == [message.recipient for message in p2psms_sandbox.arrived]
    (text,) = set(p2psms_sandbox.texts_arrived)
    assert text.startswith(f"Airflow: {dag.dag_id[:10]}")
    assert ".late failed, " in text
    assert len(text) <= 70
    assert 1 == p2psms_sandbox.send_requests


def test_a_task_that_succeeded_is_told_of(dag, run_dag, p2psms_sandbox: Sandbox):
    """The same notifier says of a success that it is one."""
    works(dag, on_success_callback=notifier())
    run_dag(dag)

    assert all(".works succeeded, " in text for text in p2psms_sandbox.texts_arrived)
    assert 2 == len(p2psms_sandbox.arrived)


def test_the_text_is_a_template(dag, run_dag, p2psms_sandbox: Sandbox):
    """Text, recipients, line and connection are rendered with the callback's context, and the event."""
    fails(
        dag,
        on_failure_callback=notifier(
            recipients="{{ '0912 000 0001' }}, 09350000002",
            text="{{ ti.task_id }} of {{ event.run_id == run_id }} {{ event.state }}: {{ ti.try_number }}",
            from_number="{{ '+98' }}3000505",
            p2psms_conn_id="p2psms_{{ 'default' }}",
        ),
    )
    run_dag(dag)

    assert E164 == [message.recipient for message in p2psms_sandbox.arrived]
    assert {"late of True failed: 1"} == set(p2psms_sandbox.texts_arrived)


def test_one_notifier_of_many_tasks_speaks_of_each(dag, run_dag, p2psms_sandbox: Sandbox):
    """A notifier in the default arguments is rendered anew for each event."""
    dag.default_args["on_failure_callback"] = notifier(recipients=NUMBERS[:1], text="{{ ti.task_id }} failed")
    fails(dag, "one")
    fails(dag, "two")
    run_dag(dag)

    assert {"one failed", "two failed"} == set(p2psms_sandbox.texts_arrived)


def test_a_dag_is_told_of(run_dag, p2psms_sandbox: Sandbox):
    """A DAG's own callback speaks of the DAG."""
    dag = DAG("told", schedule=None, start_date=pendulum.datetime(2026, 1, 1), on_failure_callback=notifier())
    fails(dag)
    run_dag(dag)

    assert 2 == len(p2psms_sandbox.arrived)
    assert all(f"{dag.dag_id} failed, " in text for text in p2psms_sandbox.texts_arrived)


@pytest.mark.parametrize("kind", ["failed", "success"])
def test_two_callbacks_of_one_event_are_one_text(kind, dag, p2psms_sandbox: Sandbox):
    """Airflow calls back twice, from two processes with other reasons: one text arrives, also much later."""
    p2psms_sandbox.duplicate_window_s = 0
    for reason in ("own", "processor's"):
        notifier(text="{{ event }} {{ reason }}")({**context(dag, state=kind), "exception": reason})

    assert 1 == p2psms_sandbox.send_requests


@pytest.mark.parametrize(
    "changed", [{"try_number": 2}, {"map_index": 1}, {"task_id": "b"}, {"run_id": "b"}, {"state": "success"}]
)
def test_other_events_are_told_of(changed, dag, p2psms_sandbox: Sandbox):
    """A later try, another task or run, another state is another event."""
    p2psms_sandbox.duplicate_window_s = 0
    notifier(text="the same")(context(dag))
    notifier(text="the same")(context(dag, **changed))

    assert 2 == p2psms_sandbox.send_requests


def test_two_notifiers_of_one_event_both_speak(dag, p2psms_sandbox: Sandbox):
    """To others, or in other words: both go out."""
    for options in ({"text": "a"}, {"text": "b"}, {"text": "b", "recipients": ["09120000009"]}):
        notifier(**options)(context(dag))

    assert 3 == p2psms_sandbox.send_requests


def _tell_in_a_process(uri, ready):
    os.environ["AIRFLOW_CONN_P2PSMS_DEFAULT"] = uri
    ready.wait()
    notifier(text="{{ event }}").notify({"ti": _Ti()})


@pytest.mark.parametrize("scheme", ["", "file://"], ids=["folder", "object storage"])
def test_two_processes_at_once_send_one_text(scheme, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """Those who call back at the same moment take turns, or, in object storage, give way to one of them."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", f"{scheme}{tmp_path}/ledger")
    p2psms_sandbox.duplicate_window_s = 0
    p2psms_sandbox.order_fault("slow", times=None, delay_s=0.5)
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(3)
    processes = [
        fork.Process(target=_tell_in_a_process, args=(p2psms_sandbox.connection_uri, ready)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [0, 0, 0] == [process.exitcode for process in processes]
    assert 1 == p2psms_sandbox.send_requests


def test_who_gave_way_sends_after_all(dag, p2psms_sandbox: Sandbox, tmp_path):
    """A callback that stops for another one tries again, and sends if that one has sent nothing."""
    others: list[OpenLedger] = []

    def begin_another(_path):
        if not others:
            [called] = (tmp_path / "ledger").rglob("called.json")
            others.append(LedgerRules(store=ObjectStore(called.parent)).open())

    p2psms_sandbox.on_request(begin_another)
    p2psms_sandbox.order_fault("busy")
    notifier()(context(dag))

    assert others
    assert not others[0].ledger.is_owner()
    assert (2, E164) == (p2psms_sandbox.send_requests, [each.recipient for each in p2psms_sandbox.arrived])


def test_what_a_callback_left_in_doubt_the_next_one_settles(dag, p2psms_sandbox: Sandbox):
    """A text that was taken without an answer is found in the reports, and not sent again."""
    p2psms_sandbox.duplicate_window_s = 0
    p2psms_sandbox.order_fault("cut_before_answer")
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=30)
    notifier(report_lag=0.1)(context(dag))
    p2psms_sandbox.clear_faults()
    notifier(report_lag=0.1)(context(dag))

    assert 1 == p2psms_sandbox.send_requests
    assert 2 == len(p2psms_sandbox.arrived)


def test_without_files_there_is_a_window(dag, p2psms_sandbox: Sandbox, monkeypatch, tmp_path, caplog):
    """Where no ledger can be written the text goes out all the same, and once in the window."""
    p2psms_sandbox.duplicate_window_s = 0
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "file"))
    text = str(tmp_path)  # in this process no other test has sent it
    notifier(text=text)(context(dag))
    notifier(text=text)(context(dag))
    assert 1 == p2psms_sandbox.send_requests
    assert "For 60 minutes, this process alone remembers" in caplog.text
    assert str(tmp_path / "file") in caplog.text

    notifier(text=text, kind=Forgetful)(context(dag))
    assert 2 == p2psms_sandbox.send_requests


@pytest.mark.parametrize("given", [{}, {"ti": object()}])
def test_an_event_without_a_name_has_a_window(given, p2psms_sandbox: Sandbox, tmp_path):
    """What cannot be told from others like it goes out once in the window, and not once for ever."""
    p2psms_sandbox.duplicate_window_s = 0
    text = str(tmp_path)  # in this process no other test has sent it
    notifier(text=text).notify(dict(given))
    notifier(text=text).notify(dict(given))
    assert 1 == p2psms_sandbox.send_requests

    notifier(text=text, kind=Forgetful).notify(dict(given))
    assert 2 == p2psms_sandbox.send_requests


@pytest.mark.parametrize("fault", ["refuse_401", "refuse_422", "status_false", "500_before", "no connection"])
def test_a_failure_is_logged_and_breaks_nothing(
    fault, dag, run_dag, p2psms_sandbox: Sandbox, monkeypatch, capfd
):
    """The task's state, and its other callbacks, are as they would have been; the log says what failed."""
    called: list[str] = []
    options: dict[str, Any] = {}
    p2psms_sandbox.reports = False
    if fault == "no connection":
        options["p2psms_conn_id"] = "there_is_none"
    else:
        p2psms_sandbox.order_fault(fault, times=None)
    fails(dag, on_failure_callback=[notifier(**options, report_lag=0.1), called.append])
    run = run_dag(dag)

    assert ["failed"] == [str(ti.state) for ti in run.get_task_instances()]
    assert 1 == len(called)
    assert 0 == len(p2psms_sandbox.arrived)
    assert "The SMS was not sent, or its outcome is unknown" in "".join(capfd.readouterr())


def test_a_template_that_fails_sends_the_default(dag, p2psms_sandbox: Sandbox):
    """A text that asks for what this callback does not know gives way to the default text."""
    text, number = "{{ ti.task_id }} {{ nothing.there }}", "{{ '09120000001' }}"
    notifier(text=text, recipients=number, p2psms_conn_id="p2psms_{{ 'default' }}")(context(dag))

    assert {"Airflow: shop.notify failed"} == set(p2psms_sandbox.texts_arrived)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("field", ["text", "recipients", "from_number"])
def test_a_template_that_fails_shows_nothing(field, native, request, run_dag, p2psms_sandbox: Sandbox, capfd):
    """The log names the field and the reason; numbers and texts of the template are not there."""
    number, word = f"0935{secrets.randbelow(10**7):07d}", secrets.token_hex(8)
    options = {
        "recipients": [number, f"{{{{ '{number}'.nope }}}} {word}"] if field == "recipients" else NUMBERS,
        "text": f"{word} {{{{ '{word}'.nope }}}}" if field == "text" else "failed",
        "from_number": f"{{{{ 1 / 0 }}}}{word}" if field == "from_number" else "+983000505",
    }
    dag = DAG(
        f"d{abs(hash(request.node.name))}", schedule=None, start_date=pendulum.datetime(2026, 1, 1),
        render_template_as_native_obj=native,
    )  # fmt: skip
    fails(dag, on_failure_callback=notifier(**options))
    run_dag(dag)

    logs = "".join(
        file.read_text("utf-8", "replace") for file in Path(os.environ["AIRFLOW_HOME"]).rglob("*.log")
    )
    for written in ("".join(capfd.readouterr()), logs):
        assert number[1:] not in written
        assert word not in written
    if field == "text":
        assert all(text.startswith("Airflow: ") for text in p2psms_sandbox.texts_arrived)
    # Of a list of recipients the others are told.
    assert (1 if field == "recipients" else 2) == len(p2psms_sandbox.arrived)


@pytest.mark.parametrize(
    ("recipients", "text", "arrives"),
    [
        ("{{ params.number }}", "{{ params.code }}", {(E164[1], "0012")}),
        (["{{ params.number }}"], "{{ params.whole }}", {(E164[1], "12")}),
        ("{{ params.numbers }}", "{{ '1e5' }}", {(E164[0], "1e5"), (E164[1], "1e5")}),
        ("{{ params.bare }}", "x", {(E164[1], "x")}),
        (NUMBERS[1], "{{ event }}", {(E164[1], "Airflow: shop.notify failed")}),
        (NUMBERS[1], "{{ none }}", {(E164[1], "Airflow: shop.notify failed")}),
        (NUMBERS[1], "{{ '' }}", {(E164[1], "Airflow: shop.notify failed")}),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_numbers_and_codes_stay_texts(recipients, text, arrives, native, request, p2psms_sandbox: Sandbox):
    """Native rendering takes no plus and no zero away; a text that came out as nothing is the default one."""
    if recipients == "{{ params.numbers }}" and not native:
        recipients = "{{ params.numbers | join(', ') }}"
    dag = DAG("shop", schedule=None, render_template_as_native_obj=native)
    params = {"number": E164[1], "numbers": E164, "bare": 9350000002, "code": "0012", "whole": 12}
    notifier(recipients=recipients, text=text, from_number="{{ '+983000505' }}")(
        {**context(dag), "params": params}
    )

    assert arrives == {(each.recipient, each.text) for each in p2psms_sandbox.arrived}
    assert {"+983000505"} == {each.from_number for each in p2psms_sandbox.arrived}


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("\x1b[31mred\x1b[0m", " [31mred [0m"),
        ("ValueError: <Orders object at 0x7f5756c5a830>", "ValueError: <Orders object>"),
        ("آ" * 3_000, "آ" * 1_299 + "…"),
        ("{{ exception }} #REF!", None),
        ("\u200c", None),
    ],
)
def test_an_alert_always_leaves(text, arrives, dag, p2psms_sandbox: Sandbox):
    """What no SMS carries is taken out or cut off; where that is no help, the default text leaves."""
    notifier(text=text, recipients="09120000001")(context(dag))

    [arrived] = p2psms_sandbox.texts_arrived
    assert arrived == arrives or (arrives is None and arrived.startswith("Airflow: "))


def test_a_bad_number_keeps_nobody_else_from_knowing(dag, p2psms_sandbox: Sandbox):
    """Who has a good number is told."""
    notifier(recipients=["12", *NUMBERS])(context(dag))

    assert E164 == [message.recipient for message in p2psms_sandbox.arrived]


def test_nothing_private_is_left_behind(dag, run_dag, p2psms_sandbox: Sandbox, capfd, tmp_path):
    """Neither numbers nor texts are in logs or in the ledger, whether it succeeds or fails."""
    number, word = f"0935{secrets.randbelow(10**7):07d}", secrets.token_hex(8)
    options = {"recipients": [number], "text": f"{word} {{{{ ti.task_id }}}}"}
    fails(dag, "one", on_failure_callback=notifier(**options))
    run_dag(dag)
    assert 1 == len(p2psms_sandbox.arrived)
    p2psms_sandbox.order_fault("refuse_422")
    fails(dag, "two", on_failure_callback=notifier(**options))
    run_dag(dag)

    home = Path(os.environ["AIRFLOW_HOME"])
    files = [*home.rglob("*.log"), *(file for file in tmp_path.rglob("*") if file.is_file())]
    written = {str(file): file.read_text("utf-8", "replace") for file in files}
    written["output"] = "".join(capfd.readouterr())
    assert any("settlement" in text for text in written.values())
    assert [] == [name for name, text in written.items() if number[1:] in text or word in text]


DEADLINE = {
    "dag_run": {
        "dag_run_id": "manual",
        "dag_id": "shop",
        "logical_date": None,
        "run_after": "2026-11-24T08:00:00Z",
        "state": "running",
    },
    "deadline": {"id": "0199", "deadline_time": pendulum.datetime(2026, 11, 24, 9)},
}


@pytest.mark.skipif(not IN_AIRFLOW_3, reason="Airflow 2 has no deadlines")
def test_a_deadline_is_told_of_from_an_event_loop(p2psms_sandbox: Sandbox):
    """Awaited with the little that a deadline's context has, it tells of the run, once."""
    from airflow.sdk import BaseNotifier

    if not hasattr(BaseNotifier, "__await__"):
        pytest.skip("awaited since Airflow 3.1")

    async def call_back():
        await SMSNotifier(recipients=NUMBERS, from_number="+983000505", context=DEADLINE)

    asyncio.run(call_back())
    asyncio.run(call_back())

    assert 1 == p2psms_sandbox.send_requests
    assert {"Airflow: shop missed its deadline, 24 Nov 08:00 UTC"} == set(p2psms_sandbox.texts_arrived)


@pytest.mark.skipif(not IN_AIRFLOW_3, reason="Airflow 2 has no deadlines")
def test_airflows_own_trigger_calls_it_back(p2psms_sandbox: Sandbox):
    """The trigger of a deadline alert makes the notifier of its path and arguments, and reports success."""
    if AIRFLOW_VERSION.startswith("3.0."):
        pytest.skip("deadlines are there since Airflow 3.1")
    try:
        from airflow.triggers.callback import CallbackTrigger
    except ImportError:
        from airflow.triggers.deadline import (  # type: ignore[no-redef]
            DeadlineCallbackTrigger as CallbackTrigger,
        )
    trigger = CallbackTrigger(
        "airflow_provider_p2psms.notifications.sms.SMSNotifier",
        {"recipients": NUMBERS, "text": "{{ dag_run.dag_id }} is late", "context": {**DEADLINE}},
    )

    async def events():
        return [event.payload async for event in trigger.run()]

    last = asyncio.run(events())[-1]

    assert "success" in str(last).lower()
    assert {"shop is late"} == set(p2psms_sandbox.texts_arrived)


@pytest.mark.skipif(IN_AIRFLOW_3, reason="Airflow 3 has no SLAs")
def test_a_missed_sla_is_told_of(dag, p2psms_sandbox: Sandbox):
    """Called with the five arguments of an SLA, it names the DAG; once for each list of tasks."""
    p2psms_sandbox.duplicate_window_s = 0
    for tasks in ("a on 2026", "a on 2026", "b on 2026"):
        notifier()(dag, tasks, "", [], [])

    assert 2 == p2psms_sandbox.send_requests
    assert all(text.endswith("missed its SLA") for text in p2psms_sandbox.texts_arrived)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"recipients": []}, "recipients must be phone numbers"),
        ({"recipients": " , "}, "recipients must be phone numbers"),
        ({"recipients": {"0912": "a"}}, "recipients must be phone numbers"),
        ({"recipients": ["0912", ""]}, "recipients must be phone numbers"),
        ({"recipients": ["0912", None]}, "recipients must be phone numbers"),
        ({"recipients": [object()]}, "recipients must be phone numbers"),
        ({"recipients": NUMBERS, "text": " "}, "text is empty"),
        ({"recipients": NUMBERS, "dedup_key": ""}, "dedup_key is empty"),
        ({"recipients": NUMBERS, "dedup_key": "{{ ds"}, "is a Jinja template with an error"),
        ({"recipients": NUMBERS, "text": "{{ ti"}, "is a Jinja template with an error"),
        ({"recipients": NUMBERS, "text": "{% if %}"}, "is a Jinja template with an error"),
    ],
)
def test_wrong_parameters_are_refused_at_parse(parameters, told):
    """What can never be sent is refused where it is written."""
    with pytest.raises(ValueError, match=told):
        SMSNotifier(**parameters)


NATIVE = pytest.mark.parametrize("native", [False, True], ids=["texts", "native"])


@NATIVE
@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ params.value }}", NUMBERS),
        ("{{ params.value }}", tuple(NUMBERS)),
        ("{{ params.value }}", {*NUMBERS}),
        ("{{ params.value }}", [NUMBERS[:1], [NUMBERS[1:]]]),
        ("{{ params.value }}", {"recipients": NUMBERS}),
        ("{{ params.value }}", [{"recipient": NUMBERS[0], "message": "x"}, {"recipient": NUMBERS[1]}]),
        ("{{ params.value }}", [9120000001, 989350000002]),
        ("{{ params.value }}", " 0912 000 0001 , +989350000002,"),
        ("{{ params.value }}", "0912 000 0001؛ +989350000002"),
        ("{{ params.value }}", '["0912 000 0001", "+989350000002"]'),
        ("{{ params.value }}", '{"recipients": ["0912 000 0001", "+989350000002"]}'),
        ("{{ params.value }}", "[0912 000 0001, +989350000002]"),
        ("{{ params.value }}", "['0912 000 0001', '+989350000002']"),
        ("{{ params.value | map('trim') }}", NUMBERS),
        ("{{ params.value[:1] }}, +989350000002", NUMBERS),
        (["{{ params.value[0] }}", "{{ params.value[1] }}"], NUMBERS),
        (["{{ params.value[0] }}", ["{{ params.nothing.there }}", {"recipient": "+989350000002"}]], NUMBERS),
        ({"recipients": ["{{ params.value }}"]}, NUMBERS),
        ({"0912 000 0001", "+989350000002"}, None),
        ("{{ var.json.on_call }}", NUMBERS),
        ("{{ var.value.on_call }}", NUMBERS),
    ],
)
def test_recipients_come_in_every_shape(template, value, native, p2psms_sandbox: Sandbox, monkeypatch):
    """Lists, nested or as text, rows, sets, numbers and texts with commas all reach both people."""
    if "var." in str(template):
        monkeypatch.setenv("AIRFLOW_VAR_ON_CALL", json.dumps(value))
        variables = _variables()
    else:
        variables = {}
    dag = DAG("shop", schedule=None, render_template_as_native_obj=native)
    notifier(recipients=template)({**context(dag), "params": {"value": value}, "var": variables})

    assert set(E164) == {message.recipient for message in p2psms_sandbox.arrived}


def _variables():
    """Return what templates know as ``var``, from the environment."""
    value = os.environ["AIRFLOW_VAR_ON_CALL"]
    return {"json": {"on_call": json.loads(value)}, "value": {"on_call": value}}


def test_a_set_of_recipients_is_one_notifier_in_every_process(dag, p2psms_sandbox: Sandbox):
    """Its order depends on the process, and two processes may call back for one event: one text arrives."""
    p2psms_sandbox.duplicate_window_s = 0
    for recipients in ({*NUMBERS}, sorted(NUMBERS)):
        notifier(recipients=recipients)(context(dag))

    assert 1 == p2psms_sandbox.send_requests


@NATIVE
@pytest.mark.parametrize("shape", ["column", "pandas", "polars"])
def test_recipients_may_be_a_column_of_a_data_frame(shape, native, p2psms_sandbox: Sandbox):
    """A data frame has them under `recipient`, a column of any name has nothing else."""
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    data = {"name": ["a", "b"], "recipient": NUMBERS}
    frame = polars.DataFrame(data) if shape == "polars" else pandas.DataFrame(data)
    dag = DAG("shop", schedule=None, render_template_as_native_obj=native)
    value = frame["recipient"] if shape == "column" else frame
    notifier(recipients="{{ params.value }}")({**context(dag), "params": {"value": value}})

    assert set(E164) == {message.recipient for message in p2psms_sandbox.arrived}


def test_one_number_of_a_native_template_is_a_recipient(p2psms_sandbox: Sandbox):
    """Native rendering makes an int of it."""
    dag = DAG("shop", schedule=None, render_template_as_native_obj=True)
    notifier(recipients="{{ 9350000002 }}")(context(dag))

    assert E164[1:] == [message.recipient for message in p2psms_sandbox.arrived]


def connect(monkeypatch, sandbox, **extra):
    """Let the connection have extras; the sandbox's own URI has its line."""
    base, _, line = sandbox.connection_uri.partition("?")
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", f"{base}?{line}&{urlencode(extra)}")


@NATIVE
def test_the_connection_has_defaults(native, p2psms_sandbox: Sandbox, monkeypatch):
    """`SMSNotifier()` alerts the connection's recipients, with its text and from its line."""
    connect(
        monkeypatch,
        p2psms_sandbox,
        notifier_recipients="0912 000 0001, +989350000002",
        notifier_text="{{ event }} ({{ params.team }})",
    )
    dag = DAG("shop", schedule=None, render_template_as_native_obj=native)
    SMSNotifier()({**context(dag), "params": {"team": "data"}})

    assert E164 == [message.recipient for message in p2psms_sandbox.arrived]
    assert {"Airflow: shop.notify failed (data)"} == set(p2psms_sandbox.texts_arrived)


def test_a_notifier_s_own_values_come_first(dag, p2psms_sandbox: Sandbox, monkeypatch):
    """What the DAG's author wrote is used instead of the connection's defaults."""
    connect(monkeypatch, p2psms_sandbox, notifier_recipients=NUMBERS[0], notifier_text="not this")
    notifier(recipients=NUMBERS[1], text="{{ event }}")(context(dag))

    assert [E164[1]] == [message.recipient for message in p2psms_sandbox.arrived]
    assert ["Airflow: shop.notify failed"] == p2psms_sandbox.texts_arrived


@pytest.mark.parametrize("recipients", ["{{ nothing.there }}", "{{ none }}", "{{ '' }}", "12", ["{{ 'x' }}"]])
def test_without_a_number_the_connection_s_recipients_are_alerted(
    recipients, dag, p2psms_sandbox: Sandbox, monkeypatch
):
    """A template that fails or gives no number does not lose the alert."""
    connect(monkeypatch, p2psms_sandbox, notifier_recipients=NUMBERS[0])
    notifier(recipients=recipients)(context(dag))

    assert E164[:1] == [message.recipient for message in p2psms_sandbox.arrived]


def test_a_connection_s_text_that_fails_is_the_default(dag, p2psms_sandbox: Sandbox, monkeypatch, logged):
    """The log names the extra; the alert leaves."""
    connect(monkeypatch, p2psms_sandbox, notifier_text="{{ nothing.there }}")
    notifier()(context(dag))

    assert {"Airflow: shop.notify failed"} == set(p2psms_sandbox.texts_arrived)
    assert 'template in "notifier_text"' in logged()


@pytest.mark.parametrize(
    ("recipients", "reason"),
    [
        (
            None,
            r"no recipients. Name them in SMSNotifier(?s:.*)notifier_recipients of connection p2psms_default",
        ),
        ("{{ none }}", "no recipients"),
        (
            "{{ nothing.there }}",
            'template in "recipients" of SMSNotifier fails',
        ),
        ("{{ '' }}", "no recipients"),
        (["{{ '' }}", "{{ none }}"], "No recipient is a phone number. The first is empty"),
        (["12", "09120000"], "No recipient is a phone number. The first "),
        ("{{ params }}", "No recipient is a phone number"),
    ],
)
def test_the_log_has_the_reason(recipients, reason, dag, p2psms_sandbox: Sandbox, logged):
    """Without anybody to alert the log says why."""
    notifier(recipients=recipients)({**context(dag), "params": {"a": 1}})

    assert [] == p2psms_sandbox.arrived
    assert re.search(reason, logged())


def test_a_number_that_is_none_is_in_the_log(dag, p2psms_sandbox: Sandbox, logged):
    """How many got nothing, and why; without the number."""
    notifier(recipients=["0912 000", *NUMBERS])(context(dag))

    assert 2 == len(p2psms_sandbox.arrived)
    written = logged()
    assert "1 recipients got no SMS, since they are no phone numbers. The first " in written
    assert "0912" not in written


def test_callbacks_with_one_key_send_one_text(dag, run_dag, p2psms_sandbox: Sandbox):
    """Twenty tasks of a run fail, with two notifiers and other texts: one text arrives for each run."""
    p2psms_sandbox.duplicate_window_s = 0
    key = "{{ dag.dag_id }}-{{ run_id }}"
    for number in range(4):
        fails(
            dag,
            f"t{number}",
            on_failure_callback=notifier(dedup_key=key, text=f"{number % 2} {{{{ ti.task_id }}}}"),
        )
    run_dag(dag, logical_date=pendulum.datetime(2026, 2, 1))
    assert 1 == p2psms_sandbox.send_requests

    run_dag(dag, logical_date=pendulum.datetime(2026, 2, 2))
    assert 2 == p2psms_sandbox.send_requests


def test_a_text_in_doubt_keeps_its_key(dag, p2psms_sandbox: Sandbox):
    """A text whose answer was lost is not followed by another text of the same key."""
    p2psms_sandbox.duplicate_window_s = 0
    p2psms_sandbox.order_fault("cut_before_answer")
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=30)
    notifier(dedup_key="one", text="a", report_lag=0.1)(context(dag))
    p2psms_sandbox.clear_faults()
    notifier(dedup_key="one", text="b", report_lag=0.1)(context(dag, task_id="other"))

    assert {"a"} == set(p2psms_sandbox.texts_arrived)
    assert 1 == p2psms_sandbox.send_requests


def test_a_key_survives_a_send_that_failed(dag, p2psms_sandbox: Sandbox):
    """The next callback of the key sends what the first could not."""
    p2psms_sandbox.order_fault("refuse_422")
    notifier(dedup_key="one", text="a")(context(dag))
    notifier(dedup_key="one", text="b")(context(dag, task_id="other"))

    assert {"b"} == set(p2psms_sandbox.texts_arrived)


@pytest.mark.parametrize("key", ["{{ nothing.there }}", "{{ '' }}", "{{ none }}"])
def test_a_key_that_came_to_nothing_is_no_key(key, dag, p2psms_sandbox: Sandbox):
    """Each event has a text of its own then."""
    p2psms_sandbox.duplicate_window_s = 0
    for task_id in ("a", "b"):
        notifier(dedup_key=key, text="x")(context(dag, task_id=task_id))

    assert 2 == p2psms_sandbox.send_requests


def test_a_relative_ledger_path_loses_no_alert(dag, p2psms_sandbox: Sandbox, monkeypatch, logged):
    """The text leaves, and the log says what to set."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", "ledger")
    notifier()(context(dag, run_id="relative"))

    assert 2 == len(p2psms_sandbox.arrived)
    assert "absolute path" in logged()


class _Task:
    """What the DAG processor's context has of a task."""

    def __init__(self, **callbacks):
        vars(self).update({"on_retry_callback": [], "on_failure_callback": None, **callbacks})


@pytest.mark.parametrize(
    ("callbacks", "tries", "says"),
    [
        (["on_retry_callback"], (1, 1), "will be retried"),
        (["on_failure_callback"], (2, 1), "failed"),
        (["on_failure_callback"], (1, 1), "failed"),
        (["on_retry_callback", "on_failure_callback"], (1, 1), "will be retried"),
        (["on_retry_callback", "on_failure_callback"], (2, 1), "failed"),
        ([], (1, 1), "will be retried"),
        ([], (1, 0), "failed"),
        ([], (1, None), "failed"),
    ],
)
@pytest.mark.parametrize("as_list", [False, True])
def test_a_task_that_was_killed_is_said_to_be_retried(
    callbacks, tries, says, as_list, dag, p2psms_sandbox: Sandbox
):
    """Airflow 3's DAG processor gives no state: the callback's list and the tries left tell what it does."""
    alert = notifier(recipients=NUMBERS[0])
    task = _Task(**{name: [print, alert] if as_list else alert for name in callbacks})
    alert(context(dag, state=None, try_number=tries[0], max_tries=tries[1], task=task))

    tried = " (try 2)" if tries[0] == 2 else ""
    assert [f"Airflow: shop.notify {says}{tried}"] == p2psms_sandbox.texts_arrived


def test_a_retry_is_announced_as_one(dag, run_dag, p2psms_sandbox: Sandbox):
    """A task with tries left says that it will be retried, and then that it failed."""
    alert = notifier(recipients=NUMBERS[0])
    fails(
        dag, retries=1, retry_delay=dt.timedelta(0), on_retry_callback=alert, on_failure_callback=alert
    )  # fmt: skip
    run_dag(dag)

    assert ["late will be retried", "late failed (try 2)"] == [
        text.partition(",")[0].rpartition(".")[2] for text in p2psms_sandbox.texts_arrived
    ]


def test_it_has_a_name_in_airflow_s_manner():
    """As other providers have it."""
    from airflow_provider_p2psms.notifications.sms import send_p2psms_notification

    assert send_p2psms_notification is SMSNotifier
