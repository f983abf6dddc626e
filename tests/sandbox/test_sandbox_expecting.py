"""What a test can ask of the sandbox: texts by number, and that each message arrived once."""

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.expecting import spell_e164
from tests.sandbox.conftest import Asker

ROWS = [("0912 000 0001", "Dear Sara, your order is shipped"), ("+989120000002", "سلام")]


@pytest.fixture
def sent(ask: Asker):
    """Send both rows."""
    for recipient, text in ROWS:
        assert ask.send(text, to=spell_e164(recipient)).ids


@pytest.mark.parametrize(
    "recipient",
    [
        "09120000001",
        "0912 000-0001",
        "+98 912 000 0001",
        "00989120000001",
        "989120000001",
        "9120000001",
        "۰۹۱۲۰۰۰۰۰۰۱",
    ],
)
def test_texts_to_a_number(recipient, sandbox: Sandbox, sent):
    """Any spelling finds them."""
    assert sandbox.texts_to(recipient) == [ROWS[0][1]]
    sandbox.assert_arrived(recipient, ROWS[0][1])


def test_each_once(sandbox: Sandbox, sent):
    """Rows that arrived once each pass, in any order."""
    sandbox.assert_each_once(reversed(ROWS))


@pytest.mark.parametrize(
    ("recipient", "text", "near"),
    [
        ("09120000009", "سلام", "the same text to another number: +989120000002"),
        ("09120000002", "bye", "another text to that number: 'سلام'"),
        (
            "09120000009",
            "Dear Sara, your order is sent",
            "almost the same text: 'Dear Sara, your order is shipped'",
        ),
        ("09120000009", "xyz", "nothing came close; 2 arrived"),
    ],
)
def test_near_misses_are_shown(recipient, text, near, sandbox: Sandbox, sent):
    """A failure shows what came close."""
    with pytest.raises(AssertionError) as failed:
        sandbox.assert_arrived(recipient, text)

    assert near in str(failed.value)


def test_what_arrived_twice_never_or_unasked(sandbox: Sandbox, ask: Asker, sent):
    """Each difference is a line of the failure."""
    sandbox.duplicate_window_s = 0
    ask.send("سلام", to="+989120000002")
    ask.send("unasked", to="+989120000003")

    with pytest.raises(AssertionError) as failed:
        sandbox.assert_each_once([*ROWS, ("09120000004", "unasked")])

    told = str(failed.value)
    assert "arrived 2 times, not 1: +989120000002 'سلام'" in told
    assert "arrived 1 times, not 0: +989120000003 'unasked'" in told
    assert (
        "arrived 0 times, not 1: +989120000004 'unasked'\n  the same text to another number: +98912" in told
    )


def test_a_long_list_of_differences_is_cut(sandbox: Sandbox):
    """Five are shown and the rest counted."""
    with pytest.raises(AssertionError, match="and 7 more"):
        sandbox.assert_each_once([("09120000001", str(number)) for number in range(12)])


def test_a_hook_before_each_request(sandbox: Sandbox, ask: Asker):
    """It sees the path before anything is taken, and may order a fault for this very request."""
    seen = []

    def hook(path):
        seen.append((path, len(sandbox.arrived)))
        if len(seen) == 2:
            sandbox.order_fault("refuse_403")

    sandbox.on_request(hook)

    assert [ask.send(text).status for text in "abc"] == [200, 403, 200]
    assert seen == [("/api/send", 0), ("/api/send", 1), ("/api/send", 1)]


def test_a_hook_that_fails(sandbox: Sandbox, ask: Asker):
    """The request is answered with HTTP 500 and leaves nothing."""
    sandbox.on_request(lambda _path: 1 / 0)

    assert ask.send("a").status == 500
    assert sandbox.arrived == []
