"""Connections as environment variables hold them, read without Airflow as Airflow reads them."""

import json

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.gateway.connection import parse_connection

CONNECTIONS = [
    "p2psms://:TOKEN@edge.example.com/v1?from_number=%2B983000505",
    "p2psms://:to%2Fken%40@edge.example.com:8443/v1/api?read_timeout=5&region=DE",
    "p2psms://https://:t@edge.example.com/v1",
    "p2psms://:t@edge.example.com?__extra__=%7B%22allowed_recipients%22%3A%20%5B%2209120000001%22%5D%7D",
    "p2psms://:t@127.0.0.1:8025/v1",
    json.dumps({"conn_type": "p2psms", "host": "https://edge.example.com/v1", "password": "t"}),
    json.dumps(
        {
            "conn_type": "p2psms",
            "host": "edge.example.com",
            "password": "t",
            "port": 8443,
            "schema": "v1",
            "extra": {"redirect_to": "09120000001", "allow_http": False},
        }
    ),
    json.dumps({"conn_type": "p2psms", "host": "h.example", "password": "t", "extra": '{"region": "DE"}'}),
]


@pytest.mark.airflow
@pytest.mark.parametrize("text", CONNECTIONS)
def test_it_is_read_as_airflow_reads_it(text, monkeypatch):
    """The same account, address and extras, whoever reads the variable."""
    from airflow_provider_p2psms.hooks.sms import SMSHook

    monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", text)

    assert SMSHook().settings == parse_connection(text)


def test_a_sandbox_on_ipv6():
    """An address in brackets stays one."""
    assert "http://[::1]:8025/v1" == parse_connection("p2psms://:t@[::1]:8025/v1").base_url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hidden",
        "{hidden",
        '["hidden"]',
        '{"host": "hidden"}',
        '{"conn_type": "p2psms", "extra": ["hidden"]}',
        '{"conn_type": "p2psms", "port": "hidden"}',
        "p2psms://:hidden@[",
        "p2psms://:hidden@host:port",
        "p2psms://:hidden@host?__extra__=hidden",
        "http://:hidden@host/v1",
        "p2psms://:hidden@host?unknown=1",
    ],
)
def test_what_is_none_is_refused_without_showing_it(text):
    """The error says what a connection looks like, and nothing of what was given."""
    with pytest.raises(InvalidMessageError) as caught:
        parse_connection(text)

    assert "hidden" not in str(caught.value)
