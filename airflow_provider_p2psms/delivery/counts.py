"""Counting what became of messages: plain sums, without questions."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_p2psms.choices import Until
from airflow_provider_p2psms.gateway.records import OutboxRecord
from airflow_provider_p2psms.gateway.statuses import FAILED, Deliveries, State


@dataclass(slots=True)
class Counts:
    """
    What became of messages so far.

    All count recipients, but ``cost`` (rial, as the records of sent messages say) and ``parts`` (SMS parts of
    sent messages over all recipients, estimated from the text where a record does not say).

    * ``sent``: the gateway has handed their message to the operators;
    * ``delivered``, ``undelivered``, ``blacklisted``: of these, as the operators report; asked for with
      ``until="delivered"`` alone, otherwise 0;
    * ``failed``: the message was rejected, invalid or cancelled, had no credit, or met a system error;
    * ``pending``: neither sent nor failed, which includes states that this version does not know; with
      ``until="delivered"`` also those of the sent whose report is not final.

    An id that the reports do not show counts as one recipient who is pending.
    """

    sent: int = 0
    delivered: int = 0
    undelivered: int = 0
    blacklisted: int = 0
    pending: int = 0
    failed: int = 0
    cost: float = 0.0
    parts: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name, as JSON has them."""
        return asdict(self)


def count(
    outbox_ids: Iterable[int],
    records: Mapping[int, OutboxRecord],
    deliveries: Mapping[int, Deliveries],
    *,
    until: Until,
) -> Counts:
    """Count the recipients of these ids by what their records and delivery reports say."""
    counts = Counts()
    for outbox_id in outbox_ids:
        record = records.get(outbox_id)
        if record is None:
            counts.pending += 1
        elif record.state in FAILED:
            counts.failed += record.recipients
        elif record.state != State.SENT:
            counts.pending += record.recipients
        else:
            _count_sent(counts, record, deliveries.get(outbox_id, Deliveries()), until=until)
    counts.cost = round(counts.cost, 2)
    return counts


def _count_sent(counts: Counts, record: OutboxRecord, reported: Deliveries, *, until: Until) -> None:
    counts.sent += record.recipients
    counts.cost += record.cost or 0.0
    counts.parts += (record.parts or 1) * record.recipients
    counts.delivered += reported.delivered
    counts.undelivered += reported.undelivered
    counts.blacklisted += reported.blacklisted
    if until == "delivered":
        counts.pending += max(0, record.recipients - sum(reported))
