"""
Finding the records of many outbox ids with few questions.

The reports can be asked by id, one a request, or by line and time of creation, a page of 100 a request. Ids
ascend with time, so the first and the last id of a send tell in which time its others lie; what the pages
do not show is asked by id. What is left when the questions run out has its turn in the next look.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from airflow_provider_p2psms.errors import GatewayRefusedError
from airflow_provider_p2psms.gateway.records import OutboxRecord, parse_record
from airflow_provider_p2psms.gateway.statuses import Deliveries, read_deliveries
from airflow_provider_p2psms.rows.sms_text import count_parts

PAGE = 100
# So many pages are asked for at once.
_SIDE_BY_SIDE = 4
# So many questions are asked in a look, and at more than 10,000 ids more in proportion.
MIN_QUESTIONS = 200
_IDS_A_QUESTION = 50
# So few are asked by id: a page saves nothing before its window is known.
FEW = 5
# The clocks of one gateway differ by less.
_SLACK_S = 30
# A gap between ids so many times the mean one lies between two sends, not within one. A smaller one than the
# second number does not: shards that send at once have their batches in turns.
_WIDE, _LEAST_GAP = 10, 20 * PAGE


def most_questions(ids: int, *, at_least: int = MIN_QUESTIONS) -> int:
    """Return how many questions one look at so many ids may ask."""
    return max(at_least, -(-ids // _IDS_A_QUESTION))


class Reports(Protocol):
    """What is asked of the gateway."""

    def report_by_bulk(self, outbox_id: int) -> Mapping[str, Any]:
        """Return one record; empty, or a refusal with HTTP 404, where there is none."""

    def report_list(self, filters: Mapping[str, Any], *, page: int, limit: int) -> Any:
        """Return a page of records."""

    def report_bulk_stats(self, outbox_id: int) -> Mapping[str, Any]:
        """Return counts of one id's recipients."""


class OutOfQuestionsError(Exception):
    """This look has asked as much as it may, or was told to stop."""


class Questions:
    """
    Questions to the reports, so many and no more.

    ``has_answer``: one of them had another answer than HTTP 404.
    """

    def __init__(self, reports: Reports, *, limit: int, stop: threading.Event | None = None) -> None:
        self.has_answer = False
        self._reports = reports
        self._left = limit
        self._stop = stop or threading.Event()

    def record(self, outbox_id: int) -> OutboxRecord | None:
        """Ask for one id; ``None`` where the reports do not show it (yet)."""
        self._count()
        record = _read(self._found(self._reports.report_by_bulk, outbox_id))
        return record if record and record.outbox_id == outbox_id else None

    def pages(
        self, filters: Mapping[str, Any], pages: Sequence[int]
    ) -> Iterator[tuple[list[OutboxRecord], int]]:
        """Ask for pages side by side, all or none; give the records of each, and the last page's number."""

        def ask(page: int) -> tuple[list[OutboxRecord], int]:
            answer = self._reports.report_list(filters, page=page, limit=PAGE)
            return [record for record in map(_read, answer.records) if record], answer.last_page or 1

        for _ in pages:
            self._count()
        if len(pages) > 1:
            with ThreadPoolExecutor(len(pages), thread_name_prefix="p2psms-pages") as pool:
                yield from pool.map(ask, pages)
        else:
            yield from map(ask, pages)

    def deliveries(self, outbox_id: int) -> Deliveries:
        """Ask what became of the recipients of one id."""
        self._count()
        return read_deliveries(self._found(self._reports.report_bulk_stats, outbox_id))

    def _found(self, ask: Callable[[int], Mapping[str, Any]], outbox_id: int) -> Mapping[str, Any]:
        try:
            answer = ask(outbox_id)
        except GatewayRefusedError as err:
            if err.http_status != 404:
                raise
            return {}
        self.has_answer = True
        return answer

    def _count(self) -> None:
        if self._left <= 0 or self._stop.is_set():
            raise OutOfQuestionsError
        self._left -= 1


class Lookup:
    """
    The latest known record of each id, in ``seen``; ids that the reports have not shown are not in it.

    :param outbox_ids: all ids that will be looked for.
    """

    def __init__(self, outbox_ids: Iterable[int]) -> None:
        self.seen: dict[int, OutboxRecord] = {}
        self._sends = [_Send(ids) for ids in _part(sorted(outbox_ids))]
        self._wanted = set[int]()
        self._turns: dict[int, int] = {}
        self._turn = 0

    def refresh(self, outbox_ids: Iterable[int], questions: Questions) -> None:
        """
        Ask anew for these ids; sends and ids whose last turn is longest ago come first.

        :raises OutOfQuestionsError: before all were asked for.
        """
        self._turn += 1
        self._wanted = set(outbox_ids)
        for send in sorted(self._sends, key=lambda send: send.turn):
            if ids := [each for each in send.ids if each in self._wanted]:
                send.turn = self._turn
                missing = self._ask_pages(send, ids, questions) if len(ids) > FEW else ids
                for outbox_id in sorted(missing, key=self.last_turn):
                    self._ask(outbox_id, questions)

    def last_turn(self, outbox_id: int) -> int:
        """Return the number of the latest look that asked for this id; 0 if none did."""
        return self._turns.get(outbox_id, 0)

    def _ask(self, outbox_id: int, questions: Questions) -> OutboxRecord | None:
        record = questions.record(outbox_id)
        self._turns[outbox_id] = self._turn
        if record:
            self.seen[outbox_id] = record
        return record

    def _ask_pages(self, send: "_Send", ids: list[int], questions: Questions) -> Iterable[int]:
        """Page through the time in which a send was made; return those of its ids to be asked by id."""
        ends = send.ids[0], send.ids[-1]
        first, last = (self.seen.get(each) or self._ask(each, questions) for each in ends)
        if not (first or last):
            self._turns |= dict.fromkeys(ids, self._turn)
            return ()  # no record of this send is shown yet
        missing = {each for each in ids if self.last_turn(each) < self._turn}
        send.look_in(_window(first, last))
        if not send.last_page:
            self._take_pages(send, (1,), missing, questions)
        pages, waste = send.order(missing, self._turn), 0
        # Others' records may crowd the pages, and what is not shown yet is on none. Once as many pages have
        # shown nothing as there are ids left, these are asked for one by one.
        while missing and pages and waste < len(missing):
            # No more than the missing ids fill: the last pages may not be needed.
            count = min(_SIDE_BY_SIDE, -(-len(missing) // PAGE))
            before = len(missing)
            self._take_pages(send, pages[:count], missing, questions)
            waste = max(0, waste + count - (before - len(missing)))
            del pages[:count]
        return missing

    def _take_pages(
        self, send: "_Send", pages: Sequence[int], missing: set[int], questions: Questions
    ) -> None:
        for page, (records, last_page) in zip(pages, questions.pages(send.window, pages), strict=True):
            found = {each.outbox_id: each for each in records if each.outbox_id in self._wanted}
            missing.difference_update(found)
            self.seen |= found
            self._turns |= dict.fromkeys(found, self._turn)
            send.note(page, found, last_page, self._turn)


class _Send:
    """The ids that one send got, ascending, and where the reports have shown them."""

    def __init__(self, ids: list[int]) -> None:
        self.ids, self.turn = ids, 0
        self.window: dict[str, str] = {}
        self.last_page = 0
        # By page: the latest turn in which it was asked for, and the ids that it showed then.
        self._turns: dict[int, int] = {}
        self._shown: dict[int, list[int]] = {}

    def look_in(self, window: dict[str, str]) -> None:
        """Ask for pages of this window from now on; those of another one are other pages."""
        if window != self.window:
            self.window, self.last_page = window, 0
            self._turns, self._shown = {}, {}

    def note(self, page: int, ids: Iterable[int], last_page: int, turn: int) -> None:
        """Note what a page has shown of the ids, and how many pages there are."""
        self._shown[page], self._turns[page] = list(ids), turn
        self.last_page = last_page

    def order(self, missing: AbstractSet[int], turn: int) -> list[int]:
        """
        Return the pages that have no turn yet in this look, in the order in which to ask for them.

        First those that have shown ids that are missing now, then those whose turn is longest ago. The send
        itself is in the middle of the window.
        """
        shown = {page for page, ids in self._shown.items() if not missing.isdisjoint(ids)}
        middle = (self.last_page + 1) / 2
        return sorted(
            (page for page in range(1, self.last_page + 1) if self._turns.get(page) != turn),
            key=lambda page: (page not in shown, self._turns.get(page, 0), abs(page - middle)),
        )


def _read(shown: Mapping[str, Any]) -> OutboxRecord | None:
    """Read a record, and keep of its text how many parts it has: a watch may hold a million records."""
    record = parse_record(shown)
    if record is None:
        return None
    return replace(record, text=None, parts=record.parts or count_parts(record.text or ""))


def _part(ids: list[int]) -> Iterator[list[int]]:
    """Part ascending ids where gaps say that different sends made them."""
    mean = (ids[-1] - ids[0]) / len(ids) if ids else 0
    start = 0
    for place in range(1, len(ids)):
        if ids[place] - ids[place - 1] > max(_WIDE * mean, _LEAST_GAP):
            yield ids[start:place]
            start = place
    if ids:
        yield ids[start:]


def _window(first: OutboxRecord | None, last: OutboxRecord | None) -> dict[str, str]:
    window = {}
    lines = {record.line for record in (first, last) if record}
    if len(lines) == 1 and (line := lines.pop()):
        window["number"] = line
    if first and first.at is not None:
        window["create_from_date"] = str(math.floor(first.at) - _SLACK_S)
    if last and last.at is not None:
        window["create_to_date"] = str(math.ceil(last.at) + _SLACK_S)
    return window
