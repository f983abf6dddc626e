"""
Which ledger a task keeps: Airflow's own state store, or files; one for all tries of a task of a run.

In files all map indexes of a task share one. Airflow's store has one for each.
"""

from __future__ import annotations

import logging
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.operators.files import locate
from airflow_provider_p2psms.paths import is_uri

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.choices import OnInDoubt
    from airflow_provider_p2psms.sending.ledgers import LedgerRules, Place

log = logging.getLogger(__name__)

# Where Airflow sets no limit.
_LARGEST_RECORD = 500_000
# Airflow counts some more bytes of a record than we do: it writes blanks behind commas.
_MARGIN_BYTES = 1_000


def ledger_rules(
    context: Context, *, on_in_doubt: OnInDoubt, report_lag_s: float | None, resend: str | None, retries: int
) -> LedgerRules:
    """
    Return the ledger of the task that runs.

    :param on_in_doubt: ``"resend"`` is for the doubts that were there when a person cleared the task: for the
        first try after that, and not for its retries.
    :param resend: a word has a ledger of its own, which the first try under it opens.
    :param retries: how many retries the task has, to tell that first try from its retries.
    """
    from airflow_provider_p2psms.sending.ledgers import LedgerRules

    ti: Any = context.get("ti")
    if ti is None:
        from airflow_provider_p2psms.ledger.stores import MemoryStore

        log.warning(
            "This send runs outside of an Airflow task. Its ledger is in memory, and is lost when it ends."
        )
        return LedgerRules(store=MemoryStore(), on_in_doubt=on_in_doubt, report_lag_s=report_lag_s)
    name = f"p2psms-{blake2b(resend.encode(), digest_size=6).hexdigest()}" if resend else "p2psms"
    main, *others = _places(context, ti, name)
    is_first = _is_first_since_clear(ti, retries)
    is_by_word = on_in_doubt == "resend" and is_first
    dag_run_task = _names(ti)
    return LedgerRules(
        store=main.store,
        name=name,
        owner=main.owner,
        scope="/".join(dag_run_task),
        old_scope="/".join((*dag_run_task, f"{ti.map_index}")),
        try_number=ti.try_number,
        must_exist=not is_by_word and not (resend and is_first),
        others=others,
        is_chunk=ti.map_index >= 0 and not main.owner,
        on_in_doubt="reconcile" if on_in_doubt == "resend" and not is_by_word else on_in_doubt,
        report_lag_s=report_lag_s,
    )


def parse_resend(value: object) -> str | None:
    """
    Read ``resend``: a word, or ``None`` for what a template gives where nobody has wished for anything.

    :raises InvalidMessageError: it is neither a text nor a number, such as a whole list.
    """
    if value is None or value is False:
        return None
    if not isinstance(value, str | int | float):
        raise InvalidMessageError(f"resend must be a word. It is of the type {type(value).__name__}.")
    word = str(value)
    # As Jinja and JSON write them.
    return None if word.strip().casefold() in {"", "none", "null", "false"} else word


def _places(context: Context, ti: Any, name: str) -> list[Place]:
    """
    Return where the ledger lies, and then where earlier tries may have written.

    Those had another Airflow, another ``ledger_path``, or an earlier version of this package.
    """
    from airflow_provider_p2psms.ledger.stores import ObjectStore, TaskStateStore
    from airflow_provider_p2psms.sending.ledgers import Place

    owner = f"{ti.map_index}" if ti.map_index >= 0 else ""
    roots = dict.fromkeys([path for path in (_path(),) if path] + [_default_path()])
    places = []
    for path in roots:
        shared = ledger_folder(*_names(ti), path=path)
        places.append(Place(ObjectStore(shared), name, owner))
        # Before, each map index had a folder of its own.
        places.append(Place(ObjectStore(shared / quote(f"{ti.map_index}", safe="")), name))
    accessor = context.get("task_state_store")
    if accessor is not None:
        retention = airflow_compat.never_expire()
        store = TaskStateStore(accessor, retention=retention, most_bytes=_largest_record())
        places.insert(1 if _path() else 0, Place(store, name))
    return places


def ledger_folder(*names: str, path: str | None = None) -> Any:
    """
    Return the folder of a ledger that is kept in files: a ``Path``, or one in object storage.

    :raises InvalidMessageError: ``ledger_path`` is relative.
    """
    from airflow_provider_p2psms.ledger.places import folder_name

    folder: Any = locate(path or _path() or _default_path())
    for name in names:
        folder /= folder_name(name)
    return folder


def _path() -> str | None:
    path: str = airflow_compat.conf.get("p2psms", "ledger_path", fallback=None) or ""
    # A relative path is another folder for each process: a retry would not find what was sent.
    if path and not is_uri(path) and not Path(path).expanduser().is_absolute():
        raise InvalidMessageError(
            f"[p2psms] ledger_path is {path}, a relative path. Set it to an absolute path, such as "
            "/srv/airflow/p2psms, or to a URI, such as s3://conn_id@bucket/p2psms."
        )
    return path or None


def _default_path() -> str:
    return str(Path(airflow_compat.airflow_home()) / "p2psms_ledger")


def _largest_record() -> int:
    """Return how large a record Airflow's store takes without a warning, in bytes."""
    limit = airflow_compat.conf.getint("state_store", "max_value_storage_bytes", fallback=0)
    return (limit if limit > 0 else _LARGEST_RECORD) - _MARGIN_BYTES


def _names(ti: Any) -> tuple[str, str, str]:
    return ti.dag_id, ti.run_id, ti.task_id


def _is_first_since_clear(ti: Any, retries: int) -> bool:
    # A clear gives the task its number of retries anew on top of the tries that it has had.
    most = getattr(ti, "max_tries", None)
    return most is None or ti.try_number <= most - retries + 1
