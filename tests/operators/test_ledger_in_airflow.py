"""The ledger in real Airflow: retries, clears and resend words, in the state store of 3.3 and in files."""

import datetime as dt
import os
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.airflow_compat import DAG
from airflow_provider_p2psms.cli import main
from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from tests.conftest import AIRFLOW_VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

OPERATORS = [PeerToPeerSMSOperator, PeerToPeerFileOperator]
ROWS = [{"recipient": f"0912000{number:04d}", "name": f"n{number}"} for number in range(1, 41)]
HAS_STORE = AIRFLOW_VERSION >= "3.3"


@pytest.fixture(params=["store", "files"])
def ledger(request, monkeypatch, tmp_path):
    """Keep the ledger in Airflow's own store, where there is one, or in files."""
    if request.param == "files":
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledger"))
    elif not HAS_STORE:
        monkeypatch.setattr(airflow_compat, "airflow_home", lambda: str(tmp_path))
    return request.param


@pytest.fixture
def dag(request):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"again": ""})


def send_task(operator, dag, **options):
    options = {"messages": ROWS, "text": "Dear {name}", "batch_size": 10, "max_in_flight": 1, **options}
    return operator(task_id="send", dag=dag, retry_delay=dt.timedelta(0), report_lag=0.2, **options)


def state(run):
    (ti,) = run.get_task_instances()
    return str(ti.state), ti.try_number


def each_once(sandbox):
    return {1} == set(Counter((m.recipient, m.text) for m in sandbox.arrived).values())


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operator", OPERATORS)
def test_airflows_retry_goes_on_where_the_try_ended(operator, ledger, dag, run_dag, p2psms_sandbox: Sandbox):
    """A try that ends in the middle, with something in doubt, is finished by the next: each message once."""
    p2psms_sandbox.order_fault("500_after", after=1)
    # The reports fail as well, so that this try cannot settle it.
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)

    def corrected(context):
        p2psms_sandbox.clear_faults()

    send_task(operator, dag, retries=1, on_retry_callback=corrected)
    run = run_dag(dag)

    assert ("success", 2) == state(run)
    assert 40 == len(p2psms_sandbox.arrived)
    assert each_once(p2psms_sandbox)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("operator", OPERATORS)
def test_what_the_next_try_finds(operator, ledger, dag, run_dag, p2psms_sandbox: Sandbox):
    """The result of a resumed send counts what earlier tries sent, and has all ids in the rows' order."""
    p2psms_sandbox.order_fault("500_before", after=2)
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)
    results = []

    def corrected(context):
        p2psms_sandbox.clear_faults()

    def keep(context):
        results.append(context["ti"].xcom_pull(task_ids="send"))

    send_task(operator, dag, retries=1, on_retry_callback=corrected, on_success_callback=keep)
    run = run_dag(dag)

    assert "success" == state(run)[0]
    ids = {message.text: message.outbox_id for message in p2psms_sandbox.arrived}
    (result,) = results
    assert (40, 20) == (result["accepted"], result["already_accepted"])
    assert [ids[f"Dear {row['name']}"] for row in ROWS] == result["message_outbox_ids"]


def test_records_hold_nothing_personal(ledger, dag, run_dag, p2psms_sandbox: Sandbox, tmp_path):
    """Neither the state store nor the ledger's files hold a number or a text."""
    send_task(PeerToPeerSMSOperator, dag)
    assert "success" == state(run_dag(dag))[0]

    if ledger == "files" or not HAS_STORE:
        written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    else:
        import sqlite3

        with closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")) as database:
            written = str(database.execute("select * from task_state_store").fetchall()).encode()
    assert b"settlement" in written
    assert not any(text in written for text in (b"0912000", b"Dear", b"98912000"))


class _Ti:
    """What the operators read of a task instance, for tries that no scheduler is needed for."""

    dag_id, run_id, task_id, map_index = "dag", "run one", "send", -1

    def __init__(self, try_number, *, max_tries=0):
        self.try_number, self.max_tries = try_number, max_tries


class _Accessor:
    """Airflow's state store as a task sees it."""

    def __init__(self):
        self.records = {}

    def get(self, key):
        return self.records.get(key)

    def set(self, key, value, *, retention):
        self.records[key] = value


class TestTries:
    """Tries of one task, one after another, with the ledger in files."""

    @pytest.fixture(autouse=True)
    def _files(self, monkeypatch, tmp_path):
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledger"))

    def execute(self, try_number, *, max_tries=0, **options):
        operator = PeerToPeerSMSOperator(
            task_id="send", messages=ROWS, text="Dear {name}", batch_size=10, report_lag=0.2, **options
        )
        context: Any = {"ti": _Ti(try_number, max_tries=max_tries)}
        return operator.execute(context)

    def test_a_clear_sends_nothing_again(self, p2psms_sandbox: Sandbox):
        """A cleared success makes no request and returns the same result."""
        first = self.execute(1)
        again = self.execute(2, max_tries=1)

        assert first | {"already_accepted": 40} == again
        assert 40 == len(p2psms_sandbox.arrived)

    def test_a_word_sends_anew_once(self, p2psms_sandbox: Sandbox):
        """Each new word sends everything once; under the same word nothing goes twice."""
        p2psms_sandbox.duplicate_window_s = 0
        self.execute(1)
        self.execute(2, max_tries=1, resend="first")
        self.execute(3, max_tries=2, resend="first")
        assert 80 == len(p2psms_sandbox.arrived)

        self.execute(4, max_tries=3, resend="second")
        assert 120 == len(p2psms_sandbox.arrived)

    def test_a_retry_under_a_word_needs_its_ledger(self, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
        """A retry that does not find what its word's first try left sends nothing."""
        self.execute(2, max_tries=2, retries=1, resend="word")
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "another machine"))

        with pytest.raises(airflow_compat.AirflowFailException, match="ledger_path"):
            self.execute(3, max_tries=2, retries=1, resend="word")
        assert 40 == len(p2psms_sandbox.arrived)

    def test_a_lost_ledger_is_in_doubt(self, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
        """A second try on a machine without the ledger fails for good, and says what to do."""
        self.execute(1)
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "another machine"))

        with pytest.raises(airflow_compat.AirflowFailException, match="ledger_path"):
            self.execute(2)
        assert 40 == len(p2psms_sandbox.arrived)

    @pytest.mark.parametrize("folder", ["-1", ""])
    @pytest.mark.parametrize("place", ["ledger", "airflow home beside the state store"])
    def test_a_ledger_of_an_earlier_version_is_read(
        self, place, folder, p2psms_sandbox: Sandbox, monkeypatch, tmp_path
    ):
        """What an earlier version wrote, also below 3.3, counts: 10 accepted, 10 in doubt, 20 to send."""
        context: Any = {"ti": _Ti(2, max_tries=1)}
        if place == "ledger":
            root = tmp_path / "ledger"
        elif HAS_STORE:
            root = tmp_path / "p2psms_ledger"
            monkeypatch.delenv("AIRFLOW__P2PSMS__LEDGER_PATH")
            monkeypatch.setattr(airflow_compat, "airflow_home", lambda: str(tmp_path))
            context["task_state_store"] = _Accessor()
        else:
            pytest.skip("Airflow has a task state store since 3.3.")
        there = root / "dag" / "run one" / "send" / folder
        there.mkdir(parents=True)
        shutil.copy(Path(__file__).parent / "ledger_of_format_1.json", there / "p2psms.1-eaa4d460.0.json")
        options: dict[str, Any] = {
            "task_id": "send", "messages": ROWS, "text": "Dear {name}, سلام علي", "batch_size": 10,
            "from_number": "3000505",
        }  # fmt: skip

        with pytest.raises(airflow_compat.AirflowFailException, match="10 recipients were accepted, 10 are"):
            PeerToPeerSMSOperator(**options, on_in_doubt="fail").execute(context)
        assert [] == p2psms_sandbox.arrived

        context["ti"] = _Ti(3, max_tries=2)
        result = PeerToPeerSMSOperator(**options, on_in_doubt="resend").execute(context)
        assert (40, 10) == (result["accepted"], result["already_accepted"])
        assert 30 == len(p2psms_sandbox.arrived)
        context["ti"] = _Ti(4, max_tries=3)
        assert 40 == PeerToPeerSMSOperator(**options).execute(context)["already_accepted"]

    def test_object_storage_will_do(self, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
        """The ledger may lie in any object storage, by its URI."""
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", f"file://{tmp_path}/bucket")
        self.execute(1)
        assert 40 == self.execute(2)["already_accepted"]
        assert list((tmp_path / "bucket").rglob("*.json"))

    def test_long_names_in_any_alphabet_have_a_ledger(
        self, p2psms_sandbox: Sandbox, monkeypatch, capsys, tmp_path
    ):
        """DAG, run and task may have long Persian names: nothing is sent twice, and the command shows it."""
        names = {name: "ارسال_پیام_به_مشتریان_" * 5 + name for name in ("dag_id", "run_id", "task_id")}
        for name, value in names.items():
            monkeypatch.setattr(_Ti, name, value)
        self.execute(1)
        assert 40 == self.execute(2)["already_accepted"]

        assert 0 == main(["ledger", "show", *names.values(), "--path", str(tmp_path / "ledger"), "--json"])
        assert '"accepted": 40' in capsys.readouterr().out

    @pytest.mark.parametrize("path", ["ledgers", "./ledgers", "../ledgers"])
    def test_a_relative_ledger_path_is_refused(self, path, p2psms_sandbox: Sandbox, monkeypatch):
        """Each process would have another ledger: nothing is sent, and the error says what to set."""
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", path)

        with pytest.raises(airflow_compat.AirflowFailException, match="absolute path"):
            self.execute(1)
        assert [] == p2psms_sandbox.arrived

    def test_tasks_and_map_indexes_are_told_apart(self, p2psms_sandbox: Sandbox, monkeypatch):
        """Each task has a ledger of its own; in files the map indexes of one task share theirs."""
        p2psms_sandbox.duplicate_window_s = 0
        monkeypatch.setattr(_Ti, "map_index", 3)
        self.execute(1)
        monkeypatch.setattr(_Ti, "map_index", 4)
        assert 40 == self.execute(1)["already_accepted"]
        monkeypatch.setattr(_Ti, "task_id", "another")
        self.execute(1)

        assert 80 == len(p2psms_sandbox.arrived)
