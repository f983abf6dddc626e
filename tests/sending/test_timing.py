"""When a message may go: the gateway's limits of scheduling, windows, and times that have passed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.sending.timing import SendWindow, Timing, parse_send_time

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # 15:30 in Tehran
TEHRAN = ("08:00", "21:00", "Asia/Tehran")


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 3, 10, 15, 30, tzinfo=UTC),
        datetime(2026, 3, 10, 19, 0, tzinfo=ZoneInfo("Asia/Tehran")),
        pendulum.datetime(2026, 3, 10, 19, 0, tz="Asia/Tehran"),
        "2026-03-10 15:30:00",
        " 2026-03-10 15:30:00 ",
        "2026-03-10T19:00:00+03:30",
        "2026-03-10 19:00:00.500+03:30",
        "2026-03-10T15:30:00Z",
    ],
)
def test_times_are_read(value):
    """Every accepted spelling of a moment is that moment: 19:00 in Tehran is 15:30 UTC."""
    assert datetime(2026, 3, 10, 15, 30, tzinfo=UTC) == parse_send_time(value)


@pytest.mark.parametrize("value", [None, ""])
def test_no_time_is_at_once(value):
    """Nothing given means at once."""
    assert parse_send_time(value) is None
    assert Timing().send_time(NOW) is None


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 3, 10), "2026-03-10T19:00:00", "2026-03-10", "tomorrow", 5, "None"],  # noqa: DTZ001
)
def test_what_names_no_moment_is_refused(value):
    """A naive datetime or anything that is no time is refused with the accepted forms."""
    with pytest.raises(InvalidMessageError, match="send_time"):
        parse_send_time(value)


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (timedelta(seconds=-1), "past"),
        (timedelta(0), "past"),
        (timedelta(minutes=4, seconds=59), "5 minutes"),
        (timedelta(days=93), "3 months"),
    ],
)
def test_times_that_the_gateway_does_not_take(ahead, told):
    """Past, too near and too far are refused before the gateway is asked."""
    with pytest.raises(InvalidMessageError, match=told):
        Timing(send_at_utc=NOW + ahead).send_time(NOW)


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(days=1), timedelta(days=92)])
def test_times_that_the_gateway_takes(ahead):
    """From 5 minutes to 3 months ahead a time is passed on in UTC."""
    expected = (NOW + ahead).strftime("%Y-%m-%d %H:%M:%S")
    assert expected == Timing(send_at_utc=NOW + ahead).send_time(NOW)


def test_a_late_one_goes_now_if_so_asked():
    """`on_late="send_now"` sends at once what is past, and still refuses what is too near."""
    assert Timing(send_at_utc=NOW - timedelta(days=1), on_late="send_now").send_time(NOW) is None
    with pytest.raises(InvalidMessageError):
        Timing(send_at_utc=NOW + timedelta(minutes=1), on_late="send_now").send_time(NOW)


@pytest.mark.parametrize(
    ("window", "now", "expected"),
    [
        (TEHRAN, "12:00", None),  # 15:30 local
        (TEHRAN, "04:30", None),  # 08:00 local, the opening minute
        (TEHRAN, "17:30", "2026-03-11 04:30:00"),  # 21:00 local, the closing minute
        (TEHRAN, "03:00", "2026-03-10 04:30:00"),
        (TEHRAN, "04:27", "2026-03-10 04:33:00"),  # opens in 3 minutes: nearer than can be scheduled
        (("22:00", "06:00", "UTC"), "23:00", None),
        (("22:00", "06:00", "UTC"), "05:59", None),
        (("22:00", "06:00", "UTC"), "12:00", "2026-03-10 22:00:00"),
    ],
)
def test_outside_the_window_waits_for_its_opening(window, now, expected):
    """Within the window a message goes at once, outside it is scheduled for the next opening."""
    moment = datetime.fromisoformat(f"2026-03-10T{now}:00+00:00")
    assert expected == Timing(window=SendWindow.parse(window)).send_time(moment)


def test_a_time_outside_the_window_moves_into_it():
    """A `send_time` at night goes with the opening after it."""
    timing = Timing(send_at_utc=datetime(2026, 3, 12, 20, 0, tzinfo=UTC), window=SendWindow.parse(TEHRAN))
    assert "2026-03-13 04:30:00" == timing.send_time(NOW)


@pytest.mark.parametrize(
    "window", ["08:00", ("08:00", "21:00"), ("8", "9", "UTC"), ("08:00", "08:00", "UTC"), (8, 21, "UTC"),
               ("08:00", "21:00", "Asia/Nowhere"), ("08:00", "21:00", ""), ("08:00+01:00", "21:00", "UTC")]
)  # fmt: skip
def test_what_is_no_window_is_refused(window):
    """A window of another form, or one that never opens, is refused."""
    with pytest.raises(InvalidMessageError, match="send_window"):
        SendWindow.parse(window)


minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")


@given(
    opens=minutes,
    closes=minutes,
    zone=st.sampled_from(["Asia/Tehran", "UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_nothing_is_ever_scheduled_outside_its_window(opens, closes, zone, now):
    """Whatever the window and the hour: at once only inside, otherwise an allowed time inside it."""
    if opens == closes:
        return
    window = SendWindow.parse((opens, closes, zone))
    scheduled = Timing(window=window).send_time(now)
    if scheduled is None:
        assert window.holds(now)
    else:
        when = datetime.strptime(scheduled, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert timedelta(minutes=5) <= when - now.replace(microsecond=0) < timedelta(days=2)
        assert window.holds(when) or timedelta(minutes=7) > _length(window)


def _length(window: SendWindow) -> timedelta:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    length = datetime.combine(day, window.closes) - datetime.combine(day, window.opens)
    return length % timedelta(days=1)
