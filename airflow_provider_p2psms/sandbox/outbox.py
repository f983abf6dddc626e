"""
The outbox page: what arrived, for the eyes of the developer at this machine.

Every view has a URL of its own, and its HTML is made here. ``outbox.js`` asks for the same URL again when
something has changed, and takes over what is different.
"""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.characters import direction_of, dissect
from airflow_provider_p2psms.sandbox.charts import columns, stack
from airflow_provider_p2psms.sandbox.contract import MIN_AHEAD_S
from airflow_provider_p2psms.sandbox.filters import Filters, read_filters, read_id
from airflow_provider_p2psms.sandbox.looking import CHART_MINUTES, Look
from airflow_provider_p2psms.sandbox.outcomes import OUTCOMES, outcomes_of
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import Store

PER_PAGE = 50
RECIPIENTS_SHOWN = 200
_FOLDED_AFTER = 300
_TEHRAN = ZoneInfo("Asia/Tehran")
_STATUSES = ("handed over", "received", "delivered", "not delivered", "blacklisted")
_KINDS = {"peer_to_peer": "JSON", "peer_to_peer_file": "file"}


def _clock_time(at: float, zone: Any = UTC) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _tehran_time(at: float) -> str:
    return _clock_time(at, _TEHRAN)


def _shorten(text: str) -> str:
    return text if len(text) <= _FOLDED_AFTER else f"{text[:_FOLDED_AFTER]}…"


def _query(parameters: dict[str, str]) -> str:
    return f"/?{urlencode(parameters)}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.globals.update(outcomes=OUTCOMES, states=phrases.STATES, kinds=_KINDS, statuses=_STATUSES)
_ENVIRONMENT.filters.update(
    clock=_clock_time, tehran=_tehran_time, shorten=_shorten, direction=direction_of, query=_query
)


class OutboxPage:
    """
    The page for one URL.

    ``q`` and the other filters choose the records, ``page`` turns over, ``open`` shows one record beside the
    list; ``outbox_id`` shows that record alone, opened. ``until`` and ``seen`` are the script's: the list
    stays as it was at the record ``until``, and what came after ``seen`` is new.
    """

    def __init__(self, query: Mapping[str, str], settings: Settings, store: Store) -> None:
        self.query = query
        self.look = Look(settings, store)
        self.filters: Filters = read_filters(query)
        self.page = min(max(1, self._number("page") or 1), 10**9)
        self._settings = settings
        self._store = store
        newest = self.look.newest()
        until = self._number("until")
        self.until = newest if until is None else until
        seen = self._number("seen")
        self.seen = self.until if seen is None else seen

    def render(self, **more: Any) -> str:
        """Return the HTML."""
        return render("outbox.html", view=self, filters=self.filters, now=self.look.now, **more)

    def _number(self, name: str) -> int | None:
        try:
            return read_id(name, self.query.get(name, ""))
        except ValueError:
            return None

    @cached_property
    def _found(self) -> tuple[list[sqlite3.Row], tuple[int, int]]:
        offset = (self.page - 1) * PER_PAGE
        return self.look.find(self.filters, until=self.until, limit=PER_PAGE, offset=offset)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The records of the list, as they are shown."""
        return [self._show(row, recipients=3) for row in self._found[0]]

    @property
    def total(self) -> int:
        """How many records match."""
        return self._found[1][0]

    @cached_property
    def newer(self) -> int:
        """How many records that match came after those that were seen."""
        return self.look.count(self.filters, after=self.seen)[0] if self.seen < self.look.newest() else 0

    @cached_property
    def opened(self) -> dict[str, Any] | None:
        """The record that is opened, with its recipients."""
        if "open" in self.query:
            chosen = read_filters({"outbox_id": self.query["open"]})
        else:
            chosen = read_filters({"outbox_id": self.query.get("outbox_id", "")})
        rows = self.look.records(chosen, limit=1) if chosen.given else []
        if not rows:
            return None
        can_cancel = rows[0]["send_at"] >= self.look.now + MIN_AHEAD_S
        shown = self._show(rows[0], recipients=RECIPIENTS_SHOWN)
        return {**shown, "anatomy": dissect(rows[0]["text"]), "can_cancel": can_cancel}

    @property
    def pages(self) -> int:
        """How many pages the list has."""
        return max(1, -(-self.total // PER_PAGE))

    def url(self, **more: object) -> str:
        """Return this URL with other parameters."""
        here = {"page": self.page if self.page > 1 else None, "open": self.query.get("open")}
        return self.filters.url(**(here | more))

    @cached_property
    def counts(self) -> dict[str, int]:
        """The counts of all there is, and the credit left, in rial."""
        credit = self._settings.account_credit
        spent = self._store.spent(credit, sent_before=self.look.now - self._settings.queue_s)
        return {**self._store.counts(), "credit": int(credit.amount - spent)}

    @cached_property
    def by_outcome(self) -> dict[str, int]:
        """How many recipients there are of each outcome."""
        return self.look.counts_by_outcome()

    def stack(self) -> Any:
        """Return the chart of the outcomes."""
        return stack(self.by_outcome, width=300, height=12)

    def columns(self) -> Any:
        """Return the chart of what was accepted a minute."""
        return columns(self.look.accepted_a_minute(), width=300, height=40)

    @property
    def minutes(self) -> int:
        """How many minutes the chart shows."""
        return CHART_MINUTES

    @property
    def choices(self) -> dict[str, list[str]]:
        """What the filters can choose among."""
        return {**self.look.choices(), "sender": list(self._settings.lines)}

    def _show(self, row: sqlite3.Row, *, recipients: int) -> dict[str, Any]:
        return {
            **row,
            "outcomes": outcomes_of(row),
            "state": self.look.state_of(row),
            "recipients": self.look.recipients(row, limit=recipients),
        }


def render(template: str, **values: Any) -> str:
    """Return the HTML of a page."""
    return _ENVIRONMENT.get_template(template).render(**values)
