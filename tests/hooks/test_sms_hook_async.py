"""The hook's twins for event loops: the same contract, and no send whose end is lost."""

import asyncio
import inspect
import time

import pytest

from airflow_provider_p2psms import errors
from airflow_provider_p2psms.airflow_compat import AirflowFailException
from airflow_provider_p2psms.hooks import errors as hook_errors
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.sandbox import Sandbox

LINE = {"from_number": "+983000505"}
GROUPS = [{"recipients": ["+989120000001"], "message": "hi"}]
SENDS = {
    "json": lambda hook: hook.async_send_peer_to_peer(GROUPS, **LINE),
    "file": lambda hook: hook.async_send_peer_to_peer_file([("+989120000001", "hi")], **LINE),
}
by_form = pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
TWINS = [name for name in vars(SMSHook) if name.startswith("async_")]


def test_each_method_that_asks_the_gateway_has_a_twin():
    """With the same parameters; what asks nobody has none."""
    without = {"get_conn", "get_connection_form_widgets", "get_ui_field_behaviour", "line", "number"}
    methods = {
        name for name, value in vars(SMSHook).items() if callable(value) or isinstance(value, classmethod)
    }
    plain = {name for name in methods if not name.startswith(("_", "async_"))} - without

    assert {f"async_{name}" for name in plain} == set(TWINS)
    for name in plain:
        twin = getattr(SMSHook, f"async_{name}")
        assert inspect.signature(getattr(SMSHook, name)) == inspect.signature(twin)


def test_one_call_each(p2psms_sandbox: Sandbox):
    """Sends, price, credit, reports and cancel can be awaited."""

    async def calls():
        hook = SMSHook()
        ids = await hook.async_send_peer_to_peer(GROUPS, **LINE)
        ids += await hook.async_send_peer_to_peer_file(
            [("+989120000002", "ho")], send_time="2025-03-12 21:20:02", **LINE
        )
        assert ids == [message.outbox_id for message in p2psms_sandbox.arrived]
        assert (await hook.async_test_connection())[0]
        assert 1 == (await hook.async_calculate_price("hi", **LINE)).parts
        assert (await hook.async_credit())["credit"] > 0
        assert str(ids[0]) == (await hook.async_report_by_bulk(ids[0]))["messages_outbox_id"]
        assert 2 == (await hook.async_report_list({"number": "+983000505"})).total
        assert 1 == len((await hook.async_report_recipients(ids[0])).records)
        with pytest.raises(errors.GatewayRefusedError):
            await hook.async_cancel(1)

    asyncio.run(calls())


def test_many_sends_at_once_are_one_post_each(p2psms_sandbox: Sandbox):
    """Twenty sends of one hook leave side by side: twenty POSTs, each text once."""

    async def sends():
        hook = SMSHook()
        return await asyncio.gather(
            *(
                hook.async_send_peer_to_peer(
                    [{"recipients": ["+989120000001"], "message": f"{number}"}], **LINE
                )
                for number in range(20)
            )
        )

    ids = asyncio.run(sends())

    assert 20 == p2psms_sandbox.send_requests == len({each for one in ids for each in one})
    assert {f"{number}" for number in range(20)} == {*p2psms_sandbox.texts_arrived}


@by_form
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("502_html", hook_errors.FinalOutcomeUnknownError),
        ("cut_before_answer", hook_errors.FinalOutcomeUnknownError),
        ("refuse_401", hook_errors.FinalAuthenticationError),
        ("refuse_422", hook_errors.FinalGatewayRefusedError),
    ],
)
def test_errors_are_those_of_the_plain_method(fault, error, send, p2psms_sandbox: Sandbox):
    """After one POST, the error says whether it may have been sent, and stops Airflow's retries."""
    p2psms_sandbox.order_fault(fault, times=None)

    with pytest.raises(error):
        asyncio.run(send(SMSHook()))
    assert 1 == p2psms_sandbox.send_requests


def test_a_connection_that_cannot_be_used(monkeypatch):
    """A send fails for good, a test of the connection says why."""
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", "p2psms://:TOKEN@edge.example.com/v1?color=red")

    with pytest.raises(hook_errors.FinalInvalidMessageError, match="color"):
        asyncio.run(SENDS["json"](SMSHook()))
    ok, told = asyncio.run(SMSHook().async_test_connection())
    assert not ok
    assert "color" in told


async def _until(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def cancel_during(send, sandbox, hook):
    """Cancel the awaiting task once its request is there; give what the task ended with."""

    async def cancelled():
        task = asyncio.create_task(send(hook))
        await _until(lambda: sandbox.send_requests)
        task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    return asyncio.run(cancelled())


@by_form
def test_a_send_that_is_cancelled_on_its_way_is_in_doubt(send, p2psms_sandbox: Sandbox, caplog):
    """One POST leaves; the error says that the outcome is unknown, and the log how the send ended."""
    p2psms_sandbox.order_fault("slow", delay_s=1.0)
    hook = SMSHook()

    ended = cancel_during(send, p2psms_sandbox, hook)
    hook._threads.shutdown()

    assert isinstance(ended, hook_errors.FinalOutcomeUnknownError)
    assert isinstance(ended, AirflowFailException)
    assert 1 == p2psms_sandbox.send_requests
    [message] = p2psms_sandbox.arrived
    assert f"was accepted: outbox ids [{message.outbox_id}]" in caplog.text


def test_the_log_says_if_a_cancelled_send_fails(p2psms_sandbox: Sandbox, caplog):
    """What the gateway answers late is not lost."""
    p2psms_sandbox.order_fault("silence")
    hook = SMSHook()

    ended = cancel_during(SENDS["json"], p2psms_sandbox, hook)
    p2psms_sandbox.stop()
    hook._threads.shutdown()

    assert isinstance(ended, hook_errors.FinalOutcomeUnknownError)
    assert "The send that was cancelled has ended with an error" in caplog.text


def test_a_time_limit_says_that_the_outcome_is_unknown(p2psms_sandbox: Sandbox):
    """`asyncio.timeout` cancels; what the caller gets is the doubt, not a mere time-out."""
    p2psms_sandbox.order_fault("slow", delay_s=2.0)

    async def limited():
        async def end_it_on_its_way():
            await _until(lambda: p2psms_sandbox.send_requests)
            limit.reschedule(asyncio.get_running_loop().time())

        async with asyncio.timeout(None) as limit:
            ending = asyncio.create_task(end_it_on_its_way())
            await asyncio.gather(SENDS["json"](SMSHook()), ending)

    with pytest.raises(hook_errors.FinalOutcomeUnknownError):
        asyncio.run(limited())
    assert 1 == p2psms_sandbox.send_requests


def test_a_send_that_had_not_begun_sends_nothing(p2psms_sandbox: Sandbox):
    """Cancelled while it waits for a thread, it is simply cancelled, and no request is made."""
    p2psms_sandbox.duplicate_window_s = 0
    p2psms_sandbox.order_fault("silence", times=None)

    async def many():
        hook = SMSHook()
        pool = hook._threads
        busy = [asyncio.create_task(SENDS["json"](hook)) for _ in range(8)]
        await _until(lambda: 8 == len(pool._threads) and pool._work_queue.empty())
        late = asyncio.create_task(SENDS["file"](hook))
        await _until(lambda: not pool._work_queue.empty())
        late.cancel()
        ends = await asyncio.gather(late, return_exceptions=True)
        await asyncio.to_thread(p2psms_sandbox.stop)
        others = await asyncio.gather(*busy, return_exceptions=True)
        return ends[0], {type(other) for other in others}

    ended, others = asyncio.run(many())

    assert isinstance(ended, asyncio.CancelledError)
    assert others <= {hook_errors.FinalOutcomeUnknownError, errors.UnreachableError}
