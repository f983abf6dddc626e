"""The arguments of ``p2psms ledger list``, ``show`` and ``prune``; ``ledger_commands.py`` does the work."""

import argparse
import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any

LEDGER_PATH = "AIRFLOW__P2PSMS__LEDGER_PATH"
_ABOUT = """
List, show and prune the ledgers that are kept in files: what each try of a task sent, by digests and outbox
ids. They hold no number and no text. Ledgers in Airflow's task state store are shown with their task, and
Airflow removes them with their run.
"""
_ABOUT_PRUNE = """
Remove the ledgers of old runs. A run counts as old if none of its ledgers was written for that long. Ledgers
with messages in doubt, and damaged ones, are kept unless --in-doubt is given. A task whose ledger is removed
and that is cleared sends nothing: it cannot know what was sent.
"""
_UNITS_S = {"h": 3_600.0, "d": 86_400.0, "w": 7 * 86_400.0}


def fill_ledger(ledger: argparse.ArgumentParser) -> None:
    """Add the commands to the parser of ``p2psms ledger``."""
    ledger.description = _ABOUT
    commands = ledger.add_subparsers(required=True, metavar="COMMAND")
    path: dict[str, Any] = {"metavar": "PATH", "default": None}
    about_path = f"the folder of all ledgers (default: ${LEDGER_PATH}, else p2psms_ledger in $AIRFLOW_HOME)"

    add = _add(commands, "list", "name all ledgers: whose they are, what they count, how old they are")
    add("path", nargs="?", help=about_path, **path)
    add("--json", action="store_true", help="print JSON")

    add = _add(commands, "show", "show one task's ledgers: its tries, counts and what is in doubt")
    add("dag", metavar="DAG")
    add("run_id", metavar="RUN")
    add("task", metavar="TASK")
    add("--path", help=about_path, **path)
    add("--json", action="store_true", help="print JSON")

    add = _add(commands, "prune", "remove the ledgers of old runs", description=_ABOUT_PRUNE)
    add("path", nargs="?", help=about_path, **path)
    add("--older-than", required=True, type=read_age, metavar="AGE", help="12h, 90d or 8w")
    add(
        "--in-doubt", action="store_true", help="remove ledgers with messages in doubt, and damaged ones, too"
    )
    add("--yes", action="store_true", help="do not ask")


def default_path() -> str:
    """Return where ledgers lie, as Airflow's environment says."""
    if path := os.environ.get(LEDGER_PATH):
        return path
    return f"{os.environ.get('AIRFLOW_HOME') or '~/airflow'}/p2psms_ledger"


def read_age(text: str) -> float:
    """
    Return an age in seconds.

    :raises ArgumentTypeError: it is none.
    """
    match = re.fullmatch(r"(\d+)([hdw])", text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no age: write 12h, 90d or 8w")
    return int(match[1]) * _UNITS_S[match[2]]


def _add(commands: Any, name: str, about: str, **more: Any) -> Callable[..., object]:
    parser = commands.add_parser(name, help=about, **{"description": f"{about}.".capitalize()} | more)
    parser.set_defaults(run=partial(_run, name))
    add: Callable[..., object] = parser.add_argument
    return add


def _run(name: str, options: argparse.Namespace) -> int:
    from airflow_provider_p2psms.ledger_commands import run_ledger  # noqa: PLC0415 - others need nothing of it

    options.path = options.path or default_path()
    return run_ledger(name, options)
