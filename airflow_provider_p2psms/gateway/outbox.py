"""
The gateway's outbox as its reports show it: whole, or said not to be.

Nothing about the reports is taken for granted: how they cut pages, how they count, in which order they list.
A record is read in ``records``; what it says about a message is decided in ``matching``.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.errors import (
    AuthenticationError,
    GatewayRefusedError,
    P2PSMSError,
    UnreachableError,
    lay_out,
)
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.records import OutboxRecord, Recipient, parse_recipient, parse_record
from airflow_provider_p2psms.gateway.response import Page

PAGE = 100
# A list of more than `_LONG` records is asked for in large pages, if the gateway gives them. 500 records of
# the longest texts stay well below the most that is read of an answer.
LARGE_PAGE = 500
_LONG = 20 * PAGE
# Of a list, or of one record's recipients. At 30 questions a minute they take 20 minutes.
MOST_PAGES = 600
# A refusal with one of these says nothing about the record that was asked for.
_NO_ANSWER = frozenset({403, 429})

_Answer = TypeVar("_Answer")


class NoAnswerError(P2PSMSError):
    """The report gave no answer. It says nothing about any message; ask again later."""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    The records of a window, each id once.

    ``is_whole`` is true if every page was seen, in a known shape, and all ids that the report counts.
    """

    records: tuple[OutboxRecord, ...]
    is_whole: bool


class QuestionPace:
    """
    Limits how often the gateway is asked. Threads may share it.

    :param questions: so many at most in any ``per_s`` seconds. They may come at once.
    :param stop: once set, nobody waits any more.
    """

    def __init__(self, *, questions: int = 30, per_s: float = 60.0, stop: threading.Event) -> None:
        self._per_s, self._stop = per_s, stop
        self._asked: deque[float] = deque(maxlen=questions)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """
        Block until one more question may be asked.

        :raises NoAnswerError: ``stop`` is set.
        """
        with self._lock:  # those that come later wait for their turn behind it
            is_full = len(self._asked) == self._asked.maxlen
            left_s = self._asked[0] + self._per_s - elapsed() if is_full else 0.0
            if self._stop.wait(max(left_s, 0.0)):
                raise NoAnswerError("The gateway's reports were not asked: the send was stopped.")
            self._asked.append(elapsed())


class Outbox:
    """
    Ask the gateway's reports, each question once and at a pace.

    All methods raise ``NoAnswerError`` if the report gives no answer, and ``AuthenticationError`` if it does
    not accept the token.

    :param most_pages: of a list or of one record's recipients. What has more is not whole.

    Source: gateway docs, "report/new_list", "report/by_bulk" and "report/recipients". How soon a send appears
    there is not stated.
    """

    def __init__(self, client: GatewayClient, *, pace: QuestionPace, most_pages: int = MOST_PAGES) -> None:
        self._client, self._pace, self._most_pages = client, pace, most_pages
        self._recipients: dict[int, tuple[Recipient, ...]] = {}
        self._limit = PAGE
        self._has_tried_large = False

    def read(self, *, since: float, until: float) -> Reading:
        """
        Read all records of a window, in seconds as the report counts them.

        The report is not asked for a line or a text: it may show both in other spellings.
        """
        filters = {"create_from_date": str(math.floor(since)), "create_to_date": str(math.ceil(until))}
        sweep = self._sweep(filters)
        if sweep.is_short:  # records moved to pages that were read before: an unstable order, or new ones
            sweep = self._sweep(filters, seen=sweep.seen)
        if not sweep.is_whole:  # the next reading does without large pages: they may be at fault
            self._limit = PAGE
        return Reading(tuple(sweep.seen.values()), is_whole=sweep.is_whole)

    def find(self, outbox_id: int) -> OutboxRecord | None:
        """Ask for one record; ``None`` if the report does not show it."""
        shown = self._ask(self._client.report_by_bulk, outbox_id)
        record = parse_record(shown or {})
        return record if record and record.outbox_id == outbox_id else None

    def recipients(self, record: OutboxRecord) -> tuple[Recipient, ...] | None:
        """
        Ask who the recipients of a record are; ``None`` if the report does not show all of them.

        They do not change. Once they are whole, the gateway is not asked again.
        """
        known = self._recipients.get(record.outbox_id)
        if known is None and (known := self._all_recipients(record)) is not None:
            self._recipients[record.outbox_id] = known
        return known

    def _sweep(
        self, filters: Mapping[str, str], *, seen: Mapping[int, OutboxRecord] | None = None
    ) -> "_Sweep":
        sweep = _Sweep(seen or {}, limit=self._limit)
        for page in range(1, self._most_pages + 1):
            answer = self._ask(self._client.report_list, filters, page=page, limit=self._limit)
            if answer is None:  # some gateways show no deep pages
                break
            if not sweep.add(page, answer):
                return sweep
            if page == 1 and self._has_large_pages(filters, answer):
                return self._sweep(filters, seen=sweep.seen)
        if not sweep.seen:
            raise NoAnswerError("The gateway refused to list its outbox.")
        sweep.is_odd = True
        return sweep

    def _has_large_pages(self, filters: Mapping[str, str], first: Page) -> bool:
        """Find out, once and for a long list only, whether the gateway gives more records a page."""
        if self._has_tried_large or (first.total or 0) <= _LONG:
            return False
        self._has_tried_large = True
        large = self._ask(self._client.report_list, filters, page=1, limit=LARGE_PAGE)
        if large is None or len(large.records) <= len(first.records):
            return False
        self._limit = LARGE_PAGE
        return True

    def _all_recipients(self, record: OutboxRecord) -> tuple[Recipient, ...] | None:
        shown: list[Recipient] = []
        for page in range(1, self._most_pages + 1):
            answer = self._ask(self._client.report_recipients, record.outbox_id, page=page, per_page=PAGE)
            if answer is None:
                return None
            each = [parse_recipient(entry) for entry in answer.records]
            # A recipient that stands on two pages has moved, and another one was missed.
            if not each or _is_odd(answer, page) or not {*shown}.isdisjoint(each):
                return None
            shown.extend(each)
            if len(shown) >= (answer.total or 0):
                is_all = len(shown) == answer.total and len(shown) >= (record.count or 0)
                return tuple(shown) if is_all else None
        return None

    def _ask(self, question: Callable[..., _Answer], *args: Any, **options: Any) -> _Answer | None:
        """Ask once, in turn; ``None`` if the gateway refuses what was asked for."""
        self._pace.wait()
        try:
            return question(*args, **options, attempts=1)
        except AuthenticationError:
            raise
        except GatewayRefusedError as err:
            if err.http_status in _NO_ANSWER:
                raise NoAnswerError(f"The gateway's report gave no answer (HTTP {err.http_status}).") from err
            return None
        except UnreachableError as err:
            raise NoAnswerError(lay_out("The gateway's report gave no answer.", err.summary)) from err


class _Sweep:
    """
    One reading of a list from its first page on.

    ``is_odd``: something about it is not as a list has to be, so that it proves nothing.
    """

    def __init__(self, seen: Mapping[int, OutboxRecord], *, limit: int) -> None:
        self.seen = dict(seen)
        self._limit = limit
        self.is_odd = False
        self._here: set[int] = set()
        self._pages: set[frozenset[int]] = set()
        self._total, self._page_size = 0, 1

    @property
    def is_whole(self) -> bool:
        """Whether all records were seen."""
        return not self.is_odd and len(self.seen) == self._total

    @property
    def is_short(self) -> bool:
        """Whether nothing is wrong but that records are missing."""
        return not self.is_odd and len(self.seen) < self._total

    def add(self, page: int, answer: Page) -> bool:
        """Add what a page shows; return whether the next one has to be asked for."""
        records = [record for record in map(parse_record, answer.records) if record]
        ids = frozenset(record.outbox_id for record in records)
        is_new = not ids <= self._here
        self.is_odd |= _is_odd(answer, page) or len(records) < len(answer.records) or ids in self._pages
        self.is_odd |= (answer.total or 0) < self._total  # a record is gone, so another may have been missed
        self._pages.add(ids)
        self._here |= ids
        self.seen.update((record.outbox_id, record) for record in records)
        self._total = answer.total or 0
        if not ids:
            # An empty page before the end. The next one may still hold records, and they are evidence.
            is_early = (page - 1) * self._page_size < self._total
            was_odd, self.is_odd = self.is_odd, self.is_odd or is_early
            return is_early and not was_odd
        self._page_size = max(self._page_size, len(answer.records))
        if answer.total is None or len(self.seen) < self._total:
            return is_new
        # All are seen, unless the report counts wrong: then it says that there are more pages.
        says_more = len(records) >= self._limit if answer.last_page is None else answer.last_page > page
        return is_new and says_more


def _is_odd(answer: Page, page: int) -> bool:
    return not answer.is_known_shape or answer.total is None or answer.current_page not in {None, page}
