"""What Airflow is told of a send beside its result: the counts of each try, as metrics of its own Stats."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_p2psms import airflow_compat

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.sending.try_metrics import TryMetrics

log = logging.getLogger(__name__)


def count_in_stats(context: Context, metrics: TryMetrics) -> None:
    """
    Add a try to the counters ``p2psms.accepted``, ``.refused`` and so on: one for each field of its metrics.

    Their tags are ``dag_id`` and ``task_id``, where the metrics backend has tags. A backend that fails is
    logged: what was sent is not undone by it.
    """
    ti: Any = context.get("ti")
    tags = {"dag_id": ti.dag_id, "task_id": ti.task_id} if ti else None
    try:
        stats = airflow_compat.stats()
        for name, count in asdict(metrics).items():
            stats.incr(f"p2psms.{name}", count, tags=tags)
    except Exception as err:  # noqa: BLE001 - a backend may be anybody's, and raise anything
        log.warning("The metrics of this try are lost (%s).", type(err).__name__)
