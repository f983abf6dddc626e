"""Staging: a connection that lets texts out to some numbers only, or to one."""

import logging

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.payloads import PeerToPeer, PeerToPeerFile

from .conftest import Sending, numbers

DESK = "+989350000000"
FORMS = [PeerToPeer(), PeerToPeerFile()]


@pytest.mark.parametrize("payload", FORMS)
def test_others_are_held_back(payload, send: Sending, sandbox: Sandbox):
    """Numbers that are not allowed are counted and written down, and get nothing."""
    one, two = numbers(2)

    result = send([(one, "hi"), (two, "hi")], payload=payload, allowed_recipients=frozenset({two}))

    assert (1, 1) == (result.accepted, result.held_back)
    assert [two] == [message.recipient for message in sandbox.arrived]
    assert ["refused", "accepted"] == [row["outcome"] for row in send.outcomes]
    assert "redirected" not in result.as_dict()


@pytest.mark.parametrize("payload", FORMS)
def test_one_number_gets_every_text(payload, send: Sending, sandbox: Sandbox):
    """Texts of their own all go to that number, and each is counted."""
    result = send([(number, f"to {number}") for number in numbers(3)], payload=payload, redirect_to=DESK)

    assert {DESK} == {message.recipient for message in sandbox.arrived}
    assert [f"to {number}" for number in numbers(3)] == sandbox.texts_arrived
    assert (3, 3, 0) == (result.accepted, result.redirected, result.duplicates)
    assert "held_back" not in result.as_dict()


@pytest.mark.parametrize("payload", FORMS)
def test_the_same_text_reaches_it_once(payload, send: Sending, sandbox: Sandbox):
    """A text that a thousand people would get is for that one number the same text: it goes once."""
    result = send([(number, "hello all") for number in numbers(1_000)], payload=payload, redirect_to=DESK)

    assert ["hello all"] == sandbox.texts_arrived
    assert (1, 1, 999) == (result.accepted, result.redirected, result.duplicates)
    assert "redirect_to gets it once" in send.outcomes[1]["reason"]


def test_both_hold(send: Sending, sandbox: Sandbox):
    """A number that all texts go to has to be among those allowed."""
    rows = [(number, f"to {number}") for number in numbers(2)]

    held = send(rows, redirect_to=DESK, allowed_recipients=frozenset(numbers(2)))
    assert (0, 2) == (held.accepted, held.held_back)
    assert [] == sandbox.arrived

    assert 2 == send(rows, redirect_to=DESK, allowed_recipients=frozenset({DESK})).redirected


def test_without_staging_the_people_get_what_staging_kept(send: Sending, sandbox: Sandbox):
    """What went to the one number was not sent to anyone else: without staging a later try sends it."""
    rows = [(number, "hi") for number in numbers(2)]
    send(rows, redirect_to=DESK)

    result = send(rows)

    assert (2, 0) == (result.accepted, result.already_accepted)
    assert [DESK, *numbers(2)] == [message.recipient for message in sandbox.arrived]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"redirect_to": DESK}, "STAGING: 2 texts go to redirect_to"),
        ({"allowed_recipients": frozenset({DESK})}, "STAGING: 2 recipients get nothing"),
    ],
)
def test_it_is_loud(rules, told, send: Sending, caplog):
    """A warning says what staging does, and shows no number."""
    with caplog.at_level(logging.WARNING):
        send([(number, f"to {number}") for number in numbers(2)], **rules)

    assert told in caplog.text
    assert DESK not in caplog.text
