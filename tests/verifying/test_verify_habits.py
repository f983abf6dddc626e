"""What `p2psms verify` says of each habit of a gateway's reports."""

import pytest

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.connection import parse_connection
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.verifying.findings import CATALOGUE
from tests.verifying.conftest import StartSandbox, Verify

WITNESS = "witness_recipient: your own number, as given with --to"


def test_a_gateway_that_keeps_the_contract(gateway: StartSandbox, verify: Verify):
    """Every line is asked, none differs, and six messages arrived; the scheduled one is cancelled."""
    done = verify(gateway())

    assert 0 == done.code
    assert list(CATALOGUE) == list(done.report["findings"])
    assert set() == {key for key in CATALOGUE if done[key]["result"] not in {"as documented", "observed"}}
    assert (True, 7, set()) == (done.report["is_complete"], len(done.sandbox.arrived), done.scheduled)
    assert WITNESS == done["schedule.report"]["connection"]
    assert {"nothing"} == {
        done[key]["connection"] for key in CATALOGUE if key not in {"schedule.report", "report.list"}
    }


@pytest.mark.sampled(17)
@pytest.mark.parametrize(
    ("habit", "key", "observed"),
    [
        ({"outbox_suffix": "\nلغو11"}, "report.text.added", 'Added: "\\nلغو11" behind the text.'),
        ({"outbox_prefix": "Co: "}, "report.text.added", 'Added: "Co: " before the text.'),
        ({"text_letters": "persian"}, "report.text.letters", "Arabic ya and kaf are shown as Persian"),
        ({"text_digits": "persian"}, "report.text.digits", "All digits are shown as Persian digits."),
        ({"text_digits": "latin"}, "report.text.digits", "All digits are shown as Latin digits."),
        ({"text_zwnj": "dropped"}, "report.text.zwnj", "Zero-width non-joiners are left out."),
        ({"text_zwnj": "blanked"}, "report.text.zwnj", "Zero-width non-joiners are shown as blanks."),
        ({"text_line_ends": "crlf"}, "report.text.line_end", "Line ends are shown as CR LF."),
        ({"text_line_ends": "blanked"}, "report.text.line_end", "Line ends are shown as blanks."),
        ({"text_line_ends": "br"}, "report.text.line_end", "Line ends are shown as <br>."),
        ({"text_blanks_collapsed": True}, "report.text.blanks", "Two blanks are shown as one."),
        ({"text_typographic": True}, "report.text.quotes", "Straight quotes are shown as typographic"),
        ({"text_html_escaped": True}, "report.text.markup", "HTML escapes are shown."),
        ({"text_html_escaped": True}, "report.text.quotes", "HTML escapes are shown."),
        ({"text_shortened_to": 70}, "report.text.long", "shortened to 70 of 290 characters."),
        ({"text_shortened_to": 70, "text_dots": "..."}, "report.text.long", "with dots at the end."),
        ({"text_shown": "masked"}, "report.text.letters", "without its first word: masked or replaced"),
        ({"text_shown": "digits_masked"}, "report.text.digits", 'Shown as "*** *** ***".'),
        ({"text_shown": "null"}, "report.text.long", "not shown (null)"),
        ({"line_shown": "no_plus"}, "report.line", "Shown as 983000505."),
        ({"line_shown": "no_98"}, "report.line", "Shown as 3000505."),
        ({"line_shown": "double_zero"}, "report.line", "Shown as 00983000505."),
        ({"line_shown": "null"}, "report.line", "Shown as no line."),
        ({"line_alias": "BANK"}, "report.line", "Shown as BANK."),
        ({"recipients_shown": "no_plus"}, "report.recipients", "are shown without +"),
        ({"recipients_shown": "national"}, "report.recipients", "are shown in national form"),
        ({"recipients_shown": "masked"}, "report.recipients", "are shown masked"),
        ({"recipient_added": True}, "report.recipients", "2 for each message of one; rcpts_count is 2"),
        ({"rcpts_count": "absent"}, "report.recipients", "rcpts_count is None"),
        ({"time_local": True}, "report.time", "perhaps local time, UTC+3.5 h."),
        ({"time_shown": "milliseconds"}, "report.time", "Times are milliseconds."),
        ({"time_shown": "text"}, "report.time", "Times are text."),
        ({"time_shown": "absent"}, "report.time", "The records have no time."),
        ({"time_shown": "absent"}, "report.filters", "not asked, since records have no time"),
        ({"date_offset_s": -500.0}, "report.clock", "The gateway's clock is 500 s behind ours"),
        ({"date_absent": True}, "report.clock", "The answers have no Date header."),
        ({"list_shape": "null"}, "report.list", "new_list shows none of 6 messages"),
        ({"list_shape": "items"}, "report.pages", "data is no list."),
        ({"last_page": "missing"}, "report.pages", "last_page is missing."),
        ({"last_page": "missing"}, "report.last_page", "the list has no last_page"),
        ({"last_page": "nested"}, "report.pages", "last_page is not in meta but deeper."),
        ({"last_page_counted_by": 10}, "report.pages", "last_page is 1 for 7 records, 2 on a page."),
        ({"total": "missing"}, "report.pages", "total is missing."),
        ({"total": "too_small"}, "report.pages", "total is 3 where 7 records are shown."),
        ({"page_size_most": 50}, "report.limit", "limit=100: 50"),
        ({"page_size_most": 1}, "report.pages", "per_page is 1 where limit is 2."),
        ({"page_size_most": 1}, "report.filters", "not clear, pages are too short"),
        ({"page_number": "ignored"}, "report.pages", "The page number is ignored"),
        ({"page_number": "echoed"}, "report.pages", "The page number is ignored"),
        ({"page_empty": 2}, "report.pages", "Page 2 is empty, and later ones are not."),
        ({"pages_deepest": 1}, "report.pages", "Page 2 is not answered: HTTP 422."),
        ({"order": "unstable"}, "report.pages", "The order differs from question to question"),
        ({"filters_ignored": True}, "report.filters", "create_from_date and create_to_date: is ignored"),
        ({"report_lag_s": 60.0}, "report.by_id", "by_bulk shows none of 6 messages within 0 s."),
        ({"reports": False}, "report.answers", "HTTP 404"),
        ({"scheduled_listed": "when_sent"}, "schedule.report", "the list does not show it"),
        ({"scheduled_listed": "by_send_time"}, "schedule.report", "its time is that of its sending"),
        ({"duplicate_window_s": 0.0}, "repeat.groups", "taken again, 1 id. You paid for both."),
        ({"duplicate_window_s": 0.0}, "repeat.file", "taken again, 2 ids. You paid for both."),
        ({"lines": ("+981000",)}, "account.lines", "+981000 is among the account's lines"),
    ],
    ids=str,
)  # fmt: skip
def test_a_habit_is_reported(gateway: StartSandbox, verify: Verify, habit, key, observed):
    """The line of the report says what this gateway does; the run ends well, and nothing stays scheduled."""
    done = verify(gateway(**habit))

    assert observed in done[key]["observed"]
    assert (0, set()) == (done.code, done.scheduled)


@pytest.mark.parametrize("offset_s", [400.0, -400.0])
def test_a_clock_that_is_off(gateway: StartSandbox, verify: Verify, offset_s):
    """The line says by how much the records' clock differs from ours, and from the Date header."""
    done = verify(gateway(clock_offset_s=offset_s))

    side = "ahead of" if offset_s > 0 else "behind"
    assert offset_s == pytest.approx(done["report.time"]["values"]["offset_s"], abs=3)
    assert f" s {side} ours. It is " in done["report.time"]["observed"]
    assert f" s {side} the Date header." in done["report.time"]["observed"]
    assert "agrees with ours within 5 s" in done["report.clock"]["observed"]


@pytest.mark.parametrize(
    "habit",
    [
        {"scheduled_listed": "when_sent"},
        {"scheduled_listed": "by_send_time"},
        {"list_shape": "null"},
        {"time_shown": "absent"},
        {"reports": False},
    ],
    ids=str,
)
def test_no_witness_where_the_list_does_not_show_scheduled_messages(
    gateway: StartSandbox, verify: Verify, habit
):
    """witness_recipient is named only where the list shows a scheduled message under the request's time."""
    done = verify(gateway(**habit))

    assert "nothing; do not set witness_recipient" == done["schedule.report"]["connection"]
    assert done["schedule.report"]["values"]["can_be_witness"] is False


def test_the_lag_is_measured(gateway: StartSandbox, verify: Verify):
    """Messages that the reports show late have their seconds, and the least report_lag is far above them."""
    done = verify(gateway(report_lag_s=1.0), wait="20")

    for key in ("report.by_id", "report.list"):
        values = done[key]["values"]
        assert (6, 6) == (values["shown"], values["of"])
        assert all(0.9 <= seconds <= 20 for seconds in values["seconds"])
    assert done["report.list"]["values"]["report_lag_at_least"] >= 900
    assert "nothing; if you set report_lag, at least 900" == done["report.list"]["connection"]
    assert "The reports show 0 of 7 messages; waiting." in done.told


@pytest.mark.parametrize(
    ("deeper", "observed"), [("refused", "is not answered (HTTP 422)"), ("empty", "is empty")]
)
def test_a_busy_account_with_deep_pages(gateway: StartSandbox, verify: Verify, deeper, observed):
    """Among many records of others ours are found, and the last page of all is asked for."""
    sandbox = gateway(pages_deepest=40, pages_deeper=deeper, page_size_most=50, duplicate_window_s=0)
    with GatewayClient(parse_connection(sandbox.connection_uri)) as client:
        for _ in range(3):
            groups = [Group(("+989350000000",), f"text {number}") for number in range(700)]
            client.send_peer_to_peer(groups, from_number="+983000505")

    done = verify(sandbox)

    assert observed in done["report.last_page"]["observed"]
    assert "as documented" == done["report.pages"]["result"]
    assert (6, 0) == (done["report.list"]["values"]["shown"], done.code)


def test_questions_above_a_limit_are_told(gateway: StartSandbox, verify: Verify, capsys):
    """A gateway that answers 429 to questions is asked again, and the report says so."""
    done = verify(gateway(), wait="5")
    assert {} == done["report.answers"]["values"]["problems"]
    sandbox = gateway()
    sandbox.order_fault("refuse_429", path="/api/report/by_bulk", times=2)

    done = verify(sandbox, wait="5")

    assert {"HTTP 429": 2} == done["report.answers"]["values"]["problems"]
    assert (0, "as documented") == (done.code, done["report.recipients"]["result"])
