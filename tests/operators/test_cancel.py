"""Cancelling in real Airflow: an outcome for each id, and what a task makes of those that were too late."""

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.sms import CancelScheduledSMSOperator, PeerToPeerSMSOperator

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


def test_a_scheduled_send_is_cancelled(dag, run, p2psms_sandbox):
    """The ids of a send are cancelled at the gateway; each has its outcome, under its id as text."""
    sent = send(dag, send_time=IN_AN_HOUR)
    got = collect(dag, cancel(dag, sent.output["message_outbox_ids"]).output)

    assert {"send": "success", "cancel": "success", "keep": "success"} == run()
    assert {7} == set(states(p2psms_sandbox).values())
    assert [{str(message.outbox_id): "cancelled" for message in p2psms_sandbox.arrived}] == got


@pytest.mark.parametrize(("options", "state"), [({}, "failed"), ({"on_failed": "continue"}, "success")])
def test_too_late(options, state, dag, run, p2psms_sandbox, capfd):
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


def test_without_an_answer_it_is_tried_again(dag, run, p2psms_sandbox, monkeypatch):
    """A gateway that gave no answer is asked again by the task's own retries."""
    monkeypatch.setattr("airflow_provider_p2psms.delivery.cancel._PAUSE_S", 0)
    p2psms_sandbox.order_fault("500_before", path="/api/send/cancel", times=9)
    sent = send(dag, send_time=IN_AN_HOUR)
    cancel(dag, sent.output["message_outbox_ids"], retries=1, retry_delay=pendulum.duration(seconds=0))

    assert "success" == run()["cancel"]
    assert {7} == set(states(p2psms_sandbox).values())


def test_as_a_teardown(dag, run, p2psms_sandbox):
    """As the teardown of a send it cancels when the work between has failed."""
    sent = send(dag, send_time=IN_AN_HOUR)

    @task(dag=dag)
    def check():
        raise ValueError

    cancelled = cancel(dag, sent.output["message_outbox_ids"]).as_teardown(setups=sent)
    sent >> check() >> cancelled

    assert {"send": "success", "check": "failed", "cancel": "success"} == run()
    assert {7} == set(states(p2psms_sandbox).values())


@pytest.mark.parametrize(
    ("ids", "state"), [([], "success"), ("[]", "success"), (None, "failed"), ("x", "failed")]
)
def test_ids_of_its_own(ids, state, dag, run, p2psms_sandbox):
    """No ids are no work; what is no id fails."""
    cancel(dag, ids)

    assert {"cancel": state} == run()


def test_wrong_parameters():
    """What can never work is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match="on_failed is one of fail, continue"):
        CancelScheduledSMSOperator(task_id="cancel", message_outbox_ids=[1], on_failed="ignore")
