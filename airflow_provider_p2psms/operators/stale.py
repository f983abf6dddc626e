"""
Runs that are too old to send: whether a run is one, decided from its data interval alone.

Airflow makes up for missed runs (`catchup`), so a DAG that is unpaused after five days could send five texts
to each customer, all about the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

# Without `max_age`, of scheduled runs alone: people, assets and backfills start the others on purpose.
DEFAULT_MAX_AGE = timedelta(days=1)


def describe_staleness(context: Mapping[str, Any], *, max_age: timedelta | None, now: datetime) -> str | None:
    """
    Say that the run's data interval ended too long ago.

    :param context: Airflow's. A run without a data interval has no age.
    :param max_age: the limit, of every run; None is one day for scheduled runs and no limit for others.
    :return: ``None`` if it did not.
    """
    end: datetime | None = context.get("data_interval_end")
    if max_age is None and _run_type(context) == "scheduled":
        max_age = DEFAULT_MAX_AGE
    if end is None or max_age is None or now - end <= max_age:
        return None
    ended = f"{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return (
        f"The data interval of this run ended {_words(now - end)} ago, at {ended}, and the limit is "
        f"{_words(max_age)} (max_age). Nothing is sent. To send runs that old, set a longer "
        'max_age=timedelta(…), or on_stale="send" for any age.'
    )


def _run_type(context: Mapping[str, Any]) -> str:
    run_type = getattr(context.get("dag_run"), "run_type", "")
    return str(getattr(run_type, "value", run_type))


def _words(age: timedelta) -> str:
    """Write an age with its largest two units: ``5 days 3 hours``."""
    minutes = int(age.total_seconds()) // 60
    units = (minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute")
    told = [f"{count:,} {unit}{'s' * (count != 1)}" for count, unit in units if count]
    return " ".join(told[:2]) or f"{age.total_seconds():.0f} seconds"
