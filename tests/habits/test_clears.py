"""
Retries and clears after something else has changed: rows, ledger, gateway, account, spelling, chunks.

Each test counts at the gateway after each try, as in ``test_habits.py``.
"""

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_p2psms.airflow_compat import airflow_home
from tests.habits.conftest import FORMS, TIMES
from tests.habits.gateway import TOKEN, Entry, Fault, HabitGateway
from tests.habits.habits import HABITS, LATE
from tests.habits.sends import Ended, Task, connect, grouped, judge, number, personal

LAG = 0.3
CUT = Fault(answer="cut")
NOT_TAKEN = Fault(answer="cut", taken=False)


class StateStore:
    """A task's state store as Airflow 3.3 hands it to an operator."""

    def __init__(self):
        self.values = {}

    def get(self, key, default=None):
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key, value, **_):
        self.values[key] = json.dumps(value)

    def delete(self, key):
        self.values.pop(key, None)

    def clear(self, **_):
        self.values.clear()


@pytest.fixture(params=["files", "store"])
def stored(request, task: Task, monkeypatch, gateway: HabitGateway):
    """Keep the ledger in files or in the state store; gives what empties it."""
    folder = Path(os.environ["AIRFLOW__P2PSMS__LEDGER_PATH"])
    if request.param == "files":
        return lambda: shutil.rmtree(folder)
    monkeypatch.delenv("AIRFLOW__P2PSMS__LEDGER_PATH")
    task.state_store = StateStore()
    return task.state_store.clear


# --- rows that vanish between tries


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_group_that_lost_a_member(task: Task, gateway: HabitGateway, form, taken, lost):
    """One recipient opts out between tries: the others of the group are not sent twice."""
    task.operator, task.rows = FORMS[form], grouped(40, size=20)
    task.options = {"batch_size": 20}
    gateway.order(Fault(answer="502_html", taken=taken), nth=lost)
    gateway.fail_questions("500")
    assert "retry" == task.once().kind
    gateway.answer_questions()
    task.rows = task.rows[:3] + task.rows[4:]
    ended = task.run()
    assert ended.kind == "success" or not taken, ended.text
    assert "success" == task.clear(report_lag=LAG).kind


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rest", [0, 1, 10])
def test_rows_that_the_query_no_longer_returns(task: Task, gateway: HabitGateway, form, rest):
    """Messages in doubt whose rows have gone are settled, and their ids belong to the result."""
    task.operator, task.rows = FORMS[form], personal(20)
    gateway.order(CUT, nth=1)
    gateway.fail_questions("500")
    assert "retry" == task.once().kind
    sent = {each for entry in gateway.taken() for each in gateway.ids_of(*entry)}
    gateway.answer_questions()
    ended = task.once(messages=personal(20)[20 - rest :])
    assert "success" == ended.kind, ended.text
    assert sent <= set(ended.result["message_outbox_ids"])


@pytest.mark.parametrize("rest", [0, 10])
def test_rows_that_have_gone_and_cannot_be_settled_fail_the_task(task: Task, gateway: HabitGateway, rest):
    """A task whose vanished rows stay in doubt does not end green or skipped."""
    task.rows = personal(20)
    gateway.change(lag_s=LATE)
    gateway.order(CUT, nth=1)
    task.once()
    task.rows = personal(20)[20 - rest :]
    ended = task.run()
    assert ended.kind in {"retry", "failed"}
    gateway.pass_time(LATE)
    assert "success" == task.clear().kind


def test_rows_that_have_gone_and_were_not_taken(task: Task, gateway: HabitGateway):
    """What was not taken and has no row any more is said to a person once; the next clear is green."""
    task.rows = personal(20)
    gateway.order(NOT_TAKEN, nth=1)
    gateway.fail_questions("500")
    assert "retry" == task.once().kind
    gateway.answer_questions()
    task.rows = personal(20)[10:]
    ended = task.clear(report_lag=LAG)
    assert "failed" == ended.kind
    assert re.search(r"\b10 messages (?s:.*) did not take", ended.text)
    ended = task.clear(report_lag=LAG)
    assert "success" == ended.kind, ended.text
    assert 10 == sum(gateway.taken().values())


@pytest.mark.parametrize("form", FORMS)
def test_rows_added_reordered_and_cut_otherwise(task: Task, gateway: HabitGateway, form):
    """Other batches, another order and more rows: only what was not sent is sent."""
    task.operator = FORMS[form]
    gateway.order(CUT, nth=2)
    gateway.fail_questions("502_html")
    task.once()
    gateway.answer_questions()
    task.rows = [*personal(5, first=100), *reversed(personal(30))]
    assert "success" == task.run(batch_size=7).kind
    assert "success" == task.clear(batch_size=3).kind


@pytest.mark.proof
@pytest.mark.parametrize("taken", [True, False])
def test_a_lost_batch_of_five_thousand(task: Task, gateway: HabitGateway, taken):
    """A batch above the size of one record of the ledger is recognised as a whole."""
    task.rows = personal(5_010)
    task.options = {"batch_size": 5_000}
    gateway.order(Fault(answer="502_html", taken=taken), nth=1)
    gateway.fail_questions("500", times=2)
    assert "success" == task.run().kind
    assert "success" == task.clear().kind


# --- a ledger that is gone, or another one


@pytest.mark.parametrize("form", FORMS)
def test_an_emptied_ledger_sends_nothing_again(task: Task, gateway: HabitGateway, stored, form):
    """Where the ledger of an earlier try is gone, a retry and a clear send nothing and say why."""
    task.operator = FORMS[form]
    gateway.order(CUT, nth=2)
    gateway.fail_questions("500")
    task.once()
    stored()
    gateway.answer_questions()
    sends = gateway.sends
    assert "failed" == task.once(judged=False).kind
    assert "failed" == task.clear(judged=False).kind
    assert sends == gateway.sends


@pytest.mark.parametrize("form", FORMS)
def test_an_emptied_ledger_after_a_success(task: Task, gateway: HabitGateway, stored, form):
    """A clear after a success that finds no ledger is in doubt, and sends nothing."""
    task.operator = FORMS[form]
    assert "success" == task.run().kind
    stored()
    cleared = task.clear(judged=False)
    assert "failed" == cleared.kind
    assert "resend" in cleared.text
    assert 3 == gateway.sends


def test_a_clear_in_the_state_store_sends_nothing_again(task: Task, gateway: HabitGateway):
    """With its state store kept, a clear after a success makes no request."""
    task.state_store = StateStore()
    os.environ.pop("AIRFLOW__P2PSMS__LEDGER_PATH")
    assert "success" == task.run().kind
    assert "success" == task.clear().kind
    assert 3 == gateway.sends


@pytest.mark.parametrize("store", [True, False])
def test_a_ledger_path_that_is_taken_away(task: Task, gateway: HabitGateway, monkeypatch, store):
    """Without its ledger_path the task does not find what was sent, and sends nothing."""
    assert "success" == task.run().kind
    monkeypatch.delenv("AIRFLOW__P2PSMS__LEDGER_PATH")
    task.state_store = StateStore() if store else None
    assert "failed" == task.clear(judged=False).kind
    assert 3 == gateway.sends


def test_a_file_ledger_of_the_same_home_is_read_by_the_state_store(
    task: Task, gateway: HabitGateway, monkeypatch
):
    """After an upgrade to Airflow 3.3 a clear finds the ledger that lies in the home's folder."""
    monkeypatch.delenv("AIRFLOW__P2PSMS__LEDGER_PATH")
    folder = Path(airflow_home()) / "p2psms_ledger"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        assert "success" == task.run().kind
        task.state_store = StateStore()
        cleared = task.clear(judged=False)
        assert 3 == gateway.sends
        assert cleared.kind in {"success", "failed"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_journal_that_is_damaged_sends_nothing(task: Task, gateway: HabitGateway):
    """A flipped byte or a missing journal is an error of the ledger: nothing is sent."""
    gateway.order(CUT, nth=2)
    gateway.fail_questions("500")
    task.once()
    gateway.answer_questions()
    sends = gateway.sends
    journals = [
        each for each in Path(os.environ["AIRFLOW__P2PSMS__LEDGER_PATH"]).rglob("*") if each.is_file()
    ]
    assert journals
    for journal in journals:
        if "turn" in journal.name:  # says who may send, and nothing of what was sent
            continue
        content = journal.read_bytes()
        journal.write_bytes(content[: len(content) // 2] + b"#" + content[len(content) // 2 + 1 :])
        ended = task.once(judged=False)
        assert ended.kind != "success", journal.name
        assert sends == gateway.sends
        journal.write_bytes(content)
    assert "success" == task.clear().kind


# --- another gateway, another account


@pytest.fixture
def other_gateway(gateway: HabitGateway):
    with HabitGateway() as other:
        yield other


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("taken", [True, False])
def test_another_gateway_during_a_doubt(
    task: Task, gateway: HabitGateway, other_gateway, monkeypatch, form, taken
):
    """A failover while messages are in doubt is for a person: the other gateway gets nothing."""
    task.operator = FORMS[form]
    gateway.order(Fault(answer="cut", taken=taken), nth=2)
    gateway.fail_questions("500")
    task.once()
    connect(monkeypatch, other_gateway.url)
    ended = task.run(judged=False)
    assert "failed" == ended.kind
    assert "gateway" in ended.text
    assert 0 == other_gateway.sends
    connect(monkeypatch, gateway.url)
    gateway.answer_questions()
    assert "success" == task.clear(report_lag=LAG).kind


def test_another_gateway_after_a_success(task: Task, gateway: HabitGateway, other_gateway, monkeypatch):
    """From a sandbox to production with a clear: not green with nothing sent there, but for a person."""
    assert "success" == task.run().kind
    connect(monkeypatch, other_gateway.url)
    ended = task.clear(judged=False)
    assert "failed" == ended.kind
    assert "gateway" in ended.text
    assert 0 == other_gateway.sends


@pytest.mark.parametrize("is_same", [True, False])
@pytest.mark.parametrize("in_doubt", [True, False])
def test_another_token(task: Task, gateway: HabitGateway, monkeypatch, is_same, in_doubt):
    """A new token of the same account goes on; one of another account is for a person."""
    gateway.accounts["another-token"] = gateway.accounts[TOKEN] if is_same else "77"
    gateway.order(CUT, nth=2)
    if in_doubt:
        gateway.fail_questions("500")
        task.once()
        gateway.answer_questions()
    else:
        assert "success" == task.run().kind
    connect(monkeypatch, gateway.url, token="another-token")
    ended = task.clear(judged=is_same)
    assert ("success" if is_same else "failed") == ended.kind, ended.text
    assert {1} == set(gateway.taken().values())


# --- identity


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "line", ["3000505", "983000505", "00983000505", "+98 3000505"], ids=["short", "bare", "zeros", "blank"]
)
def test_the_line_spelled_otherwise_on_the_clear(task: Task, gateway: HabitGateway, form, line):
    """Another spelling of the same line sends nothing again."""
    task.operator = FORMS[form]
    task.run()
    assert "success" == task.clear(from_number=line).kind
    assert 3 == gateway.sends


@pytest.mark.parametrize("lost", [True, False])
def test_a_text_spelled_otherwise_on_the_clear(task: Task, gateway: HabitGateway, lost):
    """Arabic in place of Persian letters, digits or blanks on the clear sends nothing again."""
    if lost:
        gateway.order(CUT, nth=1)
        gateway.fail_questions("500")
        task.once()
        gateway.answer_questions()
    else:
        task.run()
    sends = gateway.sends if not lost else 3
    told = [
        (to, each.replace("ی", "ي").replace("ک", "ك").replace("۱", "1").replace("\n", "\r\n"))
        for to, each in task.rows
    ]
    ended = task.clear(messages=told, judged=False)
    assert "success" == ended.kind, ended.text
    assert sends == gateway.sends
    assert {1} == set(gateway.taken().values())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lost", [True, False])
def test_the_key_as_identity(task: Task, gateway: HabitGateway, form, lost):
    """With identity="key" a text that holds the time, or was changed, is not sent again."""
    task.operator = FORMS[form]
    task.options = {"identity": "key", "key_column": "order", "report_lag": LAG}

    def rows(at):
        return [
            {"recipient": number(place), "message": f"your order {place} at {at}", "order": f"o{place}"}
            for place in range(1, 31)
        ]

    if lost:
        gateway.order(CUT, nth=2)
        gateway.fail_questions("500")
        task.once(messages=rows("10:00"), judged=False)
        gateway.answer_questions()
    ended = task.run(messages=rows("10:05"), judged=False)
    assert "success" == ended.kind or lost, ended.text
    task.clear(messages=rows("11:00"), judged=False)
    reached = [entry.number for entry in gateway.taken().elements()]
    told = [each.text for each in task.tries]
    assert len(reached) == len(set(reached)), (sorted(gateway.taken()), told)
    assert 30 == len(reached) or task.tries[-1].kind != "success"


# --- mapped tasks


def mapped(task, index, rows):
    """Return the mapped task of an index, beside the others of its run."""
    return replace(task, map_index=index, rows=rows, tries=[])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lost", [True, False])
def test_chunks_in_another_order(task: Task, gateway: HabitGateway, form, lost):
    """With ledger_path the chunks of mapped tasks may come in another order on the clear: nothing twice."""
    task.operator = FORMS[form]
    chunks = [personal(10, first=first) for first in (1, 11, 21)]
    tasks = [mapped(task, index, chunk) for index, chunk in enumerate(chunks)]
    if lost:
        gateway.order(CUT, nth=1)
    for each in tasks:
        each.run()
    for each, rows in zip(tasks, chunks[1:] + chunks[:1], strict=True):
        each.rows = rows
        ended = each.clear()
        assert "success" == ended.kind, ended.text
    assert 3 == gateway.sends


def test_chunks_cut_otherwise(task: Task, gateway: HabitGateway):
    """Chunks of another size on the clear: what any index has sent is not sent again."""
    tasks = [mapped(task, index, personal(10, first=1 + 10 * index)) for index in range(3)]
    for each in tasks:
        assert "success" == each.run().kind
    for index, each in enumerate(tasks[:2]):
        each.rows = personal(15, first=1 + 15 * index)
        assert "success" == each.clear().kind
    assert 3 == gateway.sends


def test_chunks_in_another_order_in_the_state_store(task: Task, gateway: HabitGateway, monkeypatch):
    """Where each index has its own ledger, rows of another index are refused: nothing is sent."""
    monkeypatch.delenv("AIRFLOW__P2PSMS__LEDGER_PATH")
    chunks = [personal(10, first=first) for first in (1, 11, 21)]
    tasks = [mapped(task, index, chunk) for index, chunk in enumerate(chunks)]
    for each in tasks:
        each.state_store = StateStore()
        assert "success" == each.run().kind
    for each, rows in zip(tasks, chunks[1:] + chunks[:1], strict=True):
        each.rows = rows
        assert "failed" == each.clear(judged=False).kind
    assert 3 == gateway.sends
    assert {1} == set(gateway.taken().values())


# --- what a person says


def test_resend_asks_the_reports_first(task: Task, gateway: HabitGateway):
    """With on_in_doubt="resend" what the reports show is not sent again."""
    gateway.order(CUT, nth=1)
    gateway.fail_questions("500")
    task.run()
    gateway.answer_questions()
    assert "success" == task.clear(on_in_doubt="resend").kind


def test_resend_sends_what_the_reports_do_not_show(task: Task, gateway: HabitGateway):
    """With on_in_doubt="resend" a lone request in doubt is sent on the person's word."""
    task.rows = personal(10)
    gateway.order(NOT_TAKEN, nth=1)
    assert "success" != task.run().kind
    assert "success" == task.clear(on_in_doubt="resend").kind


def test_resend_is_not_for_new_doubts(task: Task, gateway: HabitGateway):
    """A doubt that arises under on_in_doubt="resend" is not resent by it."""
    task.rows = personal(10)
    task.options = {"on_in_doubt": "resend"}
    gateway.change(lag_s=LATE)
    gateway.order_always(Fault(answer="502_html"))
    assert "success" != task.once().kind
    assert 1 == gateway.sends


def test_a_person_resends_at_most_once_per_word(task: Task, gateway: HabitGateway):
    """Under one clear with on_in_doubt="resend" nothing leaves more than once, whatever its retries meet."""
    task.rows, task.offers, task.copies = personal(10), 2, 2
    gateway.change(lag_s=LATE)
    gateway.order_always(Fault(answer="502_html"))
    assert "success" != task.run().kind
    assert 1 == gateway.sends
    task.clear(on_in_doubt="resend")
    assert gateway.sends <= 2


def test_a_message_leaves_at_most_twice_without_a_person(task: Task, gateway: HabitGateway):
    """Over all tries and clears a message leaves twice at most, though no report ever shows it."""
    task.rows = personal(10)
    task.options = {"report_lag": LAG}
    gateway.order_always(Fault(answer="cut", taken=False))
    task.run()
    task.clear()
    ended = task.clear()
    assert "success" != ended.kind
    assert gateway.sends <= 2


def test_a_late_file_does_not_doubt_the_next_try(task: Task, gateway: HabitGateway):
    """A first try that failed since its file was late has sent nothing: the next one sends."""
    path = task.folder / "late.csv"
    del_messages = {"messages": None, "file": str(path)}

    def once():
        task.try_number += 1
        operator = task.operator(task_id="send", retries=2, **del_messages)
        return operator.execute(task.context())

    with pytest.raises(Exception, match=r"late\.csv"):
        once()
    path.write_text(f"recipient,message\n{number(1)},hello\n", encoding="utf-8")
    assert 1 == once()["accepted"]


# --- killed


CHILD = """
import json, sys
from pathlib import Path
import tests.conftest
from airflow_provider_p2psms.operators import sms
from airflow_provider_p2psms.sending.times import Times
from tests.habits.sends import Task
from tests.habits.gateway import HabitGateway

form, folder, rows = sys.argv[1:]
operator = getattr(sms, form)
operator._times = Times(start_within_s=1.0, skew_s=0.2, linger_s=0.2, patience_s=0.4, poll_every_s=0.05)
task = Task(HabitGateway(), operator, Path(folder), rows=json.loads(rows))
task.once(judged=False)
"""


def kill(task, gateway, monkeypatch, *, taken):
    """Run a first try in a process of its own, and kill it while it waits for an answer."""
    connect(monkeypatch, gateway.url, connect_timeout=1, read_timeout=1)
    gateway.order(Fault(answer="hold", taken=taken), nth=2)
    form = task.operator.__name__
    command = [sys.executable, "-c", textwrap.dedent(CHILD), form, str(task.folder), json.dumps(task.rows)]
    keep = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_P2PSMS")}
    ledger = os.environ["AIRFLOW__P2PSMS__LEDGER_PATH"]
    command[2] = (
        "import os, tests.conftest\n"
        f"os.environ.update({keep!r})\n"
        f"os.environ['AIRFLOW__P2PSMS__LEDGER_PATH'] = {ledger!r}\n"
    ) + command[2]
    child = subprocess.Popen(command, start_new_session=True)
    try:
        assert gateway.held.wait(60)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    task.try_number = 1
    task.tries.append(Ended("killed"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("taken", [True, False])
def test_killed_while_it_waits_for_an_answer(task: Task, gateway: HabitGateway, monkeypatch, form, taken):
    """A process that is killed after the gateway took a batch: the next try settles it, each message once."""
    task.operator = FORMS[form]
    kill(task, gateway, monkeypatch, taken=taken)
    ended = task.run()
    assert ended.kind == "success" or not taken, ended.text
    assert "success" == task.clear(report_lag=LAG).kind


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "habit", ["an_hour_behind", "text_null", "recipient_masked", "pages_null", "time_local"]
)
def test_killed_and_the_reports_have_a_habit(task: Task, gateway: HabitGateway, monkeypatch, habit):
    """After a kill the habits of the reports double nothing either."""
    gateway.habits = HABITS[habit]
    kill(task, gateway, monkeypatch, taken=True)
    task.run()
    gateway.pass_time(LATE)
    task.clear()


# --- in Airflow


@pytest.mark.sampled(3)
@pytest.mark.airflow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("habit", ["contract", "text_suffix", "an_hour_behind", "pages_items"])
@pytest.mark.parametrize("taken", [True, False])
def test_in_airflow_with_retries(gateway: HabitGateway, run_dag, request, form, habit, taken):
    """In Airflow itself, with its retries and its state store, none is taken twice and green means sent."""
    import pendulum

    from airflow_provider_p2psms.airflow_compat import DAG

    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    dag = DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    rows = personal(30)
    gateway.habits = HABITS[habit]
    gateway.order(Fault(answer="502_html", taken=taken), nth=1)
    FORMS[form](
        task_id="send",
        dag=dag,
        messages=rows,
        batch_size=10,
        max_in_flight=1,
        retries=2,
        retry_delay=dt.timedelta(0),
    )
    os.environ.pop("AIRFLOW__P2PSMS__LEDGER_PATH")
    run = run_dag(dag)
    (ti,) = run.get_task_instances()
    assert not [entry for entry, count in gateway.taken().items() if count > 1]
    if str(ti.state) == "success":
        assert {Entry(*row) for row in rows} == set(gateway.taken())
    else:
        assert "failed" == str(ti.state)
        assert habit in {"an_hour_behind", "pages_items"}


@pytest.mark.airflow
@pytest.mark.parametrize("taken", [True, False])
def test_mapped_in_airflow(gateway: HabitGateway, run_dag, monkeypatch, taken):
    """Mapped tasks of a run, one of which loses an answer: each message once, as the others are witnesses."""
    import pendulum

    from airflow_provider_p2psms.airflow_compat import DAG

    # The others send so much later that no clock's error puts them before the end of the lost request.
    monkeypatch.setattr(FORMS["json"], "_times", replace(TIMES, patience_s=4.0))
    dag = DAG(f"mapped_{taken}", schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    gateway.order(Fault(answer="cut", taken=taken), nth=2)
    FORMS["json"].partial(
        task_id="send", dag=dag, batch_size=5, max_in_flight=1, retries=2, retry_delay=dt.timedelta(0)
    ).expand(messages=[personal(10, first=first) for first in (1, 11, 21)])
    run = run_dag(dag)
    states = [str(ti.state) for ti in run.get_task_instances()]
    assert ["success"] * 3 == states
    assert 30 == len(gateway.taken())
    assert {1} == set(gateway.taken().values())


def test_the_judge_sees_a_second_copy(task: Task, gateway: HabitGateway):
    """A message that was taken twice fails the judge, whatever the task says of itself."""
    ended = task.run()
    judge(task, ended, task.rows)
    record = gateway.records[0]
    gateway.records.append(replace(record, outbox_id=1))
    with pytest.raises(AssertionError, match="taken up to 2 times"):
        judge(task, ended, task.rows)


def test_the_judge_sees_a_message_that_was_never_sent(task: Task, gateway: HabitGateway):
    """A success without one of its messages fails the judge."""
    ended = task.run()
    gateway.records.pop()
    with pytest.raises(AssertionError):
        judge(task, ended, task.rows)


def test_the_judge_sees_a_doubt_that_is_not_counted(task: Task, gateway: HabitGateway):
    """A failure that hides how many are in doubt fails the judge."""
    gateway.order(CUT, nth=1)
    gateway.fail_questions("500")
    ended = task.once()
    assert 10 == ended.in_doubt
    with pytest.raises(AssertionError):
        judge(task, replace(ended, text="It failed."), task.rows)
