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
        (("08:00", "24:00", "Asia/Tehran"), "20:29", None),  # 23:59 local
        (("08:00", "24:00", "Asia/Tehran"), "20:30", "2026-03-11 04:30:00"),  # midnight
        (("00:00", "24:00", "UTC"), "12:00", None),
    ],
)
def test_outside_the_window_waits_for_its_opening(window, now, expected):
    """Within the window a message goes at once, outside it is scheduled for the next opening."""
    moment = datetime.fromisoformat(f"2026-03-10T{now}:00+00:00")
    assert expected == Timing(window=SendWindow.parse(window)).send_time(moment)


# In Berlin 03:00 becomes 02:00 on 25 October 2026, at 01:00 UTC, and 02:00 becomes 03:00 on 29 March.
@pytest.mark.parametrize(
    ("opens", "closes", "now", "expected"),
    [
        ("02:30", "21:00", "2026-10-25T00:10", "2026-10-25 00:30:00"),
        ("02:30", "21:00", "2026-10-25T01:10", "2026-10-25 01:30:00"),
        ("02:30", "02:40", "2026-10-25T00:50", "2026-10-25 01:30:00"),
        ("02:30", "21:00", "2026-03-29T00:10", "2026-03-29 01:30:00"),
        ("02:30", "02:40", "2026-03-29T00:10", "2026-03-30 00:30:00"),
    ],
    ids=["the hour comes twice", "its second time", "opens in both", "the hour is left out", "never opens"],
)
def test_when_the_clock_changes(opens, closes, now, expected):
    """The next opening lies ahead and inside the window, also in an hour that comes twice or not at all."""
    window = SendWindow.parse((opens, closes, "Europe/Berlin"))
    moment = datetime.fromisoformat(f"{now}:00+00:00")

    assert expected == Timing(window=window).send_time(moment)


@pytest.mark.parametrize(
    ("closes", "asked_for", "told"),
    [
        ("20:00", None, None),
        ("20:00", NOW + timedelta(hours=2), None),
        (
            "14:00",
            None,
            "send_window (08:00 to 14:00, Asia/Tehran) puts the send off",
        ),
        (
            "24:00",
            NOW + timedelta(hours=9),
            "send_window (08:00 to 24:00, Asia/Tehran) puts the send off",
        ),
    ],
)
def test_a_window_says_that_it_puts_a_send_off(closes, asked_for, told):
    """It names the new time in its own zone, and says nothing where it changes nothing."""
    window = SendWindow.parse(("08:00", closes, "Asia/Tehran"))
    timing = Timing(send_at_utc=asked_for, window=window)

    delay = timing.describe_delay(timing.send_time(NOW))

    scheduled = "the messages are scheduled for 2026-03-11 08:00 Asia/Tehran (2026-03-11 04:30:00 UTC)."
    assert delay == (told and f"{told}: {scheduled}")


def test_without_a_window_nothing_is_put_off():
    """A time that was asked for is no delay."""
    timing = Timing(send_at_utc=NOW + timedelta(hours=1))
    assert timing.describe_delay(timing.send_time(NOW)) is None


def test_a_time_outside_the_window_moves_into_it():
    """A `send_time` at night goes with the opening after it."""
    timing = Timing(send_at_utc=datetime(2026, 3, 12, 20, 0, tzinfo=UTC), window=SendWindow.parse(TEHRAN))
    assert "2026-03-13 04:30:00" == timing.send_time(NOW)


@pytest.mark.parametrize(
    "window", ["08:00", ("08:00", "21:00"), ("8", "9", "UTC"), ("08:00", "08:00", "UTC"), (8, 21, "UTC"),
               ("08:00", "21:00", "Asia/Nowhere"), ("08:00", "21:00", ""), ("08:00+01:00", "21:00", "UTC"),
               ("24:00", "08:00", "UTC")]
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


@given(
    opens=minutes,
    closes=minutes,
    clock_change=st.sampled_from(
        [("2026-10-25T01:00", "Europe/Berlin"), ("2026-03-29T01:00", "Europe/Berlin"),
         ("2026-11-01T06:00", "America/New_York"), ("2026-04-04T15:30", "Australia/Lord_Howe")]
    ),
    minutes_after=st.integers(-180, 180),
)  # fmt: skip
def test_an_opening_near_a_change_of_the_clock_lies_ahead(opens, closes, clock_change, minutes_after):
    """Around the hours that come twice or not at all an opening is in the window and not in the past."""
    if opens == closes:
        return
    at, zone = clock_change
    window = SendWindow.parse((opens, closes, zone))
    moment = datetime.fromisoformat(f"{at}:00+00:00") + timedelta(minutes=minutes_after)

    opening = window.next_opening(moment)

    assert window.holds(opening)
    assert opening == moment if window.holds(moment) else opening > moment


def _length(window: SendWindow) -> timedelta:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    length = datetime.combine(day, window.closes) - datetime.combine(day, window.opens)
    return length % timedelta(days=1)
