"""Waits until the reports show what was sent, and keeps the records as they came."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_p2psms.gateway.values import parse_amount, parse_whole_number
from airflow_provider_p2psms.verifying.asking import Questions, Times

PAGES_AT_MOST = 10
AROUND_S = 300  # how far a window of the list reaches before the first record and behind the last
_MILLISECONDS = 100_000_000_000  # as seconds: the year 5138


@dataclass(slots=True)
class Sighting:
    """
    One outbox id and what the reports show of it.

    ``by_id_s`` and ``listed_s`` are the seconds from the answer to the send until the record was seen: upper
    bounds, since it may have been there since the look before.
    """

    outbox_id: int
    sent: str = field(repr=False)
    left_at: float
    answered_at: float
    is_scheduled: bool = False
    record: Mapping[str, Any] | None = field(default=None, repr=False)
    listed: Mapping[str, Any] | None = field(default=None, repr=False)
    by_id_s: float | None = None
    listed_s: float | None = None
    is_listed_unfiltered: bool = False

    @property
    def any(self) -> Mapping[str, Any] | None:
        """The record, from whichever page shows it."""
        return self.record or self.listed

    @property
    def time(self) -> float | None:
        """``time`` of the record as it counts, be it seconds or milliseconds."""
        return read_time((self.any or {}).get("time"))


def read_time(value: object) -> float | None:
    """Read a time of a record: a number, or ``YYYY-MM-DD HH:MM:SS`` taken as UTC."""
    number = parse_amount(value)
    if number is None and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None if number is None else float(int(number))


def is_milliseconds(at: float) -> bool:
    """Whether a time counts milliseconds."""
    return at >= _MILLISECONDS


def in_seconds(at: float) -> float:
    """Return a time in seconds."""
    return at / 1000 if is_milliseconds(at) else at


def window_of(sightings: Iterable[Sighting], *, around_s: float = AROUND_S) -> dict[str, str]:
    """
    Return filters by date around what was sent, as the report counts.

    It takes the times of the records that were seen, in seconds, and our own clock where none was.
    """
    sightings = list(sightings)
    times = [in_seconds(each.time) for each in sightings if each.time is not None]
    if not times:
        times = [at for each in sightings for at in (each.left_at, each.answered_at)]
    return dates(min(times) - around_s, max(times) + around_s)


def dates(since: float, until: float) -> dict[str, str]:
    """Return the filters of a window."""
    return {"create_from_date": str(int(since)), "create_to_date": str(int(until))}


class Watch:
    """Looks for sightings until all pages show them or the time is over."""

    def __init__(
        self,
        questions: Questions,
        *,
        times: Times,
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._questions = questions
        self._times = times
        self._tell = tell
        self._sleep = sleep

    def wait_for(self, sightings: Sequence[Sighting]) -> None:
        """Look, with growing pauses, until every sighting has both its records."""
        end = time.monotonic() + self._times.wait_s
        pause, shown, look = self._times.pause_s, 0, 0
        while True:
            self._look(sightings, unfiltered=look % 2 == 1)
            seen = sum(each.by_id_s is not None and each.listed_s is not None for each in sightings)
            left = end - time.monotonic()
            if seen == len(sightings) or left <= 0:
                return
            if seen != shown or look == 0:
                self._tell(f"The reports show {seen} of {len(sightings)} messages; waiting.")
            shown, look = seen, look + 1
            self._sleep(min(pause, left))
            pause = min(pause * 2, self._times.longest_pause_s)

    def look_again(self, sighting: Sighting) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return what by_bulk and the list show of an id now."""
        reply = self._questions.insist(lambda: self._questions.by_id(sighting.outbox_id))
        listed = self._search(window_of([sighting]))
        return _record_of(reply.record, sighting.outbox_id), listed.get(sighting.outbox_id)

    def _look(self, sightings: Sequence[Sighting], *, unfiltered: bool) -> None:
        asked: set[int] = set()
        while todo := [each for each in _worth_asking(sightings) if each.outbox_id not in asked]:
            for each in todo:
                asked.add(each.outbox_id)
                record = _record_of(self._questions.by_id(each.outbox_id).record, each.outbox_id)
                if record is not None:
                    each.record, each.by_id_s = record, time.time() - each.answered_at
        missing = [each for each in sightings if each.listed_s is None]
        if not missing:
            return
        self._note_listed(missing, self._search(window_of(sightings)), unfiltered=False)
        if unfiltered and any(each.listed_s is None for each in missing):
            page = self._questions.page({})
            self._note_listed(missing, _by_id(page.records), unfiltered=True)

    def _note_listed(
        self, missing: list[Sighting], found: Mapping[int, Mapping[str, Any]], *, unfiltered: bool
    ) -> None:
        now = time.time()
        for each in missing:
            if each.listed_s is None and each.outbox_id in found:
                each.listed, each.listed_s = found[each.outbox_id], now - each.answered_at
                each.is_listed_unfiltered = unfiltered

    def _search(self, filters: Mapping[str, str]) -> dict[int, Mapping[str, Any]]:
        found: dict[int, Mapping[str, Any]] = {}
        for page in range(1, PAGES_AT_MOST + 1):
            reply = self._questions.page(filters, page=page)
            records = _by_id(reply.records)
            is_new = bool(records.keys() - found.keys())
            found |= records
            if not is_new or parse_whole_number(reply.meta.get("total")) == len(found):
                break
        return found


def _worth_asking(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return the ids to ask for: as long as none is shown, the first, the last and scheduled ones do."""
    missing = [each for each in sightings if each.by_id_s is None]
    usual = [each for each in missing if not each.is_scheduled]
    if any(each.any is not None for each in sightings) or len(usual) < 3:
        return missing
    return [usual[0], usual[-1], *(each for each in missing if each.is_scheduled)]


def _record_of(record: Mapping[str, Any] | None, outbox_id: int) -> Mapping[str, Any] | None:
    """Return the record if it is that of the id asked for."""
    if record is None or parse_whole_number(record.get("messages_outbox_id")) != outbox_id:
        return None
    return record


def _by_id(records: Iterable[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    ids = ((parse_whole_number(each.get("messages_outbox_id")), each) for each in records)
    return {outbox_id: each for outbox_id, each in ids if outbox_id is not None}
