"""What an operator refuses when the DAG is parsed, before anything runs."""

import datetime as dt

import pendulum
import pytest

from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator

ROWS = [("09120000001", "hi")]


@pytest.mark.parametrize("operator", [PeerToPeerSMSOperator, PeerToPeerFileOperator])
@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "give messages or file"),
        ({"messages": ROWS, "file": "a.csv"}, "give messages or file"),
        ({"messages": ROWS, "on_invalid": "ignore"}, "on_invalid must be one of fail, skip"),
        ({"messages": ROWS, "on_empty": "ignore"}, "on_empty must be one of skip, succeed, fail"),
        ({"messages": ROWS, "on_backfill": "ignore"}, "on_backfill must be one of skip, send, fail"),
        ({"messages": ROWS, "on_stale": "ignore"}, "on_stale must be one of skip, fail, send"),
        ({"messages": ROWS, "max_age": -1}, "send: max_age must be a timedelta above 0"),
        ({"messages": ROWS, "max_age": dt.timedelta(0)}, "max_age must be a timedelta above 0"),
        ({"messages": ROWS, "on_late": "ignore"}, "on_late must be one of fail, send_now"),
        (
            {"messages": ROWS, "batch_size": 0},
            "batch_size must be a whole number of at least 1. It is 0",
        ),
        ({"messages": ROWS, "max_in_flight": -1}, "max_in_flight must be a whole number of at least 1"),
        ({"messages": ROWS, "requests_per_second": 0}, "requests_per_second must be a number above 0"),
        (
            {"messages": ROWS, "max_recipients": False},
            "max_recipients must be a whole number of at least 1. It is False",
        ),
        ({"messages": ROWS, "max_parts": 0}, "max_parts must be a whole number of at least 1"),
        ({"messages": ROWS, "drop_duplicates": "no"}, "drop_duplicates must be True or False"),
        ({"messages": ROWS, "trust_e164": 1}, "trust_e164 must be True or False"),
        ({"messages": ROWS, "mobiles_only": None}, "mobiles_only must be True or False"),
        (
            {"messages": ROWS, "max_cost": "1 rial"},
            "max_cost must be a number of at least 1. It is of the type str",
        ),
        ({"messages": ROWS, "send_time": dt.datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"messages": ROWS, "send_time": "2026-01-01T00:00"}, "no time zone"),
        ({"messages": ROWS, "send_window": ("8", "9")}, "send_window"),
        ({"messages": ROWS, "text": "Dear {0}"}, "name of a column"),
        ({"messages": ROWS, "text": "Dear {name"}, "brace"),
        ({"messages": ROWS, "recipient_column": "a", "message_column": "a"}, "the same"),
    ],
)
def test_wrong_parameters(operator, parameters, told):
    """A combination that can never work is refused with the parameter's name."""
    with pytest.raises(ValueError, match=told):
        operator(task_id="send", **parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"messages": []},
        {"file": "{{ params.file }}"},
        {"messages": ROWS, "send_time": "{{ data_interval_end }}", "text": "{{ params.text }}"},
        {
            "messages": ROWS,
            "send_time": pendulum.datetime(2026, 1, 1),
            "send_window": ["08:00", "9:00", "UTC"],
        },
    ],
)
def test_what_is_known_only_later_is_let_through(parameters):
    """Templates and empty lists are judged when the task runs."""
    parameters["send_window"] = ("08:00", "21:00", "Asia/Tehran")
    PeerToPeerSMSOperator(task_id="send", **parameters)


def test_no_default_for_what_is_sent():
    """Neither rows nor texts have a default; forgetting them is an error."""
    with pytest.raises(TypeError):
        PeerToPeerSMSOperator("send")  # type: ignore[call-arg]
