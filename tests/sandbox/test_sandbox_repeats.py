"""The 40-second rule: alike in recipient, sender and text, the second request gets 429."""

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.sandbox.conftest import Asker, Clock

FILE = "recipient,message\n09120000000,hello\n"


def test_a_repeat_is_refused_whole(ask: Asker, sandbox: Sandbox):
    """One message that repeats an accepted one takes its whole request with it."""
    ask.send("hello")

    reply = ask.send("new", "hello")

    assert (reply.status, reply.json["data"]) == (429, None)
    assert sandbox.texts_arrived == ["hello"]
    assert [(request.status, request.taken) for request in sandbox.requests] == [(200, True), (429, False)]


@pytest.mark.parametrize(("seconds", "status"), [(0, 429), (39.9, 429), (40, 200), (41, 200)])
def test_the_rule_ends_after_forty_seconds(seconds, status, ask: Asker, clock: Clock):
    """After 40 seconds the same message is taken again."""
    ask.send("hello")
    clock.now += seconds

    assert ask.send("hello").status == status


def test_files_and_json_repeat_each_other(ask: Asker):
    """The rule looks at the message, not at the way it came or how its number was written."""
    ask.send("hello")
    assert ask.upload(FILE).status == 429

    ask.upload("recipient,message\n09120000000,other\n")
    assert ask.send("other").status == 429


@pytest.mark.parametrize("change", [{"to": "+989120000001"}, {"from_number": "+981000"}, {"texts": "Hello"}])
def test_another_recipient_sender_or_text_is_no_repeat(change, ask: Asker):
    """Messages that differ in one of the three are not alike."""
    ask.send("hello")
    texts = change.pop("texts", "hello")

    assert ask.send(texts, **change).status == 200


def test_repeats_inside_one_request_are_taken(ask: Asker, sandbox: Sandbox):
    """The rule is about two requests."""
    assert ask.send("hello", "hello").status == 200
    assert sandbox.texts_arrived == ["hello", "hello"]


def test_a_refused_request_is_nothing_to_repeat(ask: Asker, sandbox: Sandbox):
    """What was not taken can be sent again at once."""
    assert ask.send("hello", params=[{"recipients": ["+989120000000"], "message": ""}]).status == 422
    sandbox.order_fault("refuse_429")
    assert ask.send("hello").status == 429

    assert ask.send("hello").status == 200


def test_the_rule_can_be_turned_off(ask: Asker, sandbox: Sandbox):
    """With a window of 0 seconds everything is taken."""
    sandbox.duplicate_window_s = 0

    assert [ask.send("hello").status for _ in range(2)] == [200, 200]
