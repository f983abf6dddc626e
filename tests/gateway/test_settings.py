"""What a connection may say, and how it is told when it says something else."""

import pytest

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.gateway.settings import EXTRAS, parse_settings


def parse(host: str | None = "edge.example.com/v1", **fields):
    return parse_settings(**{"host": host, "password": "secret-token", **fields})


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "https://edge.example.com/v1"}, "https://edge.example.com/v1"),
        ({"host": "https://edge.example.com/v1/"}, "https://edge.example.com/v1"),
        ({"host": "https://edge.example.com/v1/api"}, "https://edge.example.com/v1"),
        ({"host": "https://edge.example.com/v1/api/"}, "https://edge.example.com/v1"),
        ({"host": "https://edge.example.com"}, "https://edge.example.com"),
        ({"host": "https://edge.example.com/api"}, "https://edge.example.com"),
        ({"host": "edge.example.com/v1"}, "https://edge.example.com/v1"),
        ({"host": " edge.example.com ", "schema": "v1"}, "https://edge.example.com/v1"),
        ({"host": "edge.example.com", "schema": "v1/api"}, "https://edge.example.com/v1"),
        ({"host": "edge.example.com", "schema": "https"}, "https://edge.example.com"),
        ({"host": "edge.example.com", "port": 8443, "schema": "v1"}, "https://edge.example.com:8443/v1"),
        ({"host": "edge.example.com:8443/v1", "port": 9}, "https://edge.example.com:8443/v1"),
        ({"host": "127.0.0.1", "port": 8025, "schema": "v1"}, "http://127.0.0.1:8025/v1"),
        ({"host": "localhost:8025/v1"}, "http://localhost:8025/v1"),
        ({"host": "[::1]:8025/v1"}, "http://[::1]:8025/v1"),
        ({"host": "127.0.0.1", "schema": "https"}, "https://127.0.0.1"),
        ({"host": "http://sms.internal/v1", "extra": {"allow_http": True}}, "http://sms.internal/v1"),
        ({"host": "sms.internal", "schema": "http", "extra": {"allow_http": "true"}}, "http://sms.internal"),
    ],
)
def test_addresses(fields, base_url):
    """A base address is read with or without scheme, path, port, and the path's `/api`."""
    assert base_url == parse(**fields).base_url


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"host": None}, "no Base URL"),
        ({"host": "  "}, "no Base URL"),
        ({"host": "https:///v1"}, "no host name"),
        ({"host": "https://[::1/v1"}, "Base URL"),
        ({"host": "ftp://edge.example.com"}, "ftp://"),
        ({"host": "http://edge.example.com"}, "plain http"),
        ({"host": "https://user:pw@edge.example.com"}, "leave them out"),
        ({"host": "https://edge.example.com/v1?key=1"}, "leave them out"),
        ({"host": "https://edge.example.com:99999"}, "port"),
        ({"password": None}, "no API token"),
        ({"password": " ", "login": "me"}, "move it to Password"),
        ({"password": "a\nb"}, "copy it again"),
        ({"password": "توکن"}, "copy it again"),
        ({"extra": {"form_number": "1"}}, "unknown names: form_number"),
        ({"extra": {"read_timeout": 0}}, "read_timeout"),
        ({"extra": {"requests_per_second": 0}}, "requests_per_second"),
        ({"extra": {"requests_per_second": "fast"}}, "requests_per_second"),
        ({"extra": {"requests_per_second": True}}, "requests_per_second"),
        ({"extra": {"read_timeout": "soon"}}, "read_timeout"),
        ({"extra": {"connect_timeout": True}}, "connect_timeout"),
        ({"extra": {"connect_timeout": [1]}}, "connect_timeout"),
        ({"extra": {"report_lag": 0}}, "extra report_lag must be a number of seconds up to 604800"),
        ({"extra": {"report_lag": -1}}, "leave the extra out"),
        ({"extra": {"report_lag": 604_801}}, "report_lag"),
        ({"extra": {"report_lag": "nan"}}, "report_lag"),
        ({"extra": {"report_lag": "soon"}}, "report_lag"),
        ({"extra": {"report_lag": True}}, "report_lag"),
        ({"extra": {"witness_recipient": 989120000001}}, "extra witness_recipient is not text. Put it in"),
        ({"extra": {"witness_recipient": ["+989120000001"]}}, "witness_recipient"),
        ({"extra": {"allow_http": "perhaps"}}, "allow_http"),
        ({"extra": {"from_number": 983000505}}, "from_number"),
        ({"extra": {"allowed_recipients": 912}}, "allowed_recipients"),
        ({"extra": {"allowed_recipients": [912]}}, "allowed_recipients"),
    ],
)
def test_what_cannot_be_used_is_named(fields, told):
    """A wrong field is named, with what to do; neither the token nor the value is shown."""
    with pytest.raises(InvalidMessageError) as caught:
        parse(**fields)

    assert told in str(caught.value)
    assert "secret-token" not in str(caught.value)
    assert "0000001" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "seconds"), [(0.5, 0.5), ("90", 90.0), (604_800, 604_800.0), (None, None)]
)
def test_a_report_lag_is_a_number_of_seconds_or_none(written, seconds):
    """`report_lag` reaches up to a week; without it nothing is assumed about the reports."""
    assert seconds == parse(extra={"report_lag": written}).report_lag_s
    assert parse().report_lag_s is None


def test_a_witness_recipient_is_kept_as_typed_and_never_shown():
    """`witness_recipient` is a phone number: it stands in no representation of the settings."""
    settings = parse(extra={"witness_recipient": " 0912 000 0001 "})

    assert "0912 000 0001" == settings.witness_recipient
    assert "0912" not in repr(settings)
    assert parse().witness_recipient is None


def test_the_defaults_of_notices_are_kept_as_typed_and_never_shown():
    """Recipients are a list or a text with commas, the text is a template; both may be private."""
    listed = parse(
        extra={"notifier_recipients": ["0912 000 0001", "0935"], "notifier_text": " {{ event }}! "}
    )
    typed = parse(extra={"notifier_recipients": "0912 000 0001, 0935", "notifier_text": "{{ event }}!"})

    assert listed == typed
    assert ("0912 000 0001", "0935") == typed.notifier_recipients
    assert "{{ event }}!" == typed.notifier_text
    assert not any(each in repr(typed) for each in ("0912", "event"))


def test_unknown_extras_are_told_the_known_ones():
    """Whoever misspelled an extra sees them all."""
    with pytest.raises(InvalidMessageError) as caught:
        parse(extra={"fromnumber": "+983000505"})

    assert all(name in str(caught.value) for name in EXTRAS)


def test_extras_of_a_uri_are_texts():
    """Values that arrive as text, as in a URI, mean the same as typed ones."""
    typed = {"allow_http": True, "read_timeout": 5, "allowed_recipients": ["0912", "0935"], "region": "IR"}
    texts = {"allow_http": "1", "read_timeout": "5", "allowed_recipients": " 0912,0935 ,", "region": "ir"}
    assert parse(extra=typed) == parse(extra=texts)


@pytest.mark.parametrize(
    "extra",
    [
        *({"allowed_recipients": value} for value in ([], " ", ",", " , ", ["", ""], ["\u00a0"])),
        *({name: " "} for name in ("redirect_to", "from_number", "region", "proxy", "witness_recipient")),
        *({name: " "} for name in ("notifier_recipients", "notifier_text")),
    ],
)
def test_an_extra_that_is_there_and_holds_nothing_is_an_error(extra):
    """A staging connection that was written half, or by a failed template, does not text everybody."""
    with pytest.raises(InvalidMessageError, match=r"is empty\. Write a value"):
        parse(extra=extra)


def test_fields_left_empty_are_absent():
    """The connection form stores what was not filled in as null or an empty text."""
    assert parse() == parse(extra=dict.fromkeys(EXTRAS)) == parse(extra=dict.fromkeys(EXTRAS, ""))


@pytest.mark.parametrize(("written", "rate"), [(0.5, 0.5), ("5", 5.0), (10_000, 10_000.0), (None, None)])
def test_a_pace_is_a_number_of_requests_a_second(written, rate):
    """`requests_per_second` may be a fraction; without it the pace is not limited."""
    assert rate == parse(extra={"requests_per_second": written}).requests_per_second


@pytest.mark.parametrize(
    "url", ["panel.example.com/{outbox_id}", "javascript:alert(1)", "ftp://a/{outbox_id}"]
)
def test_an_outbox_url_is_the_address_of_a_page(url):
    """What a browser would not open as a page is refused."""
    with pytest.raises(InvalidMessageError, match="outbox_url is not the address of a page"):
        parse(extra={"outbox_url": url})
