"""What a try says it did: that alone, and however it ended."""

from dataclasses import asdict

import pytest

from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    P2PSMSError,
    UnsettledError,
)
from airflow_provider_p2psms.sandbox import Sandbox

from .conftest import Sending, numbers

LONG = "x" * 200  # two parts


@pytest.fixture
def tallies(send: Sending):
    """Send rows; each try's metrics stands in the list given, as a dictionary without its zeros."""
    told = []

    def report(metrics):
        told.append({name: count for name, count in asdict(metrics).items() if count})

    def attempt(rows, **options):
        try:
            send(rows, report_metrics=report, **options)
        except P2PSMSError as err:
            return told, type(err)
        return told, None

    return attempt


def test_all_is_counted(tallies):
    """What was accepted, refused by staging, invalid and repeated; requests and parts."""
    one, two, three, four = numbers(4)
    rows = [(one, LONG), (two, "hi"), (two, "hi"), ("12", "hi"), (three, "hi"), (four, "hi")]

    told, _ = tallies(rows, on_invalid="skip", batch_size=2, allowed_recipients=frozenset({one, two, three}))

    assert [{"accepted": 3, "refused": 1, "invalid": 1, "duplicates": 1, "requests": 2, "parts": 4}] == told


def test_each_try_counts_its_own(tallies, sandbox: Sandbox):
    """What the first try sent is not counted again by the next."""
    sandbox.order_fault("refuse_422", after=1)
    rows = [(number, LONG) for number in numbers(30)]
    options = {"batch_size": 10, "max_in_flight": 1}

    told, error = tallies(rows, **options)
    assert GatewayRefusedError is error
    tallies(rows, **options)
    tallies(rows, **options)

    assert [
        {"accepted": 10, "refused": 20, "requests": 2, "parts": 20},
        {"accepted": 20, "requests": 2, "parts": 40},
        {},
    ] == told


def test_a_failed_check_is_counted(tallies):
    """A bad row that holds all back: it is invalid, the others were not sent."""
    told, error = tallies([("12", "hi"), ("09120000001", "hi")])

    assert ([{"invalid": 1, "refused": 1}], InvalidMessageError) == (told, error)


def test_what_is_in_doubt_is_counted_until_it_is_settled(tallies, sandbox: Sandbox):
    """In doubt after one try; found to be taken by the next, which made no request for it."""
    sandbox.order_fault("cut_before_answer")
    sandbox.reports = False
    told, error = tallies([("09120000001", "hi")])
    assert UnsettledError is error
    sandbox.reports = True

    tallies([("09120000001", "hi")])

    assert [{"in_doubt": 1, "requests": 1}, {"accepted": 1, "parts": 1}] == told


def test_what_is_in_doubt_stays_so_where_a_check_fails(tallies, send: Sending, sandbox: Sandbox):
    """A guard that stops a later try does not turn *in doubt* into *not sent*."""
    sandbox.order_fault("cut_before_answer")
    sandbox.reports = False
    tallies([("09120000001", "hi")])

    told, error = tallies([("09120000001", "hi"), ("09120000002", "hi")], max_recipients=1)

    assert InvalidMessageError is error
    assert {"in_doubt": 1, "refused": 1} == told[-1]
    assert ["in_doubt", "refused"] == [row["outcome"] for row in send.outcomes]
