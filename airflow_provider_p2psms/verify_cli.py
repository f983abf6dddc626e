"""``p2psms verify``: its options, its question before anything is sent, and its exit codes."""

import argparse
import json
import os
import re
import secrets
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from airflow_provider_p2psms.verifying.findings import Report
    from airflow_provider_p2psms.verifying.run import Order, Verification

CONNECTION = "AIRFLOW_CONN_P2PSMS_DEFAULT"
DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_ABOUT = """
Send a handful of messages to your own number, by JSON and by file, and report how the gateway behaves: ids,
the 40-second rule, how soon and how its reports show a message, pages and filters, schedule and cancel. Says
what it will send and what it costs, and asks before it does. Exit code: 0 if all was done, 1 if the gateway
refused something or a scheduled message could not be cancelled, 2 if it was called wrongly, 130 after Ctrl-C.
"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# No vowels: no words. Nothing that gateways are known to fold or escape.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


def fill_verify(verify: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    verify.description = _ABOUT
    verify.set_defaults(run=run_verify)
    add = verify.add_argument
    add("--to", required=True, metavar="NUMBER", help="your own number; it gets 6 to 9 messages")
    add(
        "--connection",
        default=CONNECTION,
        metavar="CONNECTION",
        help="a URI or JSON as in Airflow, or the name of an environment variable that holds one "
        "(default: %(default)s, which keeps the token out of the list of processes)",
    )
    add("--from-number", metavar="LINE", help="the sending line (default: the connection's)")
    add(
        "--wait",
        type=_seconds,
        default=120.0,
        metavar="S",
        help="seconds to wait for the reports (default: 120)",
    )
    add("--yes", action="store_true", help="do not ask")
    add("--json", metavar="FILE", help="also write the report as JSON; - prints it instead of the table")


def run_verify(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from airflow_provider_p2psms.errors import InvalidMessageError  # noqa: PLC0415 - see cli.py

    with ExitStack() as stack:
        try:
            order = _read_options(options)
            target = _open_target(options.json, stack)
        except (InvalidMessageError, OSError) as err:
            return _complain(f"{err}", code=USAGE)
        if not options.yes and not sys.stdin.isatty():
            return _complain(
                "It sends messages that cost money, and there is no terminal to ask. Give --yes.", code=USAGE
            )
        return verify_account(order, is_agreed=options.yes, target=target)


def verify_account(order: "Order", *, is_agreed: bool, target: TextIO | None) -> int:
    """
    Say what it sends, ask, send, print the report, and return the exit code.

    :param is_agreed: do not ask.
    :param target: where the JSON goes; without one, or with a file, the table is printed.
    """
    from airflow_provider_p2psms.verifying.account import BlockedError  # noqa: PLC0415
    from airflow_provider_p2psms.verifying.interrupts import Interrupts  # noqa: PLC0415
    from airflow_provider_p2psms.verifying.run import Verification  # noqa: PLC0415

    report = _new_report(order)

    def tell(text: str) -> None:
        _say(report.clean(text))

    code = DONE
    with Interrupts() as interrupts:
        verification = Verification(order, report, interrupts=interrupts, tell=tell)
        try:
            with verification:
                for text in verification.ask().lines(
                    line=order.line, recipient=str(report.about["recipient"])
                ):
                    tell(text)
                if not is_agreed and not _ask_to_go_on():
                    tell("Nothing was sent.")
                    return FAILED
                verification.run()
        except BlockedError as err:
            report.ended, code = str(err), FAILED
        except KeyboardInterrupt:
            report.ended, code = "Stopped by a signal. This is what is known.", INTERRUPTED
    code = _end(verification, report, code)
    _print(report, target)
    return code


def _end(verification: "Verification", report: "Report", code: int) -> int:
    """Say what a person has to know, and return the exit code."""
    if verification.refusals and not report.ended:
        report.ended = f"The gateway did not take everything: {verification.refusals[0]}"
        code = FAILED
    if verification.warning:
        report.ended = f"{report.ended} {verification.warning}".strip()
        code = code or FAILED
    return code


def _ask_to_go_on() -> bool:
    _say("Go on? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _new_report(order: "Order") -> "Report":
    from airflow_provider_p2psms.rows.redaction import mask  # noqa: PLC0415
    from airflow_provider_p2psms.verifying.findings import Report  # noqa: PLC0415

    number = order.recipient.lstrip("+")
    return Report(
        about={
            "gateway": order.settings.base_url,
            "line": order.line,
            "recipient": mask(order.recipient),
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        private=(order.settings.token, order.recipient, number, f"0{number[2:]}", number[2:]),
    )


def _read_options(options: argparse.Namespace) -> "Order":
    from airflow_provider_p2psms.errors import InvalidMessageError  # noqa: PLC0415
    from airflow_provider_p2psms.gateway.connection import parse_connection  # noqa: PLC0415
    from airflow_provider_p2psms.rows.invalid_value import InvalidValueError  # noqa: PLC0415
    from airflow_provider_p2psms.rows.phone_numbers import to_e164  # noqa: PLC0415
    from airflow_provider_p2psms.verifying.asking import Times  # noqa: PLC0415
    from airflow_provider_p2psms.verifying.run import Order  # noqa: PLC0415

    settings = parse_connection(_connection(options.connection))
    line = options.from_number or settings.from_number
    if not line:
        raise InvalidMessageError("The connection names no sending line: give --from-number.")
    try:
        recipient = to_e164(options.to, settings.region)
        allowed = {to_e164(each, settings.region) for each in settings.allowed_recipients}
        redirect = settings.redirect_to and to_e164(settings.redirect_to, settings.region)
    except InvalidValueError as err:
        raise InvalidMessageError(f"--to, or a number in the connection, is no phone number: {err}") from err
    if (allowed and recipient not in allowed) or (redirect and recipient != redirect):
        raise InvalidMessageError(
            "The connection is for staging: its allowed_recipients or redirect_to keep messages from --to."
        )
    tag = "".join(secrets.choice(_LETTERS) for _ in range(5))
    # The sandbox, which listens on this machine, needs no pace.
    pace = {"questions": 10_000} if settings.is_loopback else {}
    times = Times(wait_s=options.wait, **pace)
    return Order(settings=settings, line=line, recipient=recipient, tag=tag, times=times)


def _connection(given: str) -> str:
    from airflow_provider_p2psms.errors import InvalidMessageError  # noqa: PLC0415

    if not _NAME.fullmatch(given):
        return given
    for name in (given, f"AIRFLOW_CONN_{given.upper()}"):
        if os.environ.get(name):
            return os.environ[name]
    raise InvalidMessageError(
        "There is no connection: the environment variable that --connection names is not set. Give a URI "
        "(p2psms://:TOKEN@host/v1) or Airflow's JSON of one."
    )


def _open_target(name: str | None, stack: ExitStack) -> TextIO | None:
    """Open the file before anything is sent: a report that cannot be written is of no use."""
    if name is None:
        return None
    return sys.stdout if name == "-" else stack.enter_context(Path(name).open("w", encoding="utf-8"))


def _print(report: "Report", target: TextIO | None) -> None:
    from rich.console import Console  # noqa: PLC0415

    from airflow_provider_p2psms.verifying.show import show_report  # noqa: PLC0415

    if target is not None:
        target.write(f"{json.dumps(report.as_dict(), ensure_ascii=False, indent=2)}\n")
        target.flush()
    if target is not sys.stdout:
        # What the gateway shows is data: no markup, no colours of its own.
        show_report(report, Console(markup=False, highlight=False, emoji=False))


def _complain(text: str, *, code: int) -> int:
    _say(f"p2psms verify: {text}")
    return code


def _say(text: str, *, end: str = "\n") -> None:
    sys.stderr.write(f"{text}{end}")
    sys.stderr.flush()


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("0 to 86,400 seconds")
    return seconds
