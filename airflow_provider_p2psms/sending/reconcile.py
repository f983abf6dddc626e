"""
Polls the gateway's reports for messages in doubt, and says what the result is worth.

It knows whose clock a time belongs to, which records are witnesses, and whether a report was whole. Which
record holds which message, ``gateway/matching.py`` decides; what follows from it, the ``SendMachine``.
"""

import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from airflow_provider_p2psms.gateway.clock import DATE_ERROR_S
from airflow_provider_p2psms.gateway.matching import MOST_ASKED, Doubted, Match, match
from airflow_provider_p2psms.gateway.outbox import Outbox
from airflow_provider_p2psms.gateway.records import OutboxRecord
from airflow_provider_p2psms.ledger.digest import NO_DIGEST, Digests
from airflow_provider_p2psms.sending.machine import Finding, Item, PollResult, Receipt
from airflow_provider_p2psms.sending.times import Times

log = logging.getLogger(__name__)

# So many witnesses tell the report's clock.
_MOST_CALIBRATED = 3
# A report has whole seconds.
_SECOND = 1.0
# How far the report's clock may be off while no witness tells it: other minutes, or another time zone.
_MINUTES_S = 20 * 60.0
_ZONES_S = 14.5 * 3600.0
# The gateway schedules three months ahead at most.
_FARTHEST_S = 93 * 24 * 3600.0
# A gateway with a queue may accept a request when it should be over. So long after it is looked for.
_LATE_S = 900.0
# Traffic of others is looked for in so much time before now, at most.
_RECENT_S = 900.0
# Of the ids of an answer that did not add up, most are in the list; so many others are looked up.
_MOST_LOOKED_UP = 20
# Windows so near to each other are read as one.
_NEAR_S = 300.0

# Digests one message of an intent: recipient, text, and which copy of it, from 0.
Digest = Callable[[str, str, int], bytes]


@dataclass(frozen=True, slots=True)
class Shift:
    """
    How far the report's clock is ahead of ours: between ``least`` and ``most`` seconds.

    ``is_known`` says that a witness told it; else it is the gateway's ``Date`` header or a guess.
    """

    least: float
    most: float
    is_known: bool


class Reconciler:
    """
    One try's questions about what is in doubt.

    :param digest_of: gives for an item how its messages are digested.
    :param known_ids: gives the ids that the ledger and this try know: their records belong to other requests.
    :param clock_offset_s: how far the gateway's clock is ahead of ours by its ``Date`` header.
    :param report_lag_s: the user's word that a report shows everything after that long.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        digest_of: Callable[[Item], Digest],
        known_ids: Callable[[], Collection[int]],
        clock_offset_s: Callable[[], float | None],
        clock: Callable[[], float],
        times: Times,
        report_lag_s: float | None,
    ) -> None:
        self._outbox, self._digest_of, self._known_ids = outbox, digest_of, known_ids
        self._clock_offset_s, self._clock = clock_offset_s, clock
        self._times, self._report_lag_s = times, report_lag_s
        # So much may the time of an earlier try be off that was turned into ours.
        self._error_s = max(times.skew_s, DATE_ERROR_S)
        # What the reports show of our witnesses does not change.
        self._found: dict[int, OutboxRecord] = {}
        self._whole = set[int]()
        self._has_said_too_many = False

    def poll(self, items: dict[int, Item], receipts: Sequence[Receipt]) -> PollResult:
        """
        Ask the gateway's reports for items in doubt.

        :raises NoAnswerError: the reports cannot be asked now.
        :raises GatewayRefusedError: the gateway does not accept the token any more.
        """
        asked_at = self._clock()
        shift = self._calibrate(items, receipts)
        shift_scheduled = self._calibrate_scheduled(receipts)
        windows = self._windows(items, receipts, shift, shift_scheduled, asked_at)
        readings = [self._outbox.read(since=since, until=until) for since, until in windows]
        records = {record.outbox_id: record for reading in readings for record in reading.records}
        is_odd = not shift.is_known and self._is_odd(records.values(), shift)
        doubted = [self._doubted(item, shift, shift_scheduled, is_odd=is_odd) for item in items.values()]
        answered = dict.fromkeys(each for item in items.values() for each in item.answer_ids)
        self._look_up(answered, records)
        known_ids = self._known_ids()
        floor = _floor(items.values(), receipts, error_s=self._error_s)
        matches = match(
            doubted,
            [record for each, record in records.items() if each > floor or each in answered],
            known_ids=known_ids,
            recipients=self._outbox.recipients,
            lines={each.line for each in records.values() if each.outbox_id in known_ids and each.line},
        )
        self._say_too_many(max(found.too_many for found in matches))
        as_of = self._as_of(receipts, records)
        due = _due(items, receipts, shift, windows, as_of)
        is_clock_told = (
            shift.is_known
            or self._is_wide(items, asked_at)
            or (shift_scheduled is not None and _are_scheduled(items))
        )
        return PollResult(
            asked_at,
            dict(zip(items, map(_finding, items.values(), matches), strict=True)),
            is_whole=(
                all(reading.is_whole for reading in readings)
                and all(self._is_shown_well(receipt, records) for receipt in due)
                and is_clock_told
            ),
            as_of=max(as_of, self._as_of_others(records.values(), receipts, shift)),
            as_of_scheduled=self._as_of([each for each in receipts if each.is_scheduled], records),
        )

    # --- the report's clock

    def _calibrate(self, items: dict[int, Item], receipts: Sequence[Receipt]) -> Shift:
        """Learn the report's clock from records whose ids we know."""
        around = min((item.since for item in items.values()), default=0.0)
        # A scheduled message may be listed by its time, which may look like that of another time zone. So it
        # tells the clock of scheduled ones alone.
        are_scheduled = _are_scheduled(items)
        sure = (each for each in receipts if not each.is_scheduled or each.is_witness or are_scheduled)
        nearest = sorted(sure, key=lambda each: (each.is_scheduled, abs(each.at - around)))
        least, most = -math.inf, math.inf
        for receipt in nearest[:_MOST_CALIBRATED]:
            record = self._find(receipt.outbox_id)
            if record is not None and record.at is not None and not _is_by_send_time(receipt, record.at):
                # The report's second began at `record.at`, and the message was taken within it.
                least = max(least, record.at - receipt.until)
                most = min(most, record.at + _SECOND - receipt.at)
        if -math.inf < least <= most:
            return Shift(least, most, is_known=True)
        offset_s = self._clock_offset_s()
        error_s = self._times.skew_s if offset_s is None else DATE_ERROR_S
        return Shift((offset_s or 0.0) - error_s, (offset_s or 0.0) + error_s, is_known=False)

    def _calibrate_scheduled(self, receipts: Sequence[Receipt]) -> tuple[float, float] | None:
        """Return when the report lists our scheduled messages, if not by the time when they were taken."""
        shown = [
            record.at
            for receipt in [each for each in receipts if each.is_scheduled][-_MOST_CALIBRATED:]
            if (record := self._find(receipt.outbox_id)) is not None and record.at is not None
            if not receipt.at - _ZONES_S <= record.at <= receipt.until + _ZONES_S
        ]
        return (min(shown) - _SECOND, max(shown) + _SECOND) if shown else None

    def _find(self, outbox_id: int) -> OutboxRecord | None:
        record = self._found.get(outbox_id) or self._outbox.find(outbox_id)
        if record:
            self._found[outbox_id] = record
        return record

    def _is_odd(self, records: Iterable[OutboxRecord], shift: Shift) -> bool:
        """Tell whether the report shows something of the future, by the gateway's own ``Date`` header."""
        latest = self._clock() + shift.most + _SECOND
        return any(record.at is not None and record.at > latest for record in records)

    # --- what to read

    def _windows(
        self,
        items: dict[int, Item],
        receipts: Sequence[Receipt],
        shift: Shift,
        scheduled: tuple[float, float] | None,
        now: float,
    ) -> list[tuple[float, float]]:
        """Return the times to read, as the report counts."""
        before, after = shift.least - _SECOND, shift.most + _SECOND
        if not shift.is_known:
            margin_s = _ZONES_S if self._is_wide(items, now) else _MINUTES_S
            before, after = before - margin_s, after + margin_s
        over = max(item.over for item in items.values())
        error_s = self._error_s
        ours = [
            (item.since - error_s + before, max(item.over, min(now, item.over + _LATE_S)) + error_s + after)
            for item in items.values()
        ]
        newest = max(
            (receipt for receipt in receipts if not (receipt.is_scheduled and scheduled)),
            key=lambda each: each.at,
            default=None,
        )
        later = [(newest.at + before, newest.until + after)] if newest and newest.until >= over else []
        recent = [(max(over, now - _RECENT_S) + before, now + after)] if now > over else []
        if scheduled:
            ahead = [scheduled]
        else:  # a scheduled message may be listed by its time, of which an intent says nothing
            ahead = [(item.since + before, now + _FARTHEST_S) for item in items.values() if item.is_scheduled]
        return list(_joined([*ours, *later, *recent, *ahead]))

    def _is_wide(self, items: dict[int, Item], now: float) -> bool:
        """Tell whether the user's word may count: then a record may not hide behind another time zone."""
        if self._report_lag_s is None:
            return False
        return now > min(item.over for item in items.values()) + self._report_lag_s

    def _doubted(
        self, item: Item, shift: Shift, scheduled: tuple[float, float] | None, *, is_odd: bool
    ) -> Doubted:
        """Say what is looked for; ``is_odd`` says that no time of the report can be trusted."""
        digests = list(item.digests)
        places = {digest: place for place, digest in enumerate(digests)}
        recipients, texts = item.batch.columns()
        # The times of an earlier try and those of its answers may have been turned into ours by two
        # measurements of the gateway's clock.
        error_s = self._error_s if item.is_inherited else 0.0
        since, until = item.since - error_s + shift.least, item.over + error_s + shift.most
        maybe = None if shift.is_known else (since - _ZONES_S, until + _ZONES_S)
        if is_odd:
            since, until = math.inf, -math.inf
        if scheduled and item.is_scheduled:
            since, until = scheduled
        return Doubted(
            digests=digests,
            messages={
                places[digest]: (recipient.decode(), text.decode())
                for digest, recipient, text in zip(
                    Digests(item.batch.digests), recipients, texts, strict=True
                )
            },
            digest=self._digest_of(item),
            line=item.doubts[0].sender,
            since=since,
            until=until,
            maybe=maybe,
            is_scheduled=item.is_scheduled,
            answer_ids=item.answer_ids,
        )

    def _look_up(self, answered: Iterable[int], records: dict[int, OutboxRecord]) -> None:
        """Add the records of the ids of answers that did not add up."""
        missing = (each for each in answered if each not in records)
        for outbox_id in islice(missing, _MOST_LOOKED_UP):
            if (record := self._outbox.find(outbox_id)) is not None:
                records[outbox_id] = record

    # --- what it is worth

    def _say_too_many(self, count: int) -> None:
        if count and not self._has_said_too_many:
            self._has_said_too_many = True
            log.warning(
                "The report shows %s messages of other sends that may be those in doubt. To see who got one "
                "takes a question, and of more than %s none is asked. What is not found stays in doubt.",
                f"{count:,}",
                f"{MOST_ASKED:,}",
            )

    def _is_shown_well(self, receipt: Receipt, records: dict[int, OutboxRecord]) -> bool:
        """Tell whether a witness is there, a group with all its recipients."""
        return receipt.outbox_id in records and (
            receipt.recipients < 2 or self._is_shown_whole(receipt, records)
        )

    def _as_of(self, receipts: Iterable[Receipt], records: dict[int, OutboxRecord]) -> float:
        """Return as of when the report is current by our newest witness that is shown whole."""
        # A scheduled message may be listed late, so one that is listed speaks for all others, too.
        for receipt in sorted(receipts, key=lambda each: -each.at):
            if receipt.outbox_id in records and self._is_shown_whole(receipt, records):
                return receipt.at
        return -math.inf

    def _is_shown_whole(self, receipt: Receipt, records: dict[int, OutboxRecord]) -> bool:
        if receipt.outbox_id not in self._whole and receipt.recipients:
            shown = self._outbox.recipients(records[receipt.outbox_id])
            if shown is None or len(shown) != receipt.recipients:
                return False
            self._whole.add(receipt.outbox_id)
        return True

    def _as_of_others(
        self, records: Iterable[OutboxRecord], receipts: Sequence[Receipt], shift: Shift
    ) -> float:
        """
        Return as of when the report is current by the account's other traffic.

        Only once a witness has told the report's clock, and only records with a higher id than that one's: a
        scheduled message of long ago may be listed by its time.
        """
        if not shift.is_known:
            return -math.inf
        newest = max(receipt.outbox_id for receipt in receipts if receipt.outbox_id in self._found)
        latest = self._clock() + shift.most + _SECOND
        times = [
            record.at
            for record in records
            if record.at is not None and record.at <= latest and record.outbox_id > newest
        ]
        return max(times) - shift.most if times else -math.inf


def _due(
    items: dict[int, Item],
    receipts: Sequence[Receipt],
    shift: Shift,
    windows: Sequence[tuple[float, float]],
    as_of: float,
) -> Iterator[Receipt]:
    """Yield the witnesses that have to be there: from the first request in doubt to the newest one shown."""
    start = min(item.since for item in items.values())
    end = max(as_of, *(item.over for item in items.values()))
    for receipt in receipts:
        first, last = receipt.at + shift.least, receipt.until + shift.most
        is_read = any(since <= first and last <= until for since, until in windows)
        if is_read and start <= receipt.until and receipt.at <= end and not receipt.is_scheduled:
            yield receipt


def _is_by_send_time(receipt: Receipt, shown_at: float) -> bool:
    """Tell whether the report gives the time of sending for a scheduled message, not that of the request."""
    return receipt.is_scheduled and not receipt.at - _ZONES_S <= shown_at <= receipt.until + _ZONES_S


def _are_scheduled(items: dict[int, Item]) -> bool:
    return all(item.is_scheduled for item in items.values())


def _floor(items: Iterable[Item], receipts: Sequence[Receipt], *, error_s: float) -> int:
    """
    Return an id that was given before all of these requests left; 0 where ids do not increase.

    Times of other tries are by another clock, whose difference from ours is known to a second or two.
    """
    by_time = sorted((each for each in receipts if not each.is_scheduled), key=lambda each: each.until)
    ids = [receipt.outbox_id for receipt in by_time]
    if len(ids) < 2 or ids != sorted(ids):
        return 0
    start = min(item.since for item in items) - error_s
    return max((each.outbox_id for each in by_time if each.until < start), default=0)


def _joined(windows: list[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """Put windows together that overlap or are near to each other."""
    first, *others = sorted(windows)
    for window in others:
        if window[0] <= first[1] + _NEAR_S:
            first = (first[0], max(first[1], window[1]))
        else:
            yield first
            first = window
    yield first


def _finding(item: Item, found: Match) -> Finding:
    missing = {
        place
        for place, (digest, outbox_id) in enumerate(zip(item.digests, found.ids, strict=True))
        if digest != NO_DIGEST and not outbox_id
    }
    return Finding(found.ids, is_explained=not missing & set(found.unexplained), held=found.held)
