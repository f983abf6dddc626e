"""
One record in words beside the ledger in Airflow's task state store, for people who look at the task's page.

The ledger's own records are packed. This one says in a sentence how the send stands. It is no evidence:
nothing here or elsewhere reads it, and whether it can be written decides nothing.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_p2psms import airflow_compat

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.sending.standing import Standing

log = logging.getLogger(__name__)


def record_in_words(context: Context, name: str, standing: Standing) -> None:
    """
    Write how the send stands, where Airflow has a task state store (3.3 and newer).

    :param name: the ledger's name, and the record's key. All other keys of a ledger have a dot behind it.
    """
    store = context.get("task_state_store")
    if store is None:
        return
    try:
        store.set(name, _describe(context, standing), retention=airflow_compat.never_expire())
    except Exception as err:  # noqa: BLE001 - the send has ended, and its ledger says how
        log.warning(
            "The sentence on how this send stands could not be written (%s). The ledger is not affected.",
            type(err).__name__,
        )


def _describe(context: Context, standing: Standing) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"Recipients: {standing.accepted:,} accepted, {standing.in_doubt:,} in doubt, "
        f"{standing.not_sent:,} refused or not sent. As of {now}, when try {context['ti'].try_number} ended."
    )
