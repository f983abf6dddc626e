"""The outbox ids of a send as an XCom, for the sensor and the cancel behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_p2psms.errors import ReplacedError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.sending.ledgers import OpenLedger

log = logging.getLogger(__name__)

# Each id, or runs of them as "first-last".
IdsInXCom = list[int] | list[int | str]


@contextmanager
def ids_pushed_on_failure(
    context: Context, ledger: OpenLedger, in_xcom: Callable[[list[int]], IdsInXCom]
) -> Iterator[Callable[[list[int]], None]]:
    """
    Push the outbox ids of all accepted messages as XComs if the block fails, skips or is interrupted.

    Airflow itself pushes the result of successes alone, and deletes the XComs of a try when the next one
    begins. So those of earlier tries are pushed again.

    :param in_xcom: gives ids the form that they have in XComs.
    :return: takes the ids in the order of the rows, once the send knows them. Otherwise those of the ledger
        are pushed, in its order.
    """
    known: list[list[int]] = []
    try:
        yield known.append
    except ReplacedError:  # these XComs are the newer try's
        raise
    except BaseException:
        ids = known[-1] if known else ledger.own_ids()
        _push_of_failure(context, in_xcom(ids))
        raise


def push_ids(context: Context, ids: IdsInXCom) -> None:
    """Push the outbox ids as an XCom of their own."""
    # A context made by hand, as in a test, may have no such task instance.
    if push := getattr(context.get("ti"), "xcom_push", None):
        push(key="message_outbox_ids", value=ids)


def _push_of_failure(context: Context, ids: IdsInXCom) -> None:
    try:
        push_ids(context, ids)
        if push := getattr(context.get("ti"), "xcom_push", None):
            push(key="return_value", value={"message_outbox_ids": ids})
    except Exception as err:  # noqa: BLE001 - a backend may raise anything, and the first error counts
        log.warning(
            "The outbox ids of the accepted messages could not be pushed as an XCom (%s).", type(err).__name__
        )
