"""Cancelling in real Airflow: an outcome for each id, and what a task makes of those that were too late."""

from functools import cached_property

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.sms import (
    CancelScheduledSMSOperator,
    PeerToPeerFileOperator,
    PeerToPeerSMSOperator,
)
from airflow_provider_p2psms.sandbox import Sandbox
from tests.conftest import AIRFLOW_VERSION

pytestmark = pytest.mark.airflow

LINE = "+983000505"
ROWS = [(f"0912000{number:04d}", f"text {number}") for number in range(1, 4)]
IN_AN_HOUR = "{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(hours=1) }}"


@pytest.fixture
def dag(request):
    """An empty DAG of this test's own."""
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1))


@pytest.fixture
def run(dag, run_dag):
    """Run the DAG of this test; give the states of its tasks by their ids."""
    return lambda: {ti.task_id: str(ti.state) for ti in run_dag(dag).get_task_instances()}


def send(dag, **options):
    return PeerToPeerSMSOperator(task_id="send", dag=dag, messages=ROWS, from_number=LINE, **options)


def cancel(dag, ids, **options):
    return CancelScheduledSMSOperator(task_id="cancel", dag=dag, message_outbox_ids=ids, **options)


def collect(dag, wanted, **options):
    """Let a task keep what it is given."""
    got = []

    @task(dag=dag, **options)
    def keep(value):
        got.append(value)

    keep(wanted)
    return got


def states(sandbox):
    """Tell the state of each message."""
    hook = SMSHook()
    return {each.outbox_id: hook.report_by_bulk(each.outbox_id)["state_id"] for each in sandbox.arrived}


def test_a_scheduled_send_is_cancelled(dag, run, p2psms_sandbox: Sandbox):
    """The ids of a send are cancelled at the gateway; each has its outcome, under its id as text."""
    sent = send(dag, send_time=IN_AN_HOUR)
    got = collect(dag, cancel(dag, sent.output["message_outbox_ids"]).output)

    assert {"send": "success", "cancel": "success", "keep": "success"} == run()
    assert {7} == set(states(p2psms_sandbox).values())
    assert [{str(message.outbox_id): "cancelled" for message in p2psms_sandbox.arrived}] == got


@pytest.mark.parametrize(("options", "state"), [({}, "failed"), ({"on_failed": "continue"}, "success")])
def test_too_late(options, state, dag, run, p2psms_sandbox: Sandbox, capfd):
    """What was sent cannot be cancelled: the task fails without retries or goes on; the outcome is told."""
    sent = send(dag)
    got = collect(
        dag,
        cancel(dag, sent.output["message_outbox_ids"], retries=3, **options).output,
        trigger_rule="all_done",
    )

    assert state == run()["cancel"]
    assert [{"not_found_or_too_late"}] == [set(outcomes.values()) for outcomes in got]
    told = "3 of 3 messages could not be cancelled" in "".join(capfd.readouterr())
    assert told == (state == "failed")


def test_without_an_answer_it_is_tried_again(dag, run, p2psms_sandbox: Sandbox):
    """A gateway that gave no answer is asked again by the task's own retries."""
    p2psms_sandbox.order_fault("500_before", path="/api/send/cancel", times=9)
    sent = send(dag, send_time=IN_AN_HOUR)
    cancel(dag, sent.output["message_outbox_ids"], retries=1, retry_delay=pendulum.duration(seconds=0))

    assert "success" == run()["cancel"]
    assert {7} == set(states(p2psms_sandbox).values())


def test_as_a_teardown(dag, run, p2psms_sandbox: Sandbox):
    """As the teardown of a send it cancels when the work between has failed."""
    sent = send(dag, send_time=IN_AN_HOUR)

    @task(dag=dag)
    def check():
        raise ValueError

    cancelled = cancel(dag, sent.output["message_outbox_ids"]).as_teardown(setups=sent)
    sent >> check() >> cancelled

    assert {"send": "success", "check": "failed", "cancel": "success"} == run()
    assert {7} == set(states(p2psms_sandbox).values())


def send_half(operator, dag, **options):
    """Schedule three messages, a request each; a fault decides where it ends."""
    options = {"batch_size": 1, "max_in_flight": 1, "send_time": IN_AN_HOUR, **options}
    return operator(task_id="send", dag=dag, messages=ROWS, from_number=LINE, **options)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("multiple_outputs", [True, False])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("operator", [PeerToPeerSMSOperator, PeerToPeerFileOperator])
def test_what_a_failed_send_has_sent(operator, whole, multiple_outputs, dag, run, p2psms_sandbox: Sandbox):
    """A send that fails half way hands on the ids of what was accepted, and a teardown cancels it."""
    p2psms_sandbox.order_fault("refuse_422", after=2)
    sent = send_half(operator, dag, multiple_outputs=multiple_outputs)
    ids = sent.output if whole else sent.output["message_outbox_ids"]
    got = collect(dag, cancel(dag, ids).as_teardown().output)

    assert {"send": "failed", "cancel": "success", "keep": "success"} == run()
    first, second = p2psms_sandbox.arrived
    assert [{f"{first.outbox_id}": "cancelled", f"{second.outbox_id}": "cancelled"}] == got
    assert {7} == set(states(p2psms_sandbox).values())


@pytest.mark.sampled(1)
@pytest.mark.usefixtures("short_times")
@pytest.mark.parametrize("ends", ["refused", "rows are gone", "no connection"])
def test_what_earlier_tries_have_sent(ends, dag, run, p2psms_sandbox: Sandbox, monkeypatch, tmp_path):
    """Airflow deletes a try's ids when the next begins; that one hands them on again, however it fails."""
    rows = tmp_path / "rows.csv"
    rows.write_text("recipient,message\n" + "".join(f"{number},{text}\n" for number, text in ROWS))
    p2psms_sandbox.order_fault("500_before", after=1)
    p2psms_sandbox.order_fault("500_before", path="/api/report/new_list", times=None)
    there = p2psms_sandbox.connection_uri

    def next_try(context):
        p2psms_sandbox.clear_faults()
        p2psms_sandbox.order_fault("refuse_422")
        if ends == "rows are gone":
            rows.unlink()
        if ends == "no connection":
            monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", "p2psms://:@127.0.0.1:1/v1")

    def after(context):
        monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", there)

    sent = PeerToPeerSMSOperator(
        task_id="send", dag=dag, file=str(rows), from_number=LINE, send_time=IN_AN_HOUR, batch_size=1,
        max_in_flight=1, retries=1, retry_delay=pendulum.duration(seconds=0),
        on_retry_callback=next_try, on_failure_callback=after,
    )  # fmt: skip
    got = collect(dag, cancel(dag, sent.output["message_outbox_ids"]).as_teardown().output)

    assert {"send": "failed", "cancel": "success", "keep": "success"} == run()
    [message] = p2psms_sandbox.arrived
    assert [{f"{message.outbox_id}": "cancelled"}] == got


@pytest.mark.skipif(AIRFLOW_VERSION.startswith("2."), reason="a time-out ends Airflow 2's dag.test(), too")
def test_what_a_send_has_sent_that_is_timed_out(dag, run, p2psms_sandbox: Sandbox):
    """The `execution_timeout` ends a send between two requests; what was accepted is handed on."""
    sent = send_half(
        PeerToPeerSMSOperator, dag,
        requests_per_second=0.05, execution_timeout=pendulum.duration(seconds=10),
    )  # fmt: skip
    got = collect(dag, cancel(dag, sent.output["message_outbox_ids"]).as_teardown().output)

    assert {"send": "failed", "cancel": "success", "keep": "success"} == run()
    [message] = p2psms_sandbox.arrived
    assert [{f"{message.outbox_id}": "cancelled"}] == got


def test_a_send_that_has_sent_nothing(dag, run, p2psms_sandbox: Sandbox):
    """A send that fails before anything was accepted hands on that there is nothing to cancel."""
    p2psms_sandbox.order_fault("refuse_401")
    sent = send_half(PeerToPeerSMSOperator, dag)
    got = collect(dag, cancel(dag, sent.output["message_outbox_ids"]).as_teardown().output)

    assert {"send": "failed", "cancel": "success", "keep": "success"} == run()
    assert [{}] == got


def test_a_hook_of_ones_own(p2psms_sandbox: Sandbox):
    """A subclass may bring the hook by which ids are cancelled."""

    class Own(CancelScheduledSMSOperator):
        @cached_property
        def hook(self):
            return SMSHook("p2psms_default")

    operator = Own(task_id="cancel", message_outbox_ids=[999], p2psms_conn_id="none", on_failed="continue")

    assert {"999": "not_found_or_too_late"} == operator.execute({})


@pytest.mark.parametrize(
    ("ids", "state"), [([], "success"), ("[]", "success"), (None, "failed"), ("x", "failed")]
)
def test_ids_of_its_own(ids, state, dag, run, p2psms_sandbox: Sandbox):
    """No ids are no work; what is no id fails."""
    cancel(dag, ids)

    assert {"cancel": state} == run()


def test_wrong_parameters():
    """What can never work is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match="on_failed must be one of fail, continue"):
        CancelScheduledSMSOperator(task_id="cancel", message_outbox_ids=[1], on_failed="ignore")  # type: ignore[arg-type]
