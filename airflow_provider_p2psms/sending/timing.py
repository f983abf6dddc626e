"""
When a batch is to go: at once, or at a time that the gateway accepts and the window allows.

Knows the gateway's limits of scheduling (at least 5 minutes, at most 3 months ahead) and no clock: the caller
says what time it is, so that a long send asks again for every batch.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Self, cast
from zoneinfo import ZoneInfo

from airflow_provider_p2psms.choices import OnLate
from airflow_provider_p2psms.errors import InvalidMessageError, lay_out

LEAST_AHEAD = timedelta(minutes=5)
# The gateway counts from the moment at which it reads the request, by its own clock.
_SAFELY_AHEAD = LEAST_AHEAD + timedelta(minutes=1)
_GATEWAY_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """
    The hours of a day, in one time zone, in which people may get a text; it may span midnight.

    ``closes`` is 00:00 for a window that ends at 24:00.
    """

    opens: time
    closes: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, window: object) -> Self:
        """
        Read ``("08:00", "21:00", "Asia/Tehran")``.

        :raises InvalidMessageError: it is not of that form.
        """
        try:
            opens, closes, zone = cast("tuple[str, str, str]", window)
            to_midnight = closes == "24:00"
            parsed = cls(
                time.fromisoformat(opens),
                time.fromisoformat("00:00" if to_midnight else closes),
                ZoneInfo(zone),
            )
        except (TypeError, ValueError, OSError, LookupError) as err:
            raise InvalidMessageError(
                'send_window is not of the form ("08:00", "21:00", "Asia/Tehran"): opens, closes, time zone.'
            ) from err
        is_empty = parsed.opens == parsed.closes and not to_midnight
        if is_empty or parsed.opens.tzinfo or parsed.closes.tzinfo:
            raise InvalidMessageError("send_window never opens, or its hours have a time zone of their own.")
        return parsed

    def holds(self, moment: datetime) -> bool:
        """Whether the window is open at that moment; the closing minute is outside."""
        local = moment.astimezone(self.zone).time()
        if self.opens < self.closes:
            return self.opens <= local < self.closes
        return local >= self.opens or local < self.closes

    def next_opening(self, moment: datetime) -> datetime:
        """Return the moment itself if the window holds it, else its next opening, in UTC."""
        if self.holds(moment):
            return moment.astimezone(UTC)
        today = moment.astimezone(self.zone).date()
        # At the end of summer time an hour comes twice, and so may an opening. At its start one is left out:
        # such an opening may not be in the window.
        openings = (
            datetime.combine(today + timedelta(days=days), self.opens.replace(fold=fold), self.zone)
            for days in range(3)
            for fold in (0, 1)
        )
        return min(
            each
            for each in (opening.astimezone(UTC) for opening in openings)
            if each > moment and self.holds(each)
        )

    def __str__(self) -> str:
        closes = f"{self.closes:%H:%M}"
        return f"{self.opens:%H:%M} to {'24:00' if closes == '00:00' else closes}, {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What was asked for: a time (or at once), a window (or any hour), and what to do with a time gone by."""

    send_at_utc: datetime | None = None
    window: SendWindow | None = None
    on_late: OnLate = "fail"

    def send_time(self, now: datetime) -> str | None:
        """
        Return what goes into ``send_time`` of a request that leaves now; ``None`` sends it at once.

        :raises InvalidMessageError: the time is past, too near or too far for the gateway.

        Source: gateway docs (Persian pages), "Scheduling".
        """
        wanted = self.send_at_utc
        if wanted is not None and wanted <= now and self.on_late == "send_now":
            wanted = None
        if wanted is not None:
            _check_distance(wanted, now)
        if self.window and not self.window.holds(wanted or now):
            # The opening itself may be nearer than the gateway can schedule.
            opening = self.window.next_opening(wanted or now)
            wanted = self.window.next_opening(max(opening, now + _SAFELY_AHEAD))
            _check_distance(wanted, now)
        return wanted.astimezone(UTC).strftime(_GATEWAY_FORMAT) if wanted else None

    def describe_delay(self, send_time: str | None) -> str | None:
        """
        Say that the window puts the send off, and until when by the window's clock.

        :param send_time: what ``send_time`` returned.
        :return: ``None`` if the messages go when they were to go.
        """
        if self.window is None or send_time is None:
            return None
        when = datetime.strptime(send_time, _GATEWAY_FORMAT).replace(tzinfo=UTC)
        if when == self.send_at_utc:
            return None
        local = when.astimezone(self.window.zone)
        return (
            f"send_window ({self.window}) puts the send off: the messages are scheduled for "
            f"{local:%Y-%m-%d %H:%M} {self.window.zone} ({send_time} UTC)."
        )


def parse_send_time(value: object) -> datetime | None:
    """
    Read ``send_time``: an aware datetime, ISO text with an offset, or ``YYYY-MM-DD HH:MM:SS`` (UTC).

    :return: the moment in UTC, whole seconds; ``None`` for nothing.
    :raises InvalidMessageError: no time, or one without a time zone.
    """
    if value is None or value == "":
        return None
    moment = _parse_text(value.strip()) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise InvalidMessageError(
            "send_time must be an aware datetime, ISO text with an offset such as "
            "2026-03-20T09:00:00+03:30, or YYYY-MM-DD HH:MM:SS in UTC."
        )
    if moment.utcoffset() is None:
        raise InvalidMessageError(
            "send_time has no time zone, so its hour is not known. Add the offset, e.g. +03:30, or use "
            "pendulum.datetime(…, tz='Asia/Tehran')."
        )
    return moment.astimezone(UTC).replace(microsecond=0)


def _parse_text(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _GATEWAY_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _check_distance(send_at: datetime, now: datetime) -> None:
    if send_at <= now:
        raise InvalidMessageError(
            lay_out(
                f"send_time is past: {send_at:{_GATEWAY_FORMAT}} UTC.",
                options=(
                    "Give a later time, and clear the task.",
                    'Or set on_late="send_now" to send such messages at once.',
                ),
            )
        )
    if send_at - now < LEAST_AHEAD:
        raise InvalidMessageError(
            lay_out(
                "send_time is less than 5 minutes ahead, nearer than the gateway schedules.",
                options=("Give a later time, or none to send at once, and clear the task.",),
            )
        )
    import pendulum  # noqa: PLC0415 - loaded by those who schedule

    if send_at > pendulum.instance(now).add(months=3):
        raise InvalidMessageError(
            lay_out(
                "send_time is over 3 months ahead, farther than the gateway schedules.",
                options=("Give an earlier time, and clear the task.",),
            )
        )
