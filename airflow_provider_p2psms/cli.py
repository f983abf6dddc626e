"""The command line: ``p2psms``, and, by ``airflow_cli.py``, ``airflow p2psms``."""

import argparse
import json
import os
import shlex
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_p2psms.ledger_cli import fill_ledger
from airflow_provider_p2psms.program import program
from airflow_provider_p2psms.verify_cli import fill_verify

if TYPE_CHECKING:
    from airflow_provider_p2psms.sandbox import Sandbox

ABOUT = "Check files before a send, know your gateway, run a local one, and look after ledgers."
CONNECTION = "AIRFLOW_CONN_P2PSMS_DEFAULT"
# Options whose names differ from those of their habits.
_HABIT_OPTIONS = {"report_lag_s": "--report-lag", "report_lag_most_s": "--report-lag-most"}
_OPEN_TO_ALL = "other machines: page, gateway and control, each with this token"
# Shown as it is: argparse does not fold it.
_LINES_HELP = """\
trouble of one line:
  Latency, credit and habits given as options are those of all lines. Those of one line outrank them. Order
  them while it runs: on its page Trouble, or with "from_number" to /sandbox/trouble and /sandbox/habits.
  Faults take from_number as a key."""
_METAVARS = {str: "TEXT", int: "N", float: "S"}
_ABOUT_CHECK = """
Check the rows of a CSV or XLSX file as a send does, and say how many parts they have and, with a
connection, what they cost. Sends nothing; shows no number and no text. Exit code: 0 if all rows are good,
1 if some are bad or the gateway gives no prices, 2 if it was called wrongly.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 well, 1 it could not, 2 (by argparse) not understood."""
    options = _build_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program(), description=ABOUT)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, about, fill in COMMANDS:
        fill(commands.add_parser(name, help=about))
    return parser


def _fill_check(check: argparse.ArgumentParser) -> None:
    check.description = _ABOUT_CHECK
    check.set_defaults(run=_run_check)
    add = check.add_argument
    add("file", type=Path, metavar="FILE", help="a CSV or XLSX file with a header")
    add(
        "--sheet",
        metavar="NAME",
        help="a worksheet's name, or its number from 1 (default: the one with rows)",
    )
    add(
        "--hidden-rows",
        default="fail",
        choices=("fail", "skip", "send"),
        help="rows that are hidden in the sheet (default: %(default)s)",
    )
    add("--encoding", metavar="NAME", help="the encoding of a CSV (default: detected)")
    add("--text", help='the text of rows without one: "Dear {name}"')
    add(
        "--text-value",
        dest="text_values",
        action="append",
        default=[],
        metavar="WORD",
        help="a word such as NULL that is meant as it stands; may be given several times",
    )
    add("--recipient-column", default="recipient", metavar="NAME", help="default: %(default)s")
    add("--message-column", default="message", metavar="NAME", help="default: %(default)s")
    add("--region", metavar="XX", help="country of short numbers (default: the connection's, else IR)")
    add("--trust-e164", action="store_true", help="take full E.164 numbers that no numbering plan has yet")
    add("--mobiles-only", action="store_true", help="refuse numbers that are not mobile numbers")
    add("--from-number", metavar="LINE", help="the sending line (default: the connection's)")
    add(
        "--connection",
        default=os.environ.get(CONNECTION),
        metavar="URI",
        help="the gateway to ask for prices, as a URI or JSON as in Airflow "
        f"(default: ${CONNECTION}, which keeps the token out of the list of processes)",
    )
    add("--offline", action="store_true", help="ask no gateway: no cost")
    add("--all", action="store_true", help="show all bad rows, not the first 100")
    add("--json", action="store_true", help="print JSON")


def _run_check(options: argparse.Namespace) -> int:
    from airflow_provider_p2psms.checking import run_check  # noqa: PLC0415 - the sandbox needs nothing of it

    return run_check(options)


def _fill_sandbox(sandbox: argparse.ArgumentParser) -> None:
    from airflow_provider_p2psms.sandbox.fault_words import FAULT_WORDS, MAGIC_WORDS  # noqa: PLC0415 - as below

    sandbox.set_defaults(run=_run_sandbox)
    sandbox.formatter_class = argparse.RawDescriptionHelpFormatter
    sandbox.epilog = (
        f"{_LINES_HELP}\n\n{_list('faults, by name', FAULT_WORDS)}\n\n"
        f"{_list('magic numbers and texts', MAGIC_WORDS)}"
    )
    add = sandbox.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine alone)")
    add("--port", type=int, default=8025, help="port to listen on; 0 takes a free one (default: %(default)s)")
    add("--port-file", type=Path, metavar="PATH", help="file to write the port to once it answers")
    add(
        "--token",
        default="",
        help="the token it accepts (default: sandbox-token; a random one if other machines can reach HOST)",
    )
    add(
        "--allow-host",
        dest="allow_hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which browsers may open its page; may be given several times",
    )
    add(
        "--line",
        dest="lines",
        action="append",
        metavar="LINE",
        help="a line of the account; may be given several times "
        "(default: +983000505, +981234567890, +981234567891). Sends from other lines are refused",
    )
    add("--any-line", action="store_true", help="accept sends from any line")
    add("-q", "--quiet", action="store_true", help="no line for each request")
    add("--database", type=Path, metavar="PATH", help="SQLite file that outlives it (default: memory)")
    add(
        "--fault",
        action="append",
        default=[],
        type=_read_fault,
        metavar="NAME[:TIMES][@PATH][,KEY=VALUE]",
        help="order a fault, once, so many times or always; for sends, or another path: "
        "refuse_403:always@/report/new_list. Keys: after, from_number, delay_s, share, as in "
        "undelivered:always,share=0.2,from_number=+983000505. The names are below",
    )
    add("--latency-ms", type=float, default=0.0, metavar="MS", help="wait before every answer, of all lines")
    add("--queue-s", type=float, default=1.0, metavar="S", help="seconds from queued to sent (default: 1)")
    add(
        "--delivery-s",
        type=float,
        default=2.0,
        metavar="S",
        help="seconds from sent to delivered (default: 2)",
    )
    add(
        "--duplicate-window-s",
        type=float,
        default=40.0,
        metavar="S",
        help="the 40-second rule; 0 turns it off",
    )
    add("--past-send-time", choices=("send_now", "refuse"), default="send_now", help="for a past send_time")
    add("--keep", type=int, default=0, metavar="N", help="keep the newest N messages (default: all)")
    add("--credit", type=float, default=1e9, metavar="RIAL", help="the credit of all lines")
    add("--send-block", action="store_true", help="be a blocked account")
    _fill_habits(sandbox.add_argument_group("habits of the reports, all off by default; of all lines"))


def _list(title: str, words: Mapping[str, str]) -> str:
    return f"{title}:\n" + "\n".join(f"  {name:<25} {about}" for name, about in words.items())


def _fill_habits(group: "argparse._ArgumentGroup") -> None:
    from airflow_provider_p2psms.sandbox.habits import Habits  # noqa: PLC0415 - `check` needs nothing of it

    for habit in fields(Habits):
        about = habit.metadata["about"].replace("%", "%%")
        option = _HABIT_OPTIONS.get(habit.name, f"--{habit.name.replace('_', '-')}")
        if habit.name == "reports":
            group.add_argument(
                "--no-reports", dest="reports", action="store_false", help="no report pages (404)"
            )
        elif isinstance(habit.default, bool):
            group.add_argument(option, dest=habit.name, action="store_true", help=about)
        else:
            group.add_argument(
                option,
                dest=habit.name,
                default=habit.default,
                type=type(habit.default),
                choices=habit.metadata["choices"] or None,
                metavar=None if habit.metadata["choices"] else _METAVARS[type(habit.default)],
                help=about,
            )


def _read_fault(text: str) -> dict[str, Any]:
    order, *more = text.split(",")
    order, _, path = order.partition("@")
    name, _, times = order.partition(":")
    given = dict(each.split("=", 1) for each in more)
    readers = {"after": int, "from_number": str, "delay_s": float, "share": float}
    return {
        "fault": name,
        "times": None if times == "always" else int(times or 1),
        "path": path or "/api/send",
        **{key: _reader(readers, key)(value) for key, value in given.items()},
    }


def _reader(readers: Mapping[str, Callable[[str], Any]], key: str) -> Callable[[str], Any]:
    if key not in readers:
        raise argparse.ArgumentTypeError(f"no key {key!r}; known are {', '.join(readers)}")
    return readers[key]


def _run_sandbox(options: argparse.Namespace) -> int:
    try:
        from airflow_provider_p2psms.sandbox import Sandbox  # noqa: PLC0415 - the extra may be missing
        from airflow_provider_p2psms.sandbox.habits import Habits  # noqa: PLC0415 - as above
        from airflow_provider_p2psms.sandbox.settings import Settings  # noqa: PLC0415 - as above
    except ModuleNotFoundError as err:
        print(err, file=sys.stderr)
        return 1
    try:
        sandbox = Sandbox(
            host=options.host,
            port=options.port,
            token=options.token,
            allow_hosts=tuple(options.allow_hosts),
            lines=tuple(options.lines or Settings.lines),
            any_line=options.any_line,
            log=None if options.quiet else _print_line,
            database=options.database,
            latency_s=options.latency_ms / 1000,
            queue_s=options.queue_s,
            delivery_s=options.delivery_s,
            duplicate_window_s=options.duplicate_window_s,
            past_send_time=options.past_send_time,
            credit=options.credit,
            keep=options.keep,
            send_block=options.send_block,
            **{habit.name: getattr(options, habit.name) for habit in fields(Habits)},
        )
        for order in options.fault:
            sandbox.order_fault(**order)
        sandbox.start()
    except (OSError, ValueError, sqlite3.Error) as err:
        print(f"The sandbox cannot start: {getattr(err, 'strerror', None) or err}", file=sys.stderr)
        return 1
    return _stay(sandbox, options.port_file)


def _print_line(line: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    with suppress(OSError):  # a terminal that is gone must not fail a request
        print(line.encode(encoding, "replace").decode(encoding), flush=True)


def _stay(sandbox: "Sandbox", port_file: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; the port file is there as long as the sandbox answers."""
    stop_asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop_asked.set())
    print(_greeting(sandbox), flush=True)
    if port_file:
        _write_whole(port_file, str(sandbox.bound_port))
    stop_asked.wait()
    if port_file:
        port_file.unlink(missing_ok=True)
    sandbox.stop()
    return 0


def _write_whole(path: Path, text: str) -> None:
    # Whoever waits for the file must never read half of it.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="ascii")
    draft.replace(path)


def _greeting(sandbox: "Sandbox") -> str:
    authorization = shlex.quote(f"Authorization: {sandbox.token}")
    group = {"recipients": ["+989120000000"], "message": "Hello from the sandbox"}
    body = {"sending_type": "peer_to_peer", "from_number": sandbox.lines[0], "params": [group]}
    line = shlex.quote(sandbox.lines[0])
    other_urls = "".join(f"\n              {url}" for url in sandbox.base_urls[1:])
    page = sandbox.outbox_url if sandbox.is_local else f"{sandbox.outbox_url}?token={quote(sandbox.token)}"
    order = f"curl -H {authorization} -H 'Content-Type: application/json' \\\n    -d"
    return f"""\
A local SMS gateway; nothing that it accepts is sent to a phone.

  base URL    {sandbox.base_url}{other_urls}
  token       {sandbox.token}
  outbox      {page}
  connection  export AIRFLOW_CONN_P2PSMS_DEFAULT={shlex.quote(sandbox.connection_uri)}
  open to     {"this machine alone" if sandbox.is_local else _OPEN_TO_ALL}

Send peer to peer:
  {order} {shlex.quote(json.dumps(body))} {sandbox.base_url}/api/send

Send peer to peer by file:
  printf 'recipient,message\\n09120000000,Hello from a file\\n' | curl -H {authorization} \\
    -F sending_type=peer_to_peer_file -F from_number={line} -F 'files[]=@-;filename=messages.csv' \\
    {sandbox.base_url}/api/send

Lose the next answer:
  {order} '{{"fault": "cut_before_answer"}}' {sandbox.outbox_url}sandbox/faults

Stop it with Ctrl-C."""


# Name, help, and what adds the arguments and the function that runs it, as ``run``.
COMMANDS: tuple[tuple[str, str, Callable[[argparse.ArgumentParser], None]], ...] = (
    ("check", "check a file's rows, count parts and cost; sends nothing", _fill_check),
    ("verify", "send to your own number; report how the gateway behaves", fill_verify),
    ("sandbox", "run a local gateway that keeps the contract and sends nothing", _fill_sandbox),
    ("ledger", "list, show and prune ledgers that are kept in files", fill_ledger),
)
