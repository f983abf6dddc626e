"""
``airflow p2psms …``: the commands of ``p2psms`` in Airflow's own command line (3.2 and newer).

The arguments are those of ``cli.py``. Every command of Airflow imports this, so nothing heavy is loaded here.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

from airflow_provider_p2psms.cli import ABOUT, COMMANDS


class _Arguments(Arg):
    """All arguments of a command, in place of one."""

    def __init__(self, fill: Callable[[argparse.ArgumentParser], None]) -> None:
        super().__init__(flags=("arguments",))  # type: ignore[no-untyped-call]
        self._fill = fill

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Let the command add its arguments."""
        self._fill(parser)


def get_cli_commands() -> list[GroupCommand]:
    """Return the commands; the key ``cli`` of the provider info leads here."""
    commands = [
        ActionCommand(name=name, help=about, func=_run, args=(_Arguments(fill),))
        for name, about, fill in COMMANDS
    ]
    return [GroupCommand(name="p2psms", help=ABOUT, subcommands=commands)]


def _run(options: Any) -> None:
    if getattr(options, "path", "") is None:
        from airflow_provider_p2psms.operators.ledger import ledger_folder  # noqa: PLC0415 - see above

        options.path = str(ledger_folder())
    sys.exit(options.run(options))
