"""Which ledger a task keeps: Airflow's own state store, or files; one for all tries of a task of a run."""

from __future__ import annotations

import logging
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_p2psms import airflow_compat

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.ledger.protocol import OnInDoubt
    from airflow_provider_p2psms.ledger.stores import Store
    from airflow_provider_p2psms.sending.send import LedgerRules

log = logging.getLogger(__name__)


def ledger_rules(
    context: Context, *, on_in_doubt: OnInDoubt, report_lag_s: float, resend: str | None, retries: int
) -> LedgerRules:
    """
    Return the ledger of the task that runs.

    :param resend: a word has a ledger of its own, which the first try under it opens.
    :param retries: how many retries the task has, to tell that first try from its retries.
    """
    from airflow_provider_p2psms.sending.send import LedgerRules

    ti: Any = context.get("ti")
    if ti is None:
        from airflow_provider_p2psms.ledger.stores import MemoryStore

        log.warning("This send runs outside of an Airflow task: its ledger ends with it.")
        return LedgerRules(store=MemoryStore(), on_in_doubt=on_in_doubt, report_lag_s=report_lag_s)
    return LedgerRules(
        store=_store(context, ti),
        name=f"p2psms-{blake2b(resend.encode(), digest_size=6).hexdigest()}" if resend else "p2psms",
        scope="/".join(_names(ti)),
        try_number=ti.try_number,
        must_exist=on_in_doubt != "resend" and not (resend and _is_first_since_clear(ti, retries)),
        on_in_doubt=on_in_doubt,
        report_lag_s=report_lag_s,
    )


def _store(context: Context, ti: Any) -> Store:
    from airflow_provider_p2psms.ledger.stores import ObjectStore, TaskStateStore

    accessor = context.get("task_state_store")
    if accessor is not None and not _path():
        return TaskStateStore(accessor, retention=airflow_compat.never_expire())
    return ObjectStore(ledger_folder(*_names(ti)))


def ledger_folder(*names: str) -> Any:
    """Return the folder of a ledger that is kept in files: a ``Path``, or one in object storage."""
    path = _path()
    folder = _root(path) if path else Path(airflow_compat.airflow_home()) / "p2psms_ledger"
    for name in names:
        folder /= quote(name, safe=" +:@=,")
    return folder


def _path() -> str | None:
    path: str | None = airflow_compat.conf.get("p2psms", "ledger_path", fallback=None)
    return path


def _root(path: str) -> Any:
    if "://" not in path:
        return Path(path).expanduser()
    return airflow_compat.ObjectStoragePath(path)


def _names(ti: Any) -> tuple[str, str, str, str]:
    return ti.dag_id, ti.run_id, ti.task_id, f"{ti.map_index}"


def _is_first_since_clear(ti: Any, retries: int) -> bool:
    # A clear gives the task its number of retries anew on top of the tries that it has had.
    most = getattr(ti, "max_tries", None)
    return most is None or ti.try_number <= most - retries + 1
