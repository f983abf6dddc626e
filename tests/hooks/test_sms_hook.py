"""The hook: an Airflow connection in its forms, as a client."""

import json

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.hooks.sms import SMSHook
from airflow_provider_p2psms.sandbox import Sandbox


def connect(monkeypatch, value):
    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", value if isinstance(value, str) else json.dumps(value))
    return SMSHook()


@pytest.mark.parametrize(
    "value",
    [
        "p2psms://:TOKEN@edge.example.com/v1?from_number=%2B983000505",
        "p2psms://:TOKEN@https%3A%2F%2Fedge.example.com%2Fv1?from_number=%2B983000505",
        "p2psms://:TOKEN@edge.example.com/v1/api?from_number=%2B983000505",
        {"conn_type": "p2psms", "host": "https://edge.example.com/v1", "password": "TOKEN",
         "extra": {"from_number": "+983000505"}},
        {"conn_type": "p2psms", "host": "edge.example.com/v1/api", "password": "TOKEN",
         "extra": '{"from_number": "+983000505"}'},
        {"conn_type": "p2psms", "host": "edge.example.com", "schema": "v1", "password": "TOKEN",
         "extra": {"from_number": "+983000505", "region": None, "proxy": ""}},
    ],
)  # fmt: skip
def test_a_connection_in_each_of_its_forms(value, monkeypatch):
    """URI and JSON lead to the same gateway, token and line."""
    hook = connect(monkeypatch, value)

    settings = hook.settings
    assert ("https://edge.example.com/v1", "TOKEN") == (settings.base_url, settings.token)
    assert "+983000505" == hook.line()
    assert "+98BANK" == hook.line("+98BANK")


def test_no_line_anywhere(monkeypatch):
    """Without a line in task and connection the error says where to put one."""
    with pytest.raises(InvalidMessageError, match="from_number"):
        connect(monkeypatch, "p2psms://:TOKEN@edge.example.com/v1").line()


def test_a_wrong_connection_is_named(monkeypatch):
    """What is wrong with a connection is told with its id."""
    with pytest.raises(InvalidMessageError, match=r"(?s)unknown names: color.*p2psms_default"):
        connect(monkeypatch, "p2psms://:TOKEN@edge.example.com/v1?color=red").settings  # noqa: B018


def test_testing_a_connection(p2psms_sandbox: Sandbox):
    """A good token passes, and the account is named."""
    ok, told = SMSHook().test_connection()
    assert ok
    assert "account" in told


def test_testing_a_connection_with_another_token(p2psms_sandbox: Sandbox, monkeypatch):
    """A token that the gateway does not know fails with what to do."""
    hook = connect(monkeypatch, p2psms_sandbox.connection_uri.replace("sandbox-token", "AccessKey"))
    ok, told = hook.test_connection()
    assert not ok
    assert "bare token" in told


def test_testing_a_blocked_account(p2psms_sandbox: Sandbox):
    """An account that may not send is named as blocked."""
    p2psms_sandbox.send_block = True
    ok, told = SMSHook().test_connection()
    assert not ok
    assert "send_block" in told


def test_testing_a_gateway_that_is_not_there(monkeypatch):
    """No connection is told, not raised."""
    ok, told = connect(monkeypatch, "p2psms://:TOKEN@127.0.0.1:1/v1").test_connection()
    assert not ok
    assert "refused" in told


@pytest.mark.parametrize(
    "value", ["p2psms://:TOKEN@edge.example.com/v1?color=red", "p2psms://127.0.0.1:1/v1"]
)
def test_testing_a_connection_twice(value, monkeypatch):
    """Airflow tests a connection under another random id at each press; the message is the same."""
    told = set()
    for conn_id in ("tmp1a2b3c", "tmp4d5e6f"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)
        told.add(SMSHook(conn_id).test_connection())

    [(ok, words)] = told
    assert not ok
    assert "tmp" not in words


def test_one_call_each(p2psms_sandbox: Sandbox):
    """Sends, price, credit, reports and cancel are there for code that is no operator."""
    hook = SMSHook()
    line = {"from_number": "+983000505"}
    ids = hook.send_peer_to_peer([{"recipients": ["+989120000001"], "message": "hi"}], **line)
    ids += hook.send_peer_to_peer_file([("+989120000002", "ho")], send_time="2025-03-12 21:20:02", **line)

    assert ids == [message.outbox_id for message in p2psms_sandbox.arrived]
    assert 1 == hook.calculate_price("hi", **line).parts
    assert hook.credit()["credit"] > 0
    assert str(ids[0]) == hook.report_by_bulk(ids[0])["messages_outbox_id"]
    assert 2 == hook.report_list({"number": "+983000505"}).total
    assert ["+989120000001"] == [each["recipient"] for each in hook.report_recipients(ids[0]).records]
    assert hook.get_conn().report_bulk_stats(ids[0])
    assert hook.get_conn().numbers().records
