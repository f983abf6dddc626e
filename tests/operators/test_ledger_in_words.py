"""The sentence beside the ledger in Airflow's task state store: for people alone, and never in the way."""

import datetime as dt
import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pendulum
import pytest

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.airflow_compat import DAG
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from tests.conftest import AIRFLOW_VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("short_times")]

needs_store = pytest.mark.skipif(AIRFLOW_VERSION < "3.3", reason="Airflow has a task state store since 3.3.")

ROWS = [{"recipient": f"0912000{number:04d}", "name": f"n{number}"} for number in range(1, 41)]
ENDED = r"As of 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, when try (\d+) ended\.$"


def send_task(**options):
    options = {"messages": ROWS, "text": "Dear {name}", "batch_size": 10, "max_in_flight": 1, **options}
    return PeerToPeerSMSOperator(task_id="send", report_lag=0.2, **options)


@pytest.fixture
def dag(request):
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1))


def records_of(dag):
    """Give what Airflow's page of a task shows: key and value, in the page's order."""
    with closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")) as database:
        rows = database.execute(
            "select key, value from task_state_store where dag_id = ? order by key", (dag.dag_id,)
        ).fetchall()
    return {key: json.loads(value) for key, value in rows}


def words(text):
    """Give the sentence's counts, and the try that it names."""
    counts, _, ended = text.partition(". ")
    found = re.match(ENDED, ended)
    assert found, ended
    return counts, int(found[1])


@needs_store
def test_the_page_of_a_task_says_how_its_send_stands(dag, run_dag, p2psms_sandbox: Sandbox):
    """A send that is accepted whole says so in a sentence that stands first on the page."""
    with dag:
        send_task()
    run_dag(dag)

    records = records_of(dag)
    assert "p2psms" == next(iter(records))
    assert ("Recipients: 40 accepted, 0 in doubt, 0 refused or not sent", 1) == words(records["p2psms"])
    # One more than the journal's head and the list of journals.
    assert 3 == len(records)


@needs_store
def test_a_failed_try_says_what_is_in_doubt(dag, run_dag, p2psms_sandbox: Sandbox):
    """After a try that fails in the middle the sentence counts; the retry that settles all writes it anew."""
    p2psms_sandbox.order_fault("500_after", after=1)
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)
    told = []

    def corrected(context):
        told.append(records_of(dag)["p2psms"])
        p2psms_sandbox.clear_faults()

    with dag:
        send_task(retries=1, retry_delay=dt.timedelta(0), on_retry_callback=corrected)
    run_dag(dag)

    assert [("Recipients: 10 accepted, 10 in doubt, 20 refused or not sent", 1)] == [*map(words, told)]
    assert ("Recipients: 40 accepted, 0 in doubt, 0 refused or not sent", 2) == words(
        records_of(dag)["p2psms"]
    )


class _Ti:
    """What the operators read of a task instance."""

    dag_id, run_id, task_id, map_index, max_tries = "dag", "run one", "send", -1, 9

    def __init__(self, try_number):
        self.try_number = try_number


class _Accessor:
    """Airflow's state store as a task sees it, and what was asked of it."""

    def __init__(self, *, refuses=()):
        self.records, self.written, self.read, self.refuses = {}, [], [], refuses

    def get(self, key):
        self.read.append(key)
        return self.records.get(key)

    def set(self, key, value, *, retention):
        if key in self.refuses:
            raise ConnectionError("0912 000 0001")
        self.records[key] = value
        self.written.append(key)


@needs_store
class TestTries:
    """Tries of one task, one after another."""

    def execute(self, accessor, try_number=1, **options):
        context = {"ti": _Ti(try_number), "task_state_store": accessor}
        return send_task(**options).execute(context)

    def test_a_try_writes_it_once_at_most(self, p2psms_sandbox: Sandbox):
        """A try that sends writes it once, after all else; a clear that has nothing to do, not at all."""
        accessor = _Accessor()
        self.execute(accessor)
        assert ("p2psms", 1) == (accessor.written[-1], accessor.written.count("p2psms"))

        before = accessor.records["p2psms"]
        assert 40 == self.execute(accessor, 2)["already_accepted"]
        assert (before, 1) == (accessor.records["p2psms"], accessor.written.count("p2psms"))

    def test_a_try_that_stops_before_its_requests_writes_none(self, p2psms_sandbox: Sandbox):
        """Bad rows change nothing in the ledger, so the sentence of the try before stays."""
        accessor = _Accessor()
        with pytest.raises(airflow_compat.AirflowFailException):
            self.execute(accessor, messages=[{"recipient": "12", "name": "x"}])
        assert "p2psms" not in accessor.records

    @pytest.mark.parametrize("value", [None, "", "no words", {"accepted": 0}, ["p2psms"]])
    def test_nobody_reads_it(self, value, p2psms_sandbox: Sandbox):
        """Whatever a person makes of it, and also if it is not there: a later try finds what was sent."""
        accessor = _Accessor()
        self.execute(accessor)
        accessor.records["p2psms"] = value
        if value is None:
            del accessor.records["p2psms"]

        assert 40 == self.execute(accessor, 2)["already_accepted"]
        assert "p2psms" not in accessor.read
        assert 40 == len(p2psms_sandbox.arrived)

    def test_its_failure_fails_no_send(self, p2psms_sandbox: Sandbox, caplog, capfd):
        """A store that refuses it alone: the send succeeds, and the log says so without a number."""
        result = self.execute(_Accessor(refuses=["p2psms"]))

        assert 40 == result["accepted"]
        written = caplog.text + "".join(capfd.readouterr())
        assert "sentence on how this send stands could not be written (ConnectionError)" in written
        assert "0912 000" not in written

    def test_a_word_has_a_sentence_of_its_own(self, p2psms_sandbox: Sandbox):
        """What was sent anew on purpose has another ledger, and does not hide how the first send ended."""
        p2psms_sandbox.duplicate_window_s = 0
        accessor = _Accessor()
        self.execute(accessor)
        self.execute(accessor, 2, resend="again")

        named = sorted(key for key in accessor.records if "." not in key)
        assert 2 == len(named)
        assert ["p2psms", True] == [named[0], named[1].startswith("p2psms-")]
        assert [1, 2] == [words(accessor.records[key])[1] for key in named]

    def test_a_ledger_in_files_has_one_too(self, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
        """With `ledger_path` the sentence stands with the task all the same, and in no file."""
        monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))
        accessor = _Accessor()
        self.execute(accessor)

        assert ["p2psms"] == list(accessor.records)
        assert [] == [file for file in tmp_path.rglob("*") if file.is_file() and "p2psms." not in file.name]


def test_without_a_state_store_there_is_none(p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """Before Airflow 3.3 nothing is written but the ledger."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path))

    assert 40 == send_task().execute({"ti": _Ti(1)})["accepted"]
