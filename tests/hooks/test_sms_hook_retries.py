"""The hook in a plain task: Airflow's retries never repeat a send that may have been taken."""

import datetime as dt
import os
import pickle
import signal
import threading

import pendulum
import pytest

from airflow_provider_p2psms import errors
from airflow_provider_p2psms.airflow_compat import DAG, AirflowFailException, task
from airflow_provider_p2psms.hooks import errors as hook_errors
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.sandbox import Sandbox

pytestmark = pytest.mark.airflow

LINE = "+983000505"
GROUPS = [{"recipients": ["+989120000001"], "message": "hi"}]
# What the hook is asked for, by the form of the request.
SENDS = {
    "json": lambda hook: hook.send_peer_to_peer(GROUPS, from_number=LINE),
    "file": lambda hook: hook.send_peer_to_peer_file([("+989120000001", "hi")], from_number=LINE),
}
by_form = pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)


@pytest.fixture
def run(request, run_dag):
    """Run a function as a task with two retries, as Airflow's scheduler would; give its last state."""

    def run(function, **options):
        name = "".join(char if char.isalnum() else "_" for char in request.node.name)
        with DAG(name, schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
            task(task_id="send", retries=2, retry_delay=dt.timedelta(0), **options)(function)()
        [instance] = run_dag(dag).get_task_instances()
        return str(instance.state)

    return run


@by_form
@pytest.mark.parametrize("fault", ["502_html", "cut_before_answer", "garbage", "refuse_401", "refuse_422"])
def test_a_send_that_a_retry_must_not_repeat_fails_for_good(fault, send, run, p2psms_sandbox: Sandbox):
    """After an unknown outcome, 401 and 422, a task with retries fails after exactly one POST."""
    p2psms_sandbox.order_fault(fault, times=None)

    assert "failed" == run(lambda: send(SMSHook()))
    assert 1 == p2psms_sandbox.send_requests


@by_form
def test_a_busy_gateway_is_asked_again_by_a_retry(send, run, p2psms_sandbox: Sandbox):
    """A 503 with `Retry-After` took nothing: Airflow retries, and the message arrives once."""
    p2psms_sandbox.order_fault("busy")

    assert "success" == run(lambda: send(SMSHook()))
    assert ["hi"] == p2psms_sandbox.texts_arrived


def test_an_unreachable_gateway_is_tried_again_by_a_retry(run, p2psms_sandbox: Sandbox, monkeypatch):
    """Where no connection was made Airflow retries, and the message arrives once."""
    good, tries = p2psms_sandbox.connection_uri, []

    def send():
        tries.append(1)
        uri = good if len(tries) > 1 else "p2psms://:TOKEN@127.0.0.1:1/v1"
        monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", uri)
        SENDS["json"](SMSHook())

    assert "success" == run(send)
    assert ["hi"] == p2psms_sandbox.texts_arrived


@by_form
def test_a_send_that_is_interrupted_is_not_repeated(send, run, p2psms_sandbox: Sandbox):
    """The task's own time-out during a request leaves the outcome unknown: one POST, and no retry."""
    p2psms_sandbox.order_fault("silence", times=None)
    ended = threading.Event()

    def let_the_timeout_fire():
        while not ended.wait(0.01):
            if p2psms_sandbox.send_requests:
                os.kill(os.getpid(), signal.SIGALRM)  # Airflow's own handler raises AirflowTaskTimeout
                return

    def interrupted():
        threading.Thread(target=let_the_timeout_fire).start()
        send(SMSHook())

    try:
        assert "failed" == run(interrupted, execution_timeout=dt.timedelta(minutes=5))
    finally:
        ended.set()
    assert 1 == p2psms_sandbox.send_requests


def test_the_package_s_errors_stay_what_they_are(p2psms_sandbox: Sandbox):
    """Code that catches the core's class catches the hook's, with status, code and fields; one traceback."""
    p2psms_sandbox.order_fault("refuse_422")

    with pytest.raises(errors.GatewayRefusedError) as refused:
        SENDS["json"](SMSHook())

    assert isinstance(refused.value, AirflowFailException)
    assert (422, "400-2") == (refused.value.http_status, refused.value.message_code)
    assert ["message"] == list(refused.value.field_errors)
    assert refused.value.__suppress_context__


def test_a_token_that_is_refused_is_still_an_authentication_error(p2psms_sandbox: Sandbox):
    """HTTP 401 raises what is an `AuthenticationError`, a `FinalGatewayRefusedError` and no retry."""
    p2psms_sandbox.order_fault("refuse_401")

    with pytest.raises(errors.AuthenticationError) as refused:
        SENDS["json"](SMSHook())

    assert isinstance(refused.value, hook_errors.FinalGatewayRefusedError)
    assert isinstance(refused.value, AirflowFailException)


def test_a_connection_that_cannot_be_used_fails_for_good(monkeypatch):
    """A wrong connection and a missing line are no matter of another try."""
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", "p2psms://:TOKEN@edge.example.com/v1")

    with pytest.raises(hook_errors.FinalInvalidMessageError, match="from_number") as invalid:
        SMSHook().send_peer_to_peer(GROUPS)

    assert isinstance(invalid.value, AirflowFailException)
    assert isinstance(invalid.value, ValueError)


def test_a_connection_that_is_missing_is_no_doubt_about_a_message(monkeypatch):
    """Airflow's own error about a connection passes as it is."""
    monkeypatch.delenv("AIRFLOW_CONN_P2PSMS_DEFAULT", raising=False)

    with pytest.raises(Exception, match="p2psms_default") as missing:
        SENDS["json"](SMSHook("p2psms_default"))

    assert not isinstance(missing.value, errors.P2PSMSError)


def test_questions_and_cancel_stay_retryable(p2psms_sandbox: Sandbox):
    """Only sends raise what stops Airflow's retries."""
    with pytest.raises(errors.GatewayRefusedError) as refused:
        SMSHook().cancel(1)

    assert not isinstance(refused.value, AirflowFailException)


@pytest.mark.parametrize(
    "error",
    [
        hook_errors.FinalOutcomeUnknownError("text", http_status=502, outbox_ids=(1,), said_taken=True),
        hook_errors.FinalGatewayRefusedError("text", http_status=422, field_errors={"f": ("e",)}),
        hook_errors.FinalAuthenticationError("text", http_status=401),
        hook_errors.FinalInvalidMessageError("text", count=2),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_hook_s_errors_survive_pickling(error):
    """Airflow hands errors from process to process: nothing they know is lost."""
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
