"""The sensor in real Airflow: from the ids of a send to the counts of what became of it."""

import os
import secrets
import subprocess
import sys
from functools import cached_property
from typing import Any

import pendulum
import pytest

from airflow_provider_p2psms.airflow_compat import DAG, task
from airflow_provider_p2psms.delivery.lookup import MIN_QUESTIONS
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor
from tests.conftest import AIRFLOW_VERSION

pytestmark = pytest.mark.airflow

LINE = "+983000505"
ROWS = [
    (f"0912000{number:04d}", f"text {number}") for number in range(1, 6)
]  # 3 is not delivered, 4 blacklisted
# They take three looks: what became of each recipient is a question of its own.
MORE_THAN_ONE_LOOK = [(f"0912{number:07d}", f"text {number}") for number in range(2 * MIN_QUESTIONS + 50)]
COUNTS = {
    "sent": 5, "delivered": 3, "undelivered": 1, "blacklisted": 1, "pending": 0, "failed": 0, "parts": 5,
}  # fmt: skip

NOT_ON_3_0 = pytest.mark.skipif(
    AIRFLOW_VERSION.startswith("3.0."), reason="in dag.test() of 3.0 the date of a first look is a text"
)


@pytest.fixture
def dag(request):
    """An empty DAG of this test's own."""
    name = "".join(char if char.isalnum() else "_" for char in request.node.name)
    return DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1))


@pytest.fixture
def run(dag, run_dag):
    """Run the DAG of this test; give the states of its tasks by their ids."""

    def run():
        tasks = run_dag(dag).get_task_instances()
        return {f"{ti.task_id}{ti.map_index if ti.map_index >= 0 else ''}": str(ti.state) for ti in tasks}

    return run


@pytest.fixture
def send(dag):
    """Put a send of rows into the DAG; give the task."""
    return lambda rows=ROWS, **options: PeerToPeerSMSOperator(
        task_id="send", dag=dag, messages=rows, from_number=LINE, **options
    )


def sensor(dag, ids, **options):
    options = {"poke_interval": 0.05, "timeout": 20, **options}
    return SMSDeliverySensor(task_id="wait", dag=dag, message_outbox_ids=ids, **options)


def collect(dag, wanted):
    """Let a task keep what it is given."""
    got = []

    @task(dag=dag)
    def keep(value):
        got.append(value)

    keep(wanted)
    return got


@pytest.mark.parametrize(
    "how", [{}, {"deferrable": True}, {"mode": "reschedule"}], ids=["poke", "deferrable", "reschedule"]
)
def test_counts_of_what_was_delivered(how, dag, run, send, p2psms_sandbox: Sandbox):
    """In each mode the sensor waits for every report and returns the counts, with the gateway's cost."""
    waited = sensor(dag, send().output["message_outbox_ids"], until="delivered", **how)
    got = collect(dag, waited.output)

    assert {"send": "success", "wait": "success", "keep": "success"} == run()
    assert got[0].pop("cost") > 0
    assert [COUNTS] == got


@pytest.mark.parametrize("deferrable", [False, True])
def test_sent_is_enough_by_default(deferrable, dag, run, send, p2psms_sandbox: Sandbox):
    """Without more words the sensor is content when all is sent; delivery is not asked for."""
    p2psms_sandbox.delivery_s = 3600
    got = collect(dag, sensor(dag, send().output["message_outbox_ids"], deferrable=deferrable).output)

    assert "success" == run()["wait"]
    assert (5, 0, 0) == (got[0]["sent"], got[0]["delivered"], got[0]["pending"])
    assert not [request for request in p2psms_sandbox.requests if request.path.endswith("bulk_stats")]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, "failed"),
        ({"soft_fail": True}, "skipped"),
        ({"on_failed": "continue"}, "success"),
    ],
)
def test_a_rejected_message(options, state, deferrable, dag, run, send, p2psms_sandbox: Sandbox, capfd):
    """It fails the task without retries, skips it by soft_fail, or is counted; the reason is told."""
    sent = send([*ROWS, ("09120000009", "bad [[reject]]")])
    sensor(
        dag, sent.output["message_outbox_ids"], deferrable=deferrable,
        retries=3, retry_delay=pendulum.duration(seconds=0), **options,
    )  # fmt: skip

    assert state == run()["wait"]

    log = "".join(capfd.readouterr())
    told = "monitoring (رد شده: متن پیام تایید نشد)"
    assert (told in log) == (state != "success")
    assert "bad [[" not in log


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("options", "state"),
    [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"deferrable": True}, "failed"),
     ({"deferrable": True, "soft_fail": True}, "skipped"),
     pytest.param({"mode": "reschedule"}, "failed", marks=NOT_ON_3_0),
     pytest.param({"mode": "reschedule", "soft_fail": True}, "skipped", marks=NOT_ON_3_0)],
)  # fmt: skip
def test_a_timeout(options, state, dag, run, send, p2psms_sandbox: Sandbox):
    """What does not come within the timeout ends the task, in the worker and in the triggerer."""
    p2psms_sandbox.queue_s = 3600
    sensor(
        dag, send().output["message_outbox_ids"], timeout=0.3,
        retries=3, retry_delay=pendulum.duration(seconds=0), **options,
    )  # fmt: skip

    assert state == run()["wait"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("share", "state"), [(0.6, "success"), (0.61, "failed")])
def test_a_share_that_must_be_delivered(share, state, deferrable, dag, run, send, p2psms_sandbox: Sandbox):
    """Three of five delivered are enough for 0.6 and not for more."""
    ids = send().output["message_outbox_ids"]
    sensor(dag, ids, until="delivered", min_delivered=share, deferrable=deferrable)

    assert state == run()["wait"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("ids", [[], "[]", None, "None"])
@pytest.mark.parametrize("deferrable", [False, True])
def test_no_ids(ids, deferrable, dag, run, p2psms_sandbox: Sandbox):
    """Without ids it succeeds at once with zeros."""
    got = collect(dag, sensor(dag, ids, until="delivered", min_delivered=1, deferrable=deferrable).output)

    assert "success" == run()["wait"]
    assert [dict.fromkeys([*COUNTS, "cost"], 0)] == got
    assert [] == p2psms_sandbox.requests


@pytest.mark.sampled(3)
@pytest.mark.parametrize("form", ["ids", "result", "list", "template"])
@pytest.mark.parametrize("skipped_by", ["itself", "a branch"])
def test_behind_a_skipped_send(skipped_by, form, dag, run, send, p2psms_sandbox: Sandbox):
    """A send that was skipped gives no ids in any form, and the sensor behind it succeeds with zeros."""
    sent = send([])
    if skipped_by == "a branch":

        @task.short_circuit(dag=dag, ignore_downstream_trigger_rules=False)
        def goes_on():
            return False

        goes_on() >> sent
    ids = {
        "ids": sent.output["message_outbox_ids"],
        "result": sent.output,
        "list": [sent.output["message_outbox_ids"], [], None],
        "template": "{{ ti.xcom_pull(task_ids='send', key='message_outbox_ids') }}",
    }[form]
    waits = sensor(dag, ids, trigger_rule="none_failed")
    sent >> waits
    got = collect(dag, waits.output)

    states = run()
    assert ("skipped", "success") == (states["send"], states["wait"])
    assert [dict.fromkeys([*COUNTS, "cost"], 0)] == got


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_gateway_without_reports(deferrable, dag, run, send, p2psms_sandbox: Sandbox, capfd):
    """Where all questions are answered with 404 the sensor fails at once and for good, and says why."""
    p2psms_sandbox.reports = False
    sensor(dag, send().output["message_outbox_ids"], deferrable=deferrable, timeout=60, retries=3)

    assert "failed" == run()["wait"]
    assert "answer HTTP 404 to every question" in "".join(capfd.readouterr())


def test_a_deferred_sensor_keeps_its_execution_timeout(p2psms_sandbox: Sandbox):
    """The triggerer has no longer to wait than `execution_timeout` says, or the sensor's own timeout."""
    p2psms_sandbox.queue_s = 3600
    ids = list(
        SMSHook().send_peer_to_peer([{"recipients": ["+989120000001"], "message": "a"}], from_number=LINE)
    )

    def limit(**options):
        waits = SMSDeliverySensor(
            task_id="wait", message_outbox_ids=ids, deferrable=True, timeout=3600, **options
        )
        with pytest.raises(BaseException) as deferred:  # noqa: PT011 - each Airflow keeps it elsewhere
            waits.execute({})
        deferral: Any = deferred.value
        return deferral.timeout.total_seconds()

    assert 3600 < limit()
    assert 80 < limit(execution_timeout=pendulum.duration(seconds=90)) <= 90
    assert 3600 < limit(execution_timeout=pendulum.duration(hours=9))


def test_a_hook_of_ones_own(p2psms_sandbox: Sandbox):
    """A subclass may bring the hook by which it looks."""

    class Own(SMSDeliverySensor):
        @cached_property
        def hook(self):
            return SMSHook("p2psms_default")

    p2psms_sandbox.queue_s = 0
    ids = SMSHook().send_peer_to_peer([{"recipients": ["+989120000001"], "message": "a"}], from_number=LINE)

    assert 1 == Own(task_id="wait", message_outbox_ids=ids, p2psms_conn_id="none").execute({})["sent"]


def test_ids_by_template(dag, run, send, p2psms_sandbox: Sandbox):
    """A template that pulls the ids gives their text, which is read; so is a single one of them."""
    pulled = "{{ ti.xcom_pull(task_ids='send', key='message_outbox_ids') }}"
    sent = send()
    sent >> sensor(dag, pulled)
    got = collect(dag, dag.get_task("wait").output)

    assert "success" == run()["wait"]
    assert 5 == got[0]["sent"]


def test_mapped_over_ids(dag, run, send, p2psms_sandbox: Sandbox):
    """Each of the ids has a sensor of its own, and one sensor takes the ids of a mapped send."""

    @task(dag=dag)
    def ids(outbox_ids):
        return outbox_ids

    SMSDeliverySensor.partial(task_id="wait", dag=dag, poke_interval=0.05, deferrable=True).expand(
        message_outbox_ids=ids(send(ROWS[:2]).output["message_outbox_ids"])
    )
    several = PeerToPeerSMSOperator.partial(task_id="several", dag=dag, from_number=LINE).expand(
        messages=[ROWS[2:4], ROWS[4:]]
    )
    of_all = SMSDeliverySensor(
        task_id="all", dag=dag, poke_interval=0.05, message_outbox_ids=several.output["message_outbox_ids"]
    )
    got = collect(dag, of_all.output)

    states = run()

    assert {"success"} == set(states.values())
    assert {"wait0", "wait1", "all"} < set(states)
    assert 3 == got[0]["sent"]


@pytest.mark.parametrize("ids", ["x", [0]])
@pytest.mark.parametrize("deferrable", [False, True])
def test_what_is_no_id(ids, deferrable, dag, run, p2psms_sandbox: Sandbox):
    """What is no id fails for good."""
    sensor(dag, ids, deferrable=deferrable, retries=3, retry_delay=pendulum.duration(seconds=0))

    assert {"wait": "failed"} == run()


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_wrong_token(soft_fail, state, deferrable, dag, run, p2psms_sandbox: Sandbox, monkeypatch):
    """A gateway that refuses fails for good; by soft_fail it skips."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_P2PSMS_DEFAULT", p2psms_sandbox.connection_uri.replace(p2psms_sandbox.token, "other")
    )
    sensor(dag, [1], deferrable=deferrable, soft_fail=soft_fail, retries=3)

    assert {"wait": state} == run()


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_gateway_that_never_answers(deferrable, dag, run, p2psms_sandbox: Sandbox):
    """Ten looks in a row without an answer fail the try."""
    p2psms_sandbox.order_fault("502_html_before", path="/api/report/by_bulk", times=None)
    sensor(dag, [1], deferrable=deferrable, poke_interval=0.001)

    assert {"wait": "failed"} == run()
    # Each look asks three times; a deferred sensor has looked once before.
    assert (33 if deferrable else 30) == len(p2psms_sandbox.requests)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_gateway_that_answers_again(deferrable, dag, run, send, p2psms_sandbox: Sandbox):
    """Some looks without an answer do no harm."""
    p2psms_sandbox.order_fault("502_html_before", path="/api/report/by_bulk", times=9)
    sensor(dag, send(ROWS[:1]).output["message_outbox_ids"], deferrable=deferrable)

    assert "success" == run()["wait"]


def test_more_ids_than_one_look_can_ask_for_in_reschedule_mode(dag, run, send, p2psms_sandbox: Sandbox):
    """A sensor that would forget keeps its worker until each id was asked for."""
    p2psms_sandbox.delivery_s = 0
    sent = send(MORE_THAN_ONE_LOOK)
    got = collect(
        dag, sensor(dag, sent.output["message_outbox_ids"], until="delivered", mode="reschedule").output
    )

    assert "success" == run()["wait"]
    assert (len(MORE_THAN_ONE_LOOK) - 2, 1, 1) == (
        got[0]["delivered"],
        got[0]["undelivered"],
        got[0]["blacklisted"],
    )


def test_the_timeout_ends_a_worker_that_is_kept(dag, run, send, p2psms_sandbox: Sandbox):
    """In reschedule mode the timeout also counts while a look takes several turns."""
    p2psms_sandbox.delivery_s = 0
    sensor(
        dag, send(MORE_THAN_ONE_LOOK).output["message_outbox_ids"], until="delivered", mode="reschedule",
        poke_interval=0.5, timeout=0.2,
    )  # fmt: skip

    assert "failed" == run()["wait"]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"until": "read"}, "until must be one of sent, delivered"),
        ({"on_failed": "ignore"}, "on_failed must be one of fail, continue"),
        ({"until": "delivered", "min_delivered": 1.1}, "share from 0 to 1"),
        ({"until": "delivered", "min_delivered": True}, "share from 0 to 1"),
        ({"until": "delivered", "min_delivered": "all"}, "share from 0 to 1"),
        ({"min_delivered": 0.5}, 'needs until="delivered"'),
    ],
)
def test_wrong_parameters(parameters, told):
    """A combination that can never work is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match=told):
        SMSDeliverySensor(task_id="wait", message_outbox_ids=[1], **parameters)


@pytest.mark.parametrize("default", ["True", "False"])
def test_airflow_says_whether_a_sensor_is_deferred(default):
    """Without `deferrable` it is as Airflow's config has it, read when the class is imported."""
    code = (
        "from airflow_provider_p2psms.sensors.sms import SMSDeliverySensor as Sensor\n"
        "print([Sensor(task_id='wait', message_outbox_ids=[1], **given).deferrable"
        " for given in ({}, {'deferrable': True}, {'deferrable': False})])"
    )
    env = os.environ | {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": default}

    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert f"[{default}, True, False]" == told.stdout.splitlines()[-1]


def test_a_poke_of_its_own():
    """Outside of its own execution the sensor has no connection to look by, and says so."""
    with pytest.raises(Exception, match=r"works only while execute\(\) runs"):
        SMSDeliverySensor(task_id="wait", message_outbox_ids=[1]).poke({})


@pytest.mark.parametrize("deferrable", [False, True])
def test_nothing_private_is_told(deferrable, dag, run, p2psms_sandbox: Sandbox, capfd):
    """What is logged holds no number, text or token, of what was delivered and of what was rejected."""
    word, number = secrets.token_hex(8), f"93500{secrets.randbelow(10**4):04d}"
    client = SMSHook().get_conn()
    groups = [Group([f"+98{number}0"], word), Group([f"+98{number}1"], f"{word} [[reject]]")]
    ids = list(client.send_peer_to_peer(groups, from_number=LINE).outbox_ids)
    sensor(dag, ids, until="delivered", deferrable=deferrable)

    assert {"wait": "failed"} == run()

    log = "".join(capfd.readouterr())
    assert "1 of 2 messages were not sent" in log
    assert [] == [private for private in (word, number, p2psms_sandbox.token) if private in log]
