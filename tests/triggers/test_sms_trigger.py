"""The trigger: it only asks, holds nothing private, and leaves the event loop free."""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from airflow_provider_p2psms.airflow_compat import BaseHook
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.triggers.sms import SMSDeliveryTrigger

pytestmark = pytest.mark.airflow

PATH = "airflow_provider_p2psms.triggers.sms.SMSDeliveryTrigger"


def run(trigger):
    """Run a trigger to its event."""

    async def first():
        return [event.payload async for event in trigger.run()]

    [event] = asyncio.run(first())
    return event


def client_of(base_url):
    return GatewayClient(GatewaySettings(base_url=base_url, token="sandbox-token"))


def send(base_url, *texts):
    with client_of(base_url) as client:
        groups = [Group(["+989120000000"], text) for text in texts]
        return list(client.send_peer_to_peer(groups, from_number="+983000505").outbox_ids)


def test_it_is_made_anew_from_what_it_serializes():
    """Airflow makes the same trigger from its path and arguments, through JSON."""
    path, arguments = SMSDeliveryTrigger(
        message_outbox_ids=(1, 2), until="delivered", min_delivered=0.5, on_failed="continue",
        poke_interval=5, deadline=17.5, p2psms_conn_id="other",
    ).serialize()  # fmt: skip

    again = SMSDeliveryTrigger(**json.loads(json.dumps(arguments)))

    assert (PATH, arguments) == (path, again.serialize()[1]) == again.serialize()
    assert set(arguments) == {
        "message_outbox_ids", "until", "min_delivered", "on_failed", "poke_interval", "deadline",
        "p2psms_conn_id",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        # What 0.1.0 serialized lies in databases when a newer release starts: never change an entry.
        {
            "message_outbox_ids": [1], "until": "delivered", "min_delivered": 0.0, "on_failed": "fail",
            "poke_interval": 60.0, "deadline": 1790000000.0, "p2psms_conn_id": "p2psms_default",
        },
        # A later argument has a default, so that these never have to be more.
        {"message_outbox_ids": [1]},
    ],
)  # fmt: skip
def test_the_arguments_of_past_releases(arguments):
    """Arguments that an older release serialized are still taken."""
    assert arguments.items() <= SMSDeliveryTrigger(**arguments).serialize()[1].items()


def test_it_only_reads(p2psms_sandbox: Sandbox):
    """What reaches the gateway are questions to the reports."""
    ids = send(p2psms_sandbox.base_url, "a", "b")

    event = run(SMSDeliveryTrigger(message_outbox_ids=ids, until="delivered", poke_interval=0.05))

    assert ("done", "", 2) == (event["outcome"], event["message"], event["counts"]["delivered"])
    [_, *questions] = [request.path for request in p2psms_sandbox.requests]
    assert all(path.startswith("/api/report/") for path in questions)


def test_a_deadline_that_passed_while_no_triggerer_ran(p2psms_sandbox: Sandbox):
    """After a long absence it looks once more before it says that the time is over."""
    p2psms_sandbox.queue_s = 3600
    ids = send(p2psms_sandbox.base_url, "a")

    event = run(SMSDeliveryTrigger(message_outbox_ids=ids, poke_interval=600, deadline=time.time() - 600))

    assert ("timed_out", 1) == (event["outcome"], event["counts"]["pending"])


def test_the_deadline_cuts_the_pause(p2psms_sandbox: Sandbox):
    """A long pause ends with the deadline."""
    ids = send(p2psms_sandbox.base_url, "a")

    started = time.monotonic()
    event = run(SMSDeliveryTrigger(message_outbox_ids=ids, poke_interval=600, deadline=time.time() + 1))

    assert "done" == event["outcome"]
    assert 60 > time.monotonic() - started


def test_a_connection_that_says_nothing_of_use(monkeypatch):
    """A connection that cannot be used ends the trigger with its reason."""
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", "p2psms://edge.example.com/v1")

    event = run(SMSDeliveryTrigger(message_outbox_ids=[1]))

    assert "refused" == event["outcome"]
    assert "no API token" in event["message"]


class Airflow:
    """Airflow's connections: each question for one is counted, and answered once ``may_answer`` is set."""

    def __init__(self, monkeypatch):
        self.asked = 0
        self.may_answer = threading.Event()
        self._look_up = BaseHook.get_connection
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(BaseHook, "get_connection", self._get_connection)

    def connect(self, uri):
        self._monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", uri)

    def _get_connection(self, conn_id):
        answer = self._look_up(conn_id)
        self.asked += 1
        assert self.may_answer.wait(60)
        return answer

    async def wait_for_question(self):
        while not self.asked:  # noqa: ASYNC110 - it is asked in a thread
            await asyncio.sleep(0.001)


@pytest.fixture
def airflow(monkeypatch):
    return Airflow(monkeypatch)


async def _start(count, ids, **options):
    """Start triggers, each so far that it waits for its connection."""
    triggers = [
        SMSDeliveryTrigger(message_outbox_ids=ids, poke_interval=0.05, **options) for _ in range(count)
    ]
    started = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
    await asyncio.sleep(0)
    return started


async def _outcomes(started):
    return [event.payload["outcome"] for event in await asyncio.gather(*started)]


def test_triggers_that_start_together_share_a_lookup(p2psms_sandbox: Sandbox, airflow):
    """Fifty wait for two answers of Airflow at most, however long each takes."""
    ids = send(p2psms_sandbox.base_url, "a")

    async def start_all():
        first = await _start(1, ids)
        await airflow.wait_for_question()
        others = await _start(49, ids)
        airflow.may_answer.set()
        return await _outcomes([*first, *others])

    assert ["done"] * 50 == asyncio.run(start_all())
    assert 2 == airflow.asked


def test_a_cancelled_trigger_leaves_the_lookup_to_the_others(p2psms_sandbox: Sandbox, airflow):
    """The trigger that began a lookup ends; those who share it have its answer."""
    ids = send(p2psms_sandbox.base_url, "a")

    async def cancel_the_first():
        first, *others = await _start(5, ids)
        await airflow.wait_for_question()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        airflow.may_answer.set()
        return await _outcomes(others)

    assert ["done"] * 4 == asyncio.run(cancel_the_first())
    assert 1 == airflow.asked


def test_a_mended_connection_counts_at_once(p2psms_sandbox: Sandbox, airflow):
    """A trigger that starts while a question is under way is not given that question's answer."""
    ids = send(p2psms_sandbox.base_url, "a")
    airflow.connect(p2psms_sandbox.connection_uri.replace(p2psms_sandbox.token, "wrong"))

    async def mend_in_the_middle():
        before = await _start(1, ids)
        await airflow.wait_for_question()
        airflow.connect(p2psms_sandbox.connection_uri)
        after = await _start(1, ids)
        airflow.may_answer.set()
        return await _outcomes([*before, *after])

    assert ["refused", "done"] == asyncio.run(mend_in_the_middle())


def test_a_connection_of_no_use_is_told_to_all(p2psms_sandbox: Sandbox, airflow):
    """All who share a lookup hear why there is no connection; the next trigger asks anew."""
    ids = send(p2psms_sandbox.base_url, "a")
    airflow.connect("p2psms://edge.example.com/v1")
    airflow.may_answer.set()

    async def start_all():
        refused = await _outcomes(await _start(3, ids))
        airflow.connect(p2psms_sandbox.connection_uri)
        return refused + await _outcomes(await _start(1, ids))

    assert ["refused"] * 3 + ["done"] == asyncio.run(start_all())
    assert 2 == airflow.asked


def test_two_event_loops_do_not_share_a_lookup(p2psms_sandbox: Sandbox, airflow):
    """Each event loop in a process asks for itself."""
    ids = send(p2psms_sandbox.base_url, "a")

    with asyncio.Runner() as one, asyncio.Runner() as other:
        begun = one.run(_start(1, ids))
        one.run(airflow.wait_for_question())
        to_begin = one.run(_start(1, ids))
        of_other = other.run(_start(1, ids))
        airflow.may_answer.set()

        assert ["done"] == other.run(_outcomes(of_other))
        assert ["done"] * 2 == one.run(_outcomes([*begun, *to_begin]))


def test_a_lookup_that_was_cancelled_before_it_began(p2psms_sandbox: Sandbox, airflow):
    """After everything in an event loop was cancelled, the next trigger asks anew."""
    ids = send(p2psms_sandbox.base_url, "a")

    async def cancel_all():
        await _start(1, ids)
        await airflow.wait_for_question()
        await _start(1, ids)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        airflow.may_answer.set()
        return await _outcomes(await _start(1, ids))

    assert ["done"] == asyncio.run(cancel_all())


@contextmanager
def gateway_process(tmp_path, **options):
    """A sandbox in a process of its own, which takes no time of this one's event loop; gives its base URL."""
    port_file = tmp_path / "port"
    options = {"port": 0, "port-file": port_file, **options}
    command = [sys.executable, "-m", "airflow_provider_p2psms.sandbox"]
    process = subprocess.Popen(
        [*command, *(f"--{name}={value}" for name, value in options.items())],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not port_file.exists():
            assert process.poll() is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text()}/v1"
    finally:
        process.terminate()
        process.wait()


async def _measure_turns(turns, *, every_s=0.005):
    """Note how many seconds of a processor the event loop's thread used between two turns of this task."""
    while True:
        before = time.thread_time()
        await asyncio.sleep(every_s)
        turns.append(time.thread_time() - before)


@contextmanager
def connected(monkeypatch, base_url):
    address = base_url.removeprefix("http://")
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", f"p2psms://:sandbox-token@{address}")
    yield


async def _run_all(triggers):
    async def one(trigger):
        return [event.payload async for event in trigger.run()]

    turns: list[float] = []
    gc.collect()
    gc.freeze()  # going through all that Airflow has loaded takes Python itself 200 ms now and then
    meter = asyncio.create_task(_measure_turns(turns))
    # As Airflow's triggerer does: a task a trigger, made one after the other, all in one event loop.
    tasks = []
    for trigger in triggers:
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(one(trigger)))
    events = [event for events in await asyncio.gather(*tasks) for event in events]
    meter.cancel()
    gc.unfreeze()
    return events, turns


@pytest.mark.timeout(300)
def test_a_thousand_triggers_in_one_event_loop(tmp_path, monkeypatch):
    """1,000 triggers wait side by side, each ends with its own counts, and none holds the event loop up."""
    with gateway_process(tmp_path) as base_url, connected(monkeypatch, base_url):
        ids = send(base_url, *(f"text {number}" for number in range(1_000)))
        triggers = [
            SMSDeliveryTrigger(message_outbox_ids=[each], until="delivered", poke_interval=10) for each in ids
        ]
        events, turns = asyncio.run(_run_all(triggers))

    assert 1_000 == len(events)
    assert {("done", 1)} == {(event["outcome"], event["counts"]["delivered"]) for event in events}
    # Processor seconds: on a busy machine the event loop waits for one, which says nothing about triggers.
    assert 0.1 > sorted(turns)[-len(turns) // 100]


def test_silence_does_not_hold_up_the_event_loop(p2psms_sandbox: Sandbox, monkeypatch):
    """While the gateway keeps an answer back, the event loop goes on."""
    ids = send(p2psms_sandbox.base_url, "a")
    p2psms_sandbox.order_fault("slow", path="/api/report/by_bulk", delay_s=1)

    event, turns = asyncio.run(_run_all([SMSDeliveryTrigger(message_outbox_ids=ids, poke_interval=0.01)]))

    assert "done" == event[0]["outcome"]
    assert len(turns) > 20


def test_a_cancelled_trigger_asks_no_more(p2psms_sandbox: Sandbox):
    """When the triggerer lets go of it, a look under way ends with its next question."""
    ids = send(p2psms_sandbox.base_url, *(f"text {number}" for number in range(4)))
    p2psms_sandbox.queue_s = 3600  # there is always something left to ask
    p2psms_sandbox.latency_s = 0.2

    async def cancel_in_the_middle():
        trigger = SMSDeliveryTrigger(message_outbox_ids=ids, poke_interval=0.01)
        task = asyncio.ensure_future(anext(trigger.run()))
        while len(p2psms_sandbox.requests) < 2:  # noqa: ASYNC110 - the sandbox runs in a thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_in_the_middle())
    asked = len(p2psms_sandbox.requests)
    time.sleep(0.5)

    assert 1 >= len(p2psms_sandbox.requests) - asked
