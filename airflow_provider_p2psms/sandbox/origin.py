"""
Which DAG, run and task a request came from: a header that this package's client sends to a loopback gateway.

Anybody may send it, so it is only shown and searched. A header that cannot be read is no origin.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs

HEADER = "x-p2psms-origin"
FIELDS = ("dag_id", "run_id", "task_id")
_MOST_CHARACTERS = 250  # as many as Airflow lets an id have


def read_origin(headers: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return (dag_id, run_id, task_id), each ``None`` where the header does not say."""
    try:
        given = parse_qs(headers.get(HEADER, ""), errors="strict", max_num_fields=len(FIELDS))
    except ValueError:
        return (None,) * len(FIELDS)
    return tuple(given[name][0][:_MOST_CHARACTERS] if name in given else None for name in FIELDS)
