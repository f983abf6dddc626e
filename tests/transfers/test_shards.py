"""`shards` in real Airflow: a file in slices, a mapped send over them, each row once."""

import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, AirflowFailException, task, task_group
from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError
from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor
from airflow_provider_p2psms.transfers.shards import ShardsOperator, shards

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

LINE = "+983000505"
OPERATORS = [PeerToPeerSMSOperator, PeerToPeerFileOperator]
COUNT = 25


@pytest.fixture
def file(tmp_path):
    """A list with line ends in its texts, in the code page of its country."""
    path = tmp_path / "list.csv"
    with path.open("w", encoding="cp1256", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["mobile", "text"])
        writer.writerows((f"0912000{number:04}", f"سلام\nشماره {number}") for number in range(1, COUNT + 1))
    return path


TEXTS = [f"سلام\nشماره {number}" for number in range(1, COUNT + 1)]


@pytest.fixture
def dag(request):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"file": ""})


def send_over(slices, operator=PeerToPeerSMSOperator, **how):
    how = {"recipient_column": "mobile", "message_column": "text", "from_number": LINE, **how}
    return operator.partial(task_id="send", **how).expand(file=slices)


def send(part, **how):
    how = {"recipient_column": "mobile", "message_column": "text", "from_number": LINE, **how}
    return PeerToPeerSMSOperator(task_id="send", file=part, **how).execute({})


def states(run):
    return dict(Counter(f"{ti.task_id} {ti.state}" for ti in run.get_task_instances()))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("ledger", ["own", "shared"])
def test_a_mapped_send_over_a_file(
    operator, ledger, file, dag, run_dag, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
):
    """A task cuts the file, each slice is sent by a task of its own, and a last one adds up the results."""
    if ledger == "shared":
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledger"))
    with dag:
        sends = send_over(shards("{{ params.file }}", rows=10), operator)

        @task
        def add_up(results):
            return sum(result["accepted"] for result in results)

        add_up(sends.output)

    run = run_dag(dag, run_conf={"file": str(file)})

    assert {"shards success": 1, "send success": 3, "add_up success": 1} == states(run)
    assert sorted(TEXTS) == sorted(p2psms_sandbox.texts_arrived)
    [total] = [ti.xcom_pull(task_ids="add_up") for ti in run.get_task_instances() if ti.task_id == "add_up"]
    assert COUNT == total


def test_a_function_that_cuts(file, dag, run_dag, p2psms_sandbox: Sandbox):
    """In a function under @task the file is cut at once; its slices go on as they are."""
    with dag:

        @task
        def cut(params=None):
            return shards(params["file"], rows=10)

        send_over(cut())

    assert {"cut success": 1, "send success": 3} == states(run_dag(dag, run_conf={"file": str(file)}))
    assert sorted(TEXTS) == sorted(p2psms_sandbox.texts_arrived)


def test_a_group_for_each_shard(file, dag, run_dag, p2psms_sandbox: Sandbox):
    """Each shard's delivery is waited for by a sensor of its own."""
    p2psms_sandbox.queue_s = p2psms_sandbox.delivery_s = 0
    with dag:

        @task_group
        def shard(file):
            sent = PeerToPeerSMSOperator(
                task_id="send", file=file, recipient_column="mobile", message_column="text", from_number=LINE
            )
            SMSDeliverySensor(
                task_id="delivered",
                message_outbox_ids=sent.output["message_outbox_ids"],
                until="delivered",
                deferrable=True,
            )

        shard.expand(file=shards(file, rows=10))

    assert {"shards success": 1, "shard.send success": 3, "shard.delivered success": 3} == states(
        run_dag(dag)
    )
    assert sorted(TEXTS) == sorted(p2psms_sandbox.texts_arrived)


def test_a_retry_of_a_shard_goes_on(file, dag, run_dag, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """A shard that fails in the middle is finished by its next try; nothing is sent twice."""
    p2psms_sandbox.order_fault("500_after", after=3)
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)

    def repaired(context):
        p2psms_sandbox.clear_faults()

    with dag:
        send_over(
            shards(file, rows=10), batch_size=5, max_in_flight=1, report_lag=0.2, retries=1,
            retry_delay=dt.timedelta(0), on_retry_callback=repaired,
        )  # fmt: skip

    assert {"shards success": 1, "send success": 3} == states(run_dag(dag))
    assert sorted(TEXTS) == sorted(p2psms_sandbox.texts_arrived)


def test_numbers_of_rows_are_those_of_the_whole_file(file, dag, run_dag, p2psms_sandbox: Sandbox, tmp_path):
    """In the outcomes, and in the errors, which name the line of the file as well."""
    content = file.read_text("cp1256").replace("09120000018", "12")
    file.write_text(content, "cp1256")
    with dag:
        send_over(shards(file, rows=10), outcomes=str(tmp_path / "out.csv"))

    run = run_dag(dag)

    assert {"shards success": 1, "send success": 2, "send failed": 1} == states(run)
    rows = [
        [int(row["row"]) for row in csv.DictReader((tmp_path / f"out-{index}.csv").open(encoding="utf-8"))]
        for index in range(3)
    ]
    assert [*range(1, 11)] == rows[0]
    assert [*range(21, 26)] == rows[2]
    assert [*range(11, 21)] == rows[1]
    with pytest.raises(AirflowFailException, match=r"list\.csv, line 36, mobile"):
        send(shards(file, rows=10)[1])


def test_a_file_without_rows(file, dag, run_dag, p2psms_sandbox: Sandbox):
    """There is nothing to map over: the send is skipped."""
    file.write_text("mobile;text\n")
    with dag:
        send_over(shards(file, rows=10))

    assert {"shards success": 1, "send skipped": 1} == states(run_dag(dag))


def test_a_definition_opens_no_file(dag):
    """While a DAG is defined, a file that is not there is no fault; each call makes a task of its own."""
    with dag:
        send_over(shards("/nowhere/list.csv"))
        ShardsOperator(task_id="cut", file=shards("/nowhere/other.csv", "{{ 5 }}"))

    assert {"shards", "send", "shards__1", "cut"} == set(dag.task_ids)
    with pytest.raises(ValueError, match=r"rows must be a whole number of at least 1\. It is 0"), dag:
        shards("/nowhere/list.csv", rows=0)


@pytest.mark.parametrize("how", ["path", "text", "uri", "json", "python"])
def test_where_the_file_lies(how, file, p2psms_sandbox: Sandbox):
    """A path, an address of object storage, or a slice that a template has made a text of."""
    given = {"path": file, "uri": f"file://{file}"}.get(how, str(file))

    parts = shards(given, rows=10)
    written: dict[str, Callable[[Any], Any]] = {"json": json.dumps, "python": str}
    sent = [send(written.get(how, dict)(part))["accepted"] for part in parts]

    assert [10, 10, 5] == sent
    assert TEXTS == p2psms_sandbox.texts_arrived


def test_a_changed_file_sends_nothing(file, p2psms_sandbox: Sandbox):
    """The error names the file and says what to do."""
    first, second, _ = shards(file, rows=10)
    file.write_bytes(file.read_bytes().replace(b"0912000", b"0935000"))

    for part in (first, second):
        with pytest.raises(
            AirflowFailException, match=r"list\.csv has changed since .*(?s:.*)clear the task of"
        ) as error:
            send(part)
        assert "0935" not in str(error.value)
    assert not p2psms_sandbox.arrived


def test_a_file_that_has_grown_sends_its_first_slices(file, p2psms_sandbox: Sandbox):
    """What was cut before is sent; a new cut has the same slices first, and then the new rows."""
    before = shards(file, rows=10)
    with file.open("ab") as stream:
        stream.write("09120009999;سلام\r\n".encode("cp1256"))

    after = shards(file, rows=10)

    assert before[:2] == after[:2]
    assert [10, 10, 5] == [send(part)["accepted"] for part in before]
    assert [10, 10, 6] == [part["rows"] for part in after]


def test_a_file_that_is_gone(file, p2psms_sandbox: Sandbox):
    """Both the task that cuts and the one that sends say that the file is not there."""
    [part] = shards(file)
    file.unlink()

    with pytest.raises(P2PSMSError, match=r"There is no file list\.csv"):
        shards(file)
    with pytest.raises(Exception, match=r"There is no file list\.csv"):
        send(part)


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"sheet": "List"}, "sheet"), ({"hidden_rows": "skip"}, "hidden_rows"),
        ({"encoding": "utf-8"}, "encoding"),
    ],
)  # fmt: skip
def test_a_slice_is_read_as_it_was_cut(how, name, file):
    """What says how the file is read belongs to shards(); at the send only the same is taken."""
    [part] = shards(file, encoding="cp1256")

    PeerToPeerSMSOperator(task_id="same", file=part, encoding="cp1256")
    with pytest.raises(ValueError, match=rf"Give {name} to shards\(\), and remove it here"):
        PeerToPeerSMSOperator(task_id="send", file=part, **how)


def test_what_is_no_slice(dag, run_dag, kept, p2psms_sandbox: Sandbox):
    """Rows given as file by mistake are refused, and not shown."""
    row = {"mobile": "09120000001", "text": "s3cret"}
    with dag:

        @task
        def rows():
            return [row]

        send_over(rows())

    assert {"rows success": 1, "send failed": 1} == states(run_dag(dag))
    assert "s3cret" not in kept("rendered_fields", dag.dag_id)
    with pytest.raises(ValueError, match="neither a path nor a slice of a file"):
        send(row)
    assert not p2psms_sandbox.arrived


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"rows": 0}, "rows must be a whole number of at least 1. It is 0"),
        ({"encoding": "nope"}, "encoding is not a text encoding that Python knows"),
        ({"hidden_rows": "hide"}, "hidden_rows must be one of fail, skip, send"),
        ({"region": "ZZ"}, "region is not a country"),
        ({"sheet": "List"}, r"list\.csv is a text file and has no sheets"),
    ],
)
def test_what_says_how_to_cut_is_checked(how, fault, file):
    """A value that means nothing cuts nothing."""
    with pytest.raises(InvalidMessageError, match=fault):
        shards(file, **how)


def test_more_slices_than_airflow_maps_over(file, monkeypatch):
    """The error says how many rows a slice needs, and that many are enough."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "4")

    with pytest.raises(InvalidMessageError, match=r"25 rows: 9 slices of 3.*\n- Set rows to 7 or more\."):
        shards(file, rows=3)
    assert 4 == len(shards(file, rows=7))
