"""The outbox page: what arrived, for the eyes of the developer at this machine."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.envelope import Refused
from airflow_provider_p2psms.sandbox.faults import Orders
from airflow_provider_p2psms.sandbox.paging import whole_number
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.statuses import recipient_status
from airflow_provider_p2psms.sandbox.store import Store

PER_PAGE = 50
LATEST_REQUESTS = 20
_RECIPIENT_STATUSES = ("handed over", "received", "delivered", "not delivered", "blacklisted")
_ENVIRONMENT = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


def render_outbox(query: Mapping[str, str], settings: Settings, store: Store, orders: Orders) -> str:
    """
    Render the page; ``q`` searches numbers, texts and ids, ``outbox_id`` shows one id, ``page`` turns over.

    What cannot be read as a number counts as absent: this page is looked at, not called.
    """
    page = min(max(1, _number(query.get("page")) or 1), 10**9)
    sent_before = settings.clock() - settings.queue_s
    rows, total = store.look(
        search=query.get("q", ""),
        outbox_id=_number(query.get("outbox_id")),
        sent_before=sent_before,
        limit=PER_PAGE,
        offset=(page - 1) * PER_PAGE,
    )
    messages = [
        {
            **row,
            "state_word": phrases.STATES[row["state"]][0],
            "recipient_status": _RECIPIENT_STATUSES[
                recipient_status(
                    row["recipient"],
                    state=row["state"],
                    sent_s_ago=sent_before - row["send_at"],
                    delivery_s=settings.delivery_s,
                )
            ],
        }
        for row in rows
    ]
    return _ENVIRONMENT.get_template("outbox.html").render(
        counts=store.counts(),
        messages=messages,
        total=total,
        page=page,
        pages=max(1, -(-total // PER_PAGE)),
        query=query,
        requests=store.requests(latest=LATEST_REQUESTS),
        faults=orders.waiting(),
        habits=settings.habits_turned(),
        clock_time=_clock_time,
    )


def _number(given: str | None) -> int | None:
    try:
        return whole_number(given, "")
    except Refused:
        return None


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
