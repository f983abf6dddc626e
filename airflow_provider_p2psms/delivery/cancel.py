"""
Cancelling scheduled messages: one request an id, and what the reports say where that gives no answer.

Asking twice does no harm: what is cancelled stays cancelled, and is told as such at every later try.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

from airflow_provider_p2psms.delivery.lookup import (
    MIN_QUESTIONS,
    Lookup,
    OutOfQuestionsError,
    Questions,
    most_questions,
)
from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnreachableError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.records import OutboxRecord
from airflow_provider_p2psms.gateway.statuses import State

log = logging.getLogger(__name__)

CancelOutcome = Literal["cancelled", "not_found_or_too_late", "in_doubt"]

RULE = "The gateway cancels a scheduled message until 5 minutes before its time."
_RULE_S = 5 * 60
_ATTEMPTS = 3
# What the gateway says of one id, and of its load. Other refusals are about the account or the address.
_ABOUT_THE_ID = frozenset({400, 404, 409, 410, 422})
_BUSY = frozenset({429, 503})


def cancel_messages(
    gateway: GatewayClient,
    outbox_ids: Sequence[int],
    *,
    at_once: int = 4,
    pause_s: float = 0.5,
    min_questions: int = MIN_QUESTIONS,
) -> dict[int, CancelOutcome]:
    """
    Cancel scheduled messages, those that are due first in front.

    :param at_once: how many ids are cancelled side by side.
    :param pause_s: the pause before the second attempt for an id. The one before the third is twice as long.
    :param min_questions: how many questions the reports are asked at most; at more than 10,000 ids, more.
    :return: for each id ``cancelled`` (now or earlier), ``not_found_or_too_late`` (the gateway's answer does
        not tell which), or ``in_doubt`` (no answer to trust came; ask again). An id that the gateway refuses
        does not keep it from the others.
    :raises GatewayRefusedError: the gateway cancels nothing for this account; ids before may be cancelled.

    Source: gateway docs, "Cancel": one id a call, until 5 minutes before the ``send_time``.
    """
    records = _records(gateway, outbox_ids, most_questions(len(outbox_ids), at_least=min_questions))
    _warn_of_late(records.values())
    cancelled = {each for each, record in records.items() if record.state == State.CANCELLED}
    soonest = {each: record.send_at or 0 for each, record in records.items()}
    asked = sorted(
        (each for each in outbox_ids if each not in cancelled), key=lambda each: soonest.get(each, 0)
    )
    pool = ThreadPoolExecutor(max_workers=at_once)
    try:
        outcomes = dict(zip(asked, pool.map(partial(_cancel, gateway, pause_s=pause_s), asked), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)
    return {each: outcomes.get(each, "cancelled") for each in outbox_ids}


def _records(gateway: GatewayClient, outbox_ids: Sequence[int], limit: int) -> dict[int, OutboxRecord]:
    """Ask what the reports know of these ids; cancelling does not depend on it."""
    lookup = Lookup(outbox_ids)
    try:
        lookup.refresh(outbox_ids, Questions(gateway, limit=limit))
    except OutOfQuestionsError:
        log.debug("More ids than questions; the rest is cancelled without a look.")
    except (GatewayRefusedError, UnreachableError) as err:
        log.warning("The reports do not say when the messages are due. %s", err.headline)
    return lookup.seen


def _warn_of_late(records: Iterable[OutboxRecord]) -> None:
    latest = time.time() + _RULE_S
    late = [each.outbox_id for each in records if each.send_at is not None and each.send_at < latest]
    if late:
        log.warning(
            "%s messages are due in less than 5 minutes. The gateway may refuse to cancel them.",
            f"{len(late):,}",
        )


def _cancel(gateway: GatewayClient, outbox_id: int, *, pause_s: float) -> CancelOutcome:
    refused: CancelOutcome = "not_found_or_too_late"
    for attempt in range(_ATTEMPTS):
        time.sleep(pause_s * attempt)
        try:
            gateway.cancel(outbox_id)
        except (OutcomeUnknownError, UnreachableError):
            refused = "in_doubt"
        except GatewayRefusedError as err:
            if err.http_status in _BUSY:
                refused = "in_doubt"
                continue
            if err.http_status not in _ABOUT_THE_ID:
                raise
            if err.http_status != 404:
                log.warning("The gateway does not cancel outbox id %s: %s", outbox_id, err)
                refused = "in_doubt"
            # The same answer comes for what is cancelled already, perhaps by our own request before.
            return _settle(gateway, outbox_id, otherwise="not_found_or_too_late", unknown=refused)
        else:
            return "cancelled"
    return _settle(gateway, outbox_id, otherwise="in_doubt", unknown="in_doubt")


def _settle(
    gateway: GatewayClient, outbox_id: int, *, otherwise: CancelOutcome, unknown: CancelOutcome
) -> CancelOutcome:
    """Ask the reports whether it is cancelled; ``unknown`` is the outcome where they do not answer."""
    try:
        record = Questions(gateway, limit=1).record(outbox_id)
    except (GatewayRefusedError, UnreachableError):
        return unknown
    return "cancelled" if record and record.state == State.CANCELLED else otherwise
