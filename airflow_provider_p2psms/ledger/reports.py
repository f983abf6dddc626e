"""
Reading the gateway's outbox reports: which of the messages in doubt were taken, and under which ids.

A record of the outbox is ours only if line, time and text fit *and* all of its recipients are among those of
the one request in doubt; ids that the ledger holds already belong to other requests. What was sent by others
in the same minutes, even with the same text, is so told apart, unless it went to the very same numbers.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from threading import Event
from typing import Any, Protocol

from airflow_provider_p2psms.errors import UnreachableError

# Clocks may differ by this much, and a proxy may hold a request back.
WINDOW_S = 300.0
_PAGE = 100
_FEW_PAGES = 20


class _Page(Protocol):
    """One page of a report."""

    records: tuple[Mapping[str, Any], ...]
    last_page: int


class Reports(Protocol):
    """What is asked of the gateway."""

    def report_list(self, filters: Mapping[str, Any], *, page: int, limit: int) -> Any:
        """Return a page of outbox records."""

    def report_recipients(self, outbox_id: int, *, page: int, per_page: int) -> Any:
        """Return a page of one record's recipients."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in doubt: who was to get what by it, in its order, and when it may have been taken."""

    sender: str
    at: float
    until: float
    messages: tuple[tuple[str, str], ...] = field(repr=False)


class Search:
    """
    What is found of one request.

    ``ids`` has one for each of its messages, 0 where the reports show none. ``hazy`` says that a record which
    may hold some of them was not shown with all its recipients.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.ids = [0] * len(request.messages)
        self.hazy = False
        self._places: dict[tuple[str, str], list[int]] = {}
        self._texts = {_plain(text) for _, text in request.messages}
        for place, (recipient, text) in enumerate(request.messages):
            self._places.setdefault((_tail(recipient), _plain(text)), []).append(place)

    def may_hold(self, record: Mapping[str, Any]) -> bool:
        """Whether line, time and text of an outbox record fit."""
        line, at = record.get("number"), _number(record.get("time"))
        return (
            _plain(str(record.get("message"))) in self._texts
            and (line is None or _is_same_line(str(line), self.request.sender))
            and (at is None or self.request.at - WINDOW_S <= at <= self.request.until + WINDOW_S)
        )

    def claim(self, outbox_id: int, text: str, recipients: list[str]) -> bool:
        """Take the record as ours if every one of its recipients was to get that text by this request."""
        wanted = [self._places.get((_tail(recipient), _plain(text)), []) for recipient in recipients]
        if not all(wanted):
            return False
        for places in wanted:
            if places:
                self.ids[places.pop()] = outbox_id
        return True


class Outbox:
    """
    The gateway's outbox as its reports show it.

    Only asks, and remembers what does not change: the recipients of a record once all of them are shown.

    :param stop: once set, no further question is asked.

    Source: gateway docs, "report/new_list" and "report/recipients". How soon a send appears is not stated.
    """

    def __init__(self, reports: Reports, *, stop: Event) -> None:
        self._reports, self._stop = reports, stop
        self._recipients: dict[int, list[str]] = {}

    def find_taken(
        self, requests: list[Request], *, known_ids: Collection[int], pool: Executor
    ) -> list[Search]:
        """
        Look for requests in doubt.

        :param known_ids: records that are known to be other requests'.
        :param pool: asks as many questions at once as it has threads.
        :return: for each request what was found of it.
        :raises GatewayRefusedError: this gateway has no reports, or does not show them to this account.
        :raises UnreachableError: no answer; asking again is safe.
        """
        searches = [Search(request) for request in requests]
        found = list(self._whole_records(searches, set(known_ids), pool))
        # Of two requests in doubt the larger may hold all that the smaller does (copies that are sent on
        # purpose). Its record fits that one alone, so it has to have its choice first.
        for outbox_id, text, recipients, fitting in sorted(found, key=lambda each: -len(each[2])):
            for search in fitting:
                if search.claim(outbox_id, text, recipients):
                    break
        return searches

    def _whole_records(
        self, searches: list[Search], known: set[int], pool: Executor
    ) -> Iterator[tuple[int, str, list[str], list[Search]]]:
        candidates = list(_candidates(self._records(searches, pool), searches, known))
        shown = pool.map(self._ask_recipients, (outbox_id for outbox_id, _, _ in candidates))
        for (outbox_id, record, fitting), recipients in zip(candidates, shown, strict=True):
            # Recipients may show later than their record: half of them, or none, prove nothing of the others.
            if len(recipients) < (_number(record.get("rcpts_count")) or 1):
                for search in fitting:
                    search.hazy = True
                continue
            self._recipients[outbox_id] = recipients
            yield outbox_id, str(record.get("message")), recipients, fitting

    def _records(self, searches: list[Search], pool: Executor) -> Iterator[Mapping[str, Any]]:
        requests = [search.request for search in searches]
        for sender in dict.fromkeys(request.sender for request in requests):
            of_sender = [request for request in requests if request.sender == sender]
            window = {
                "number": sender,
                "create_from_date": str(int(min(request.at for request in of_sender) - WINDOW_S)),
                "create_to_date": str(int(max(request.until for request in of_sender) + WINDOW_S)),
            }
            texts = dict.fromkeys(text for request in of_sender for _, text in request.messages)
            first = self._reports.report_list(window, page=1, limit=_PAGE)
            # In the midst of a large send there are many more records in the window than texts to look for.
            by_text = first.last_page > len(texts) + _FEW_PAGES
            filters = [window | {"message": text} for text in texts] if by_text else [window]
            yield from chain.from_iterable(pool.map(self._ask_list, filters))

    def _ask_list(self, filters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        # One page after the other: a record that comes in meanwhile moves others to a later page, where they
        # are seen twice; asked for at once, or backwards, they could be missed.
        return list(self._all_pages(partial(self._reports.report_list, filters, limit=_PAGE)))

    def _ask_recipients(self, outbox_id: int) -> list[str]:
        if outbox_id in self._recipients:
            return self._recipients[outbox_id]
        pages = self._all_pages(partial(self._reports.report_recipients, outbox_id, per_page=_PAGE))
        return [str(record.get("recipient")) for record in pages]

    def _all_pages(self, ask: Any) -> Iterator[Mapping[str, Any]]:
        page = last = 1
        while page <= last:
            if self._stop.is_set():
                raise UnreachableError("The send was stopped while the gateway's reports were asked.")
            answer: _Page = ask(page=page)
            yield from answer.records
            last = answer.last_page if answer.records else 0
            page += 1


def _candidates(
    records: Iterable[Mapping[str, Any]], searches: list[Search], known: set[int]
) -> Iterator[tuple[int, Mapping[str, Any], list[Search]]]:
    """Yield each record that may be of some of the requests, once."""
    for record in records:
        outbox_id = _number(record.get("messages_outbox_id"))
        fitting = [search for search in searches if search.may_hold(record)]
        if outbox_id is not None and outbox_id not in known and fitting:
            known.add(outbox_id)
            yield outbox_id, record, fitting


def _tail(number: str) -> str:
    """Return what two spellings of one number share: reports may leave out the + or the country code."""
    digits = "".join(char for char in number if char.isdigit())
    return digits[-10:] if digits else number.casefold()


def _is_same_line(one: str, other: str) -> bool:
    # Lines can be short (3000505) or a word: there is no tail of fixed length that tells them apart.
    shown, ours = ("".join(filter(str.isalnum, line)).casefold().lstrip("0") for line in (one, other))
    return shown.endswith(ours) or ours.endswith(shown)


def _plain(text: str) -> str:
    # White space at the ends and the kind of line break do not survive every outbox.
    return text.strip().replace("\r\n", "\n")


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
