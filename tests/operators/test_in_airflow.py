"""The send tasks in real Airflow: DAG in, messages out, and what Airflow keeps of them."""

import csv
import datetime as dt
import os
import secrets
import sqlite3
from collections import Counter
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, AirflowException, task
from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.sms import (
    CancelScheduledSMSOperator,
    PeerToPeerFileOperator,
    PeerToPeerSMSOperator,
)
from airflow_provider_p2psms.rows.worker_process import WorkerLimits
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

OPERATORS = [PeerToPeerSMSOperator, PeerToPeerFileOperator]
LINE = "+983000505"
# Such a file is checked in a process of its own.
LARGE_BYTES = WorkerLimits().large_bytes
TEXT = "خانم یا آقای {name}، سفارش {order} فرستاده شد"
ROWS = [
    {"recipient": f"0912000{number:04d}", "name": f"نام {number}", "order": number} for number in range(1, 6)
]


@pytest.fixture
def dag(request: pytest.FixtureRequest) -> DAG:
    """An empty DAG of this test's own."""
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"name": "x"})


@pytest.fixture
def run(dag: DAG, run_dag):
    """Run the DAG of this test; give the states of its tasks by their ids."""

    def run(**kwargs):
        tasks = run_dag(dag, **kwargs).get_task_instances()
        return {f"{ti.task_id}{ti.map_index if ti.map_index >= 0 else ''}": str(ti.state) for ti in tasks}

    return run


def collect(dag, **wanted):
    """Let a task keep what it is given; what it got stands in the list returned."""
    got = []

    @task(dag=dag)
    def keep(**kwargs):
        got.append({name: kwargs[name] for name in wanted})

    keep(**wanted)
    return got


RESULT = {
    "accepted": 5,
    "already_accepted": 0,
    "invalid": 0,
    "duplicates": 0,
    "requests": 1,
    "parts": 5,
    "cost": None,
    "send_time": None,
    "from_number": LINE,
}


def xcoms(dag, task_id, keys):
    """Let a task pull what another has pushed under these keys; it stands in the list returned."""
    got: list[Any] = []

    @task(dag=dag)
    def pull(ti=None):
        got.extend(ti.xcom_pull(task_ids=task_id, key=key) for key in keys)

    dag.get_task(task_id) >> pull()
    return got


@pytest.mark.parametrize("operator", OPERATORS)
def test_rows_of_a_task_reach_people(operator, dag: DAG, run, p2psms_sandbox: Sandbox):
    """Rows that a task returned arrive with their own texts; the result and the ids are the only XComs."""

    @task(dag=dag)
    def rows():
        return ROWS

    sent = operator(task_id="send", dag=dag, messages=rows(), text=TEXT, from_number=LINE)
    got = collect(dag, result=sent.output, ids=sent.output["message_outbox_ids"])
    others = xcoms(dag, "send", [*RESULT, "_link_OutboxLink"])

    assert {"success"} == {*run().values()}
    ids = [message.outbox_id for message in p2psms_sandbox.arrived]
    assert [{"result": {"message_outbox_ids": ids, **RESULT}, "ids": ids}] == got
    assert [None] * 10 == others
    assert [TEXT.format(**row) for row in ROWS] == p2psms_sandbox.texts_arrived


def test_each_key_of_the_result_as_an_xcom(dag: DAG, run, p2psms_sandbox: Sandbox):
    """With ``multiple_outputs`` each key can be handed on by itself."""
    sent = PeerToPeerSMSOperator(
        task_id="send", dag=dag, messages=ROWS, text=TEXT, from_number=LINE, multiple_outputs=True
    )
    got = collect(dag, ids=sent.output["message_outbox_ids"], **{key: sent.output[key] for key in RESULT})

    assert {"send": "success", "keep": "success"} == run()
    assert [{"ids": [message.outbox_id for message in p2psms_sandbox.arrived], **RESULT}] == got


@pytest.mark.parametrize("multiple_outputs", [False, True])
def test_many_ids_are_runs(multiple_outputs, dag: DAG, run, p2psms_sandbox: Sandbox):
    """Above ``list_ids_up_to`` both XComs hold runs; sensor, cancel and a task's own code read them."""
    sent = PeerToPeerSMSOperator(
        task_id="send",
        dag=dag,
        messages=ROWS,
        text=TEXT,
        from_number=LINE,
        send_time="{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(days=2) }}",
        list_ids_up_to=4,
        multiple_outputs=multiple_outputs,
    )
    ids = sent.output["message_outbox_ids"]
    got = collect(dag, result=sent.output, ids=ids)
    cancel = CancelScheduledSMSOperator(task_id="cancel", dag=dag, message_outbox_ids=ids)
    written = CancelScheduledSMSOperator(
        task_id="cancel_again",
        dag=dag,
        message_outbox_ids="{{ ti.xcom_pull(task_ids='send')['message_outbox_ids'] }}",
    )
    watch = SMSDeliverySensor(
        task_id="watch", dag=dag, message_outbox_ids=sent.output, on_failed="continue", poke_interval=1
    )
    cancelled = collect(dag, outcomes=cancel.output, again=written.output, counts=watch.output)
    cancel >> written >> watch

    assert {"success"} == {*run().values()}
    first, *_, last = outbox_ids = [message.outbox_id for message in p2psms_sandbox.arrived]
    assert [[f"{first}-{last}/2"]] * 2 == [got[0]["ids"], got[0]["result"]["message_outbox_ids"]]
    assert tuple(outbox_ids) == parse_outbox_ids(got[0]["result"])
    outcomes = dict.fromkeys(map(str, outbox_ids), "cancelled")
    assert (outcomes, outcomes, 5) == (
        cancelled[0]["outcomes"],
        cancelled[0]["again"],
        cancelled[0]["counts"]["failed"],
    )


def test_many_ids_of_a_send_that_fails_are_runs(dag: DAG, run, p2psms_sandbox: Sandbox):
    """What was accepted so far is pushed in the same form."""
    p2psms_sandbox.order_fault("refuse_422", after=1)
    PeerToPeerSMSOperator(
        task_id="send",
        dag=dag,
        messages=ROWS,
        text=TEXT,
        from_number=LINE,
        batch_size=3,
        list_ids_up_to="{{ 2 }}",
    )
    got = xcoms(dag, "send", ["return_value", "message_outbox_ids"])
    dag.get_task("pull").trigger_rule = "all_done"

    assert {"send": "failed", "pull": "success"} == run()
    first, *_, last = [message.outbox_id for message in p2psms_sandbox.arrived]
    runs = [f"{first}-{last}/2"]
    assert [{"message_outbox_ids": runs}, runs] == got


def test_a_send_that_pushes_nothing(dag: DAG, run, p2psms_sandbox: Sandbox):
    """With ``do_xcom_push=False`` there is no XCom."""
    PeerToPeerSMSOperator(
        task_id="send", dag=dag, messages=ROWS, text=TEXT, from_number=LINE, do_xcom_push=False
    )
    got = xcoms(dag, "send", ["return_value", "message_outbox_ids"])

    assert {"success"} == {*run().values()}
    assert [None, None] == got
    assert 5 == len(p2psms_sandbox.arrived)


def test_the_next_task_maps_over_the_ids(dag: DAG, run, p2psms_sandbox: Sandbox):
    """One task an id, by way of a task that returns the ids."""

    @task(dag=dag)
    def ids(outbox_ids):
        return outbox_ids

    @task(dag=dag)
    def one(outbox_id):
        assert outbox_id in [message.outbox_id for message in p2psms_sandbox.arrived]

    sent = PeerToPeerSMSOperator(task_id="send", dag=dag, messages=ROWS, text=TEXT, from_number=LINE)
    one.expand(outbox_id=ids(sent.output["message_outbox_ids"]))

    assert Counter({"success": 7}) == Counter(run().values())


def test_a_send_can_be_mapped(dag: DAG, run, p2psms_sandbox: Sandbox):
    """Mapped over lists of rows, each list is a send of its own."""
    PeerToPeerSMSOperator.partial(task_id="send", dag=dag, text=TEXT, from_number=LINE).expand(
        messages=[ROWS[:2], ROWS[2:]]
    )

    assert {"send0": "success", "send1": "success"} == run()
    assert 5 == len(p2psms_sandbox.arrived)
    assert 2 == p2psms_sandbox.send_requests


def test_templates_are_rendered(dag: DAG, run, p2psms_sandbox: Sandbox, tmp_path):
    """Text, line, time, connection, file and outcomes are templates."""
    (tmp_path / "rows.csv").write_text("recipient,who\n09120000001,a\n")
    PeerToPeerSMSOperator(
        task_id="send",
        dag=dag,
        file=f"{tmp_path}/{{{{ 'rows' }}}}.csv",
        text="{{ params.name }} {who}",
        from_number="{{ '+98' }}3000505",
        send_time="{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(days=2) }}",
        p2psms_conn_id="p2psms_{{ 'default' }}",
        outcomes=f"{tmp_path}/{{{{ dag.dag_id }}}}.csv",
    )

    assert {"send": "success"} == run()
    (message,) = p2psms_sandbox.arrived
    assert ("x a", LINE) == (message.text, message.from_number)
    assert message.send_time
    assert (tmp_path / f"{dag.dag_id}.csv").exists()


CSV = 'recipient{0}message\n09120000001{0}سلام «دنا»\n۰۹۱۲۰۰۰۰۰۰۲{0}"سلام{0} دو\nسطر"\n'
TEXTS = ["سلام «دنا»", "سلام{0} دو\nسطر"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1256"])
def test_csv_files_as_they_come(encoding, delimiter, p2psms_sandbox: Sandbox, tmp_path):
    """Encodings and delimiters of CSV files make no difference."""
    written = CSV.format(delimiter)
    if encoding == "cp1256":
        written = written.replace("۰۹۱۲۰۰۰۰۰۰۲", "09120000002")  # it has no Persian digits
    (tmp_path / "rows.csv").write_bytes(written.encode(encoding))

    result = PeerToPeerFileOperator(task_id="send", file=tmp_path / "rows.csv", from_number=LINE).execute({})

    assert [text.format(delimiter) for text in TEXTS] == p2psms_sandbox.texts_arrived
    assert 2 == result["accepted"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_large_file(operator, p2psms_sandbox: Sandbox, tmp_path):
    """It is checked beside the send, row by row as it would be there; one bad row of many sends nothing."""
    numbers = [f"+98912{number:07d}" for number in range(3_000)]
    note = "x" * (LARGE_BYTES // len(numbers))
    rows = [f"{number},code {number[-4:]},{note}\n" for number in numbers]
    (tmp_path / "good.csv").write_text("recipient,message,note\n" + "".join(rows))
    (tmp_path / "bad.csv").write_text("recipient,message,note\n" + "".join([*rows, "12,code,\n"]))
    send = operator(task_id="send", file=tmp_path / "bad.csv", from_number=LINE)

    with pytest.raises(AirflowException, match="1 bad row of 3,001") as raised:
        send.execute({})
    assert "bad.csv, line 3,002, recipient" in str(raised.value)
    assert not p2psms_sandbox.arrived

    send.file = tmp_path / "good.csv"
    assert 3_000 == send.execute({})["accepted"]
    assert {number: f"code {number[-4:]}" for number in numbers} == {
        message.recipient: message.text for message in p2psms_sandbox.arrived
    }


def test_files_from_object_storage(p2psms_sandbox: Sandbox, tmp_path):
    """A URI is opened through Airflow's object storage, for rows and for outcomes."""
    (tmp_path / "rows.csv").write_text("recipient,message\n09120000001,hi\n")

    PeerToPeerSMSOperator(
        task_id="send",
        file=f"file://{tmp_path}/rows.csv",
        outcomes=f"file://{tmp_path}/outcomes.csv",
        from_number=LINE,
    ).execute({})

    (line,) = csv.DictReader((tmp_path / "outcomes.csv").open())
    assert ("1", "accepted") == (line["row"], line["outcome"])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("fault", ["500_after", "cut_before_answer", "refuse_422", "refuse_401"])
def test_airflows_retries_send_nothing_again(operator, fault, dag: DAG, run, p2psms_sandbox: Sandbox):
    """A refusal is not retried; for what no report can settle each retry asks again, and sends nothing."""
    p2psms_sandbox.reports = False
    p2psms_sandbox.order_fault(fault)
    operator(
        task_id="send", dag=dag, messages=ROWS, text=TEXT, from_number=LINE,
        retries=3, retry_delay=dt.timedelta(0),
    )  # fmt: skip

    assert {"send": "failed"} == run()
    assert 1 == p2psms_sandbox.send_requests


def test_a_gateway_out_of_reach_is_tried_again_by_airflow(
    dag: DAG, run, monkeypatch, p2psms_sandbox: Sandbox
):
    """When no connection was made the task's own retries apply, and the send is made once."""
    there = p2psms_sandbox.connection_uri
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", "p2psms://:token@127.0.0.1:1/v1")

    def comes_back(context):
        os.environ["AIRFLOW_CONN_P2PSMS_DEFAULT"] = there

    PeerToPeerSMSOperator(
        task_id="send", dag=dag, messages=ROWS, text=TEXT, from_number=LINE,
        retries=1, retry_delay=dt.timedelta(0), on_retry_callback=comes_back,
    )  # fmt: skip

    assert {"send": "success"} == run()
    assert 5 == len(p2psms_sandbox.arrived)


@pytest.mark.parametrize(
    ("on_empty", "state"),
    [("skip", "skipped"), ("succeed", "success"), ("fail", "failed"), (None, "skipped")],
)
def test_no_rows(on_empty, state, dag: DAG, run, p2psms_sandbox: Sandbox):
    """`on_empty` says what becomes of a task without rows."""
    options = {"on_empty": on_empty} if on_empty else {}
    PeerToPeerSMSOperator(task_id="send", dag=dag, messages=[], from_number=LINE, **options)

    assert {"send": state} == run()
    assert 0 == p2psms_sandbox.send_requests


@pytest.mark.parametrize(
    ("on_backfill", "outcome"),
    [(None, "AirflowSkipException"), ("fail", "AirflowFailException"), ("send", None)],
)
def test_backfills(on_backfill, outcome, p2psms_sandbox: Sandbox):
    """A backfill sends nothing unless told to."""

    class Backfill:
        run_type = "backfill"

    options = {"on_backfill": on_backfill} if on_backfill else {}
    operator = PeerToPeerSMSOperator(task_id="send", messages=ROWS, text=TEXT, from_number=LINE, **options)
    context: Any = {"dag_run": Backfill()}
    raised = None
    try:
        operator.execute(context)
    except Exception as err:  # noqa: BLE001 - its class is what is asserted
        raised = type(err).__name__

    assert outcome == raised
    assert (0 if outcome else 5) == len(p2psms_sandbox.arrived)


def test_a_window_schedules(p2psms_sandbox: Sandbox, caplog):
    """Outside the window the gateway is given the next opening, and the log says so once."""
    caplog.set_level("INFO")
    now = pendulum.now("UTC")
    window = (now.add(hours=2).format("HH:mm"), now.add(hours=3).format("HH:mm"), "UTC")

    result = PeerToPeerSMSOperator(
        task_id="send", messages=ROWS, text=TEXT, from_number=LINE, send_window=window, batch_size=1
    ).execute({})

    assert 1 == caplog.text.count("puts the send off")
    assert now.add(hours=2).format("YYYY-MM-DD HH:mm:00") == result["send_time"]
    assert {result["send_time"]} == {message.send_time for message in p2psms_sandbox.arrived}


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_hook_of_ones_own(operator, p2psms_sandbox: Sandbox):
    """A subclass may bring its own hook: all that the task asks of the connection, it asks of this one."""

    class Own(operator):  # type: ignore[misc]
        @cached_property
        def hook(self):
            return SMSHook("p2psms_default")

    Own(task_id="send", messages=ROWS, text=TEXT, from_number=LINE, p2psms_conn_id="none").execute({})

    assert 5 == len(p2psms_sandbox.arrived)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("fault", [None, "refuse_422", "500_after", "bad rows"])
def test_nothing_private_is_left_behind(
    fault, large, dag: DAG, run, p2psms_sandbox: Sandbox, tmp_path, capfd
):
    """Database, logs and output hold no number, text or token, whether a send succeeds or fails."""
    p2psms_sandbox.duplicate_window_s = 0
    p2psms_sandbox.reports = False
    if fault and fault != "bad rows":
        p2psms_sandbox.order_fault(fault, times=None)
    number, word = f"935{secrets.randbelow(10**4):04d}", secrets.token_hex(8)
    rows = [f"0{number}{place:03d},{word} {place},{word}" for place in range(50)]
    bad = [f"0{number},{word},{word}", f"0{number}000,{word * 100},{word}"] if fault == "bad rows" else []
    note = "x" * (LARGE_BYTES // len(rows)) if large else ""
    lines = [f"{line},{note}" for line in (*rows, *bad)]
    (tmp_path / "rows.csv").write_text("\n".join(["recipient,message,name,note", *lines]), "utf-8")
    options: dict[str, Any] = {"dag": dag, "from_number": LINE, "text": f"{word} {{name}}"}
    outcomes = tmp_path / "outcomes.csv"
    for operator in OPERATORS:
        operator(
            task_id=operator.__name__, file=str(tmp_path / "rows.csv"), outcomes=str(outcomes), **options
        )
    PeerToPeerSMSOperator.partial(task_id="mapped", **options).expand(file=[str(tmp_path / "rows.csv")])

    states = run()

    assert {"failed" if fault else "success"} == set(states.values())
    home = Path(os.environ["AIRFLOW_HOME"])
    written = {str(file): file.read_bytes() for file in [*home.rglob("*"), outcomes] if file.is_file()}
    written["output"] = "".join(capfd.readouterr()).encode()
    told = f"{len(bad)} bad rows of {len(rows + bad)}".encode()
    assert any(told in text for text in written.values()) == (fault == "bad rows")
    for private in (number, p2psms_sandbox.token):
        assert [] == [name for name, text in written.items() if private.encode() in text]
    # The DAG's author wrote this word into the DAG, and so Airflow keeps it with the DAG; but only there.
    assert {"airflow.db", "airflow.db-wal"} >= {
        Path(name).name for name, text in written.items() if word.encode() in text
    }
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        tables = [table for (table,) in database.execute("select name from sqlite_master where type='table'")]
        assert [] == [
            table
            for table in tables
            if table not in {"serialized_dag", "dag_code"}
            and any(word in str(row) for row in database.execute(f'select * from "{table}"'))
        ]
