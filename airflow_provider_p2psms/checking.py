"""
``p2psms check``: what a send of a file would come to, found out by the code that sends, without sending.

Works without Airflow. Shows counts, rows' numbers, columns' names and masked values; no number and no text.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError, RowProblem, and_more
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.connection import parse_connection
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.digest import Digester
from airflow_provider_p2psms.rows import (
    FileRules,
    RowRules,
    check_rows,
    read_file,
    render_text,
)
from airflow_provider_p2psms.rows.phone_numbers import to_e164
from airflow_provider_p2psms.rows.reading import Reading
from airflow_provider_p2psms.sending.cost import Cost, ask_prices, cost_of, read_credit
from airflow_provider_p2psms.sending.plan import SHOWN_PROBLEMS, Known, Plan, PlanRules, build_plan
from airflow_provider_p2psms.sending.price_classes import PriceClasses
from airflow_provider_p2psms.sending.spool import Spool

_PROGRESS_EVERY = 1_000  # rows
_WIDTH_OF_A_FILE = 160  # columns, where the output is no terminal


@dataclass(slots=True)
class Found:
    """What the check found; ``cost`` and ``credit`` in rial, ``None`` where no gateway was asked."""

    plan: Plan
    reading: Reading
    price_classes: PriceClasses | None = None
    problems: list[RowProblem] = field(default_factory=list)
    cost: Cost | None = None
    credit: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        plan = self.plan
        return {
            "rows": plan.handed_in,
            "good": plan.recipients,
            "bad": plan.invalid,
            "duplicates": plan.duplicates,
            "held_back": plan.held_back,
            "redirected": plan.redirected,
            "parts": plan.parts,
            "cost": round(self.cost.estimate) if self.cost else None,
            "cost_at_most": round(self.cost.at_most) if self.cost else None,
            "credit": self.credit,
            "sheet": self.reading.sheet or None,
            "encoding": self.reading.encoding or None,
            "delimiter": self.reading.delimiter or None,
            "hidden_rows": self.reading.hidden_rows,
            "texts_of_column": self.reading.texts_of_column,
            "texts_of_template": self.reading.texts_of_template,
            "problems": [
                {
                    "row": each.row,
                    "place": each.place,
                    "column": each.column,
                    "value": each.value,
                    "reason": each.reason,
                }
                for each in self.problems
            ],
        }


def run_check(options: argparse.Namespace) -> int:
    """Check ``options.file`` and print what was found; return the exit code, as the command's help says."""
    try:
        question = _read_options(options)
        stream = options.file.open("rb")
    except (InvalidMessageError, OSError) as err:
        return _complain(err, code=2)
    try:
        with stream:
            found = _check(stream, question, show_all=options.all)
    except InvalidMessageError as err:
        return _complain(err, code=1)
    unanswered = _ask(found, question)
    print(json.dumps(found.as_dict(), ensure_ascii=False)) if options.json else _show(found)
    if unanswered:
        return _complain(unanswered, code=1)
    return 1 if found.plan.invalid else 0


def _complain(err: Exception, *, code: int) -> int:
    print(f"p2psms check: {err}", file=sys.stderr)
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    file: FileRules
    rows: RowRules
    sending: PlanRules
    line: str
    gateway: GatewaySettings | None


def _read_options(options: argparse.Namespace) -> _Question:
    known = parse_connection(options.connection) if options.connection else None
    region = options.region or (known.region if known else "IR")
    rows = RowRules(
        region=region,
        text=None if options.text is None else render_text(options.text),
        text_values=options.text_values,
        recipient_column=options.recipient_column,
        message_column=options.message_column,
        trust_e164=options.trust_e164,
        mobiles_only=options.mobiles_only,
    )
    file = FileRules(sheet=options.sheet, hidden_rows=options.hidden_rows, encoding=options.encoding)
    line = options.from_number or (known.from_number if known else None) or ""
    gateway = None if options.offline else known
    if gateway and not line:
        raise InvalidMessageError("Prices depend on the sending line: give --from-number, or --offline.")
    return _Question(file=file, rows=rows, sending=_staging(known), line=line, gateway=gateway)


def _staging(settings: GatewaySettings | None) -> PlanRules:
    if settings is None:
        return PlanRules()
    allowed = frozenset(to_e164(number, settings.region) for number in settings.allowed_recipients)
    redirect_to = settings.redirect_to and to_e164(settings.redirect_to, settings.region)
    return PlanRules(allowed_recipients=allowed, redirect_to=redirect_to)


def _check(stream: BinaryIO, question: _Question, *, show_all: bool) -> Found:
    with Spool(batch_size=_PROGRESS_EVERY) as spool:
        results = check_rows(read_file(stream, name=stream.name, **asdict(question.file)), question.rows)
        found = Found(Plan(spool), results.reading)
        build_plan(
            _watch(results.batches(), stream, found.problems, show_all=show_all),
            found.plan,
            rules=question.sending,
            known=Known(digester=Digester(scope="", sender=question.line, distinct=True)),
        )
        if question.gateway:
            found.price_classes = PriceClasses(batch for batch, _ in spool)
    return found


def _watch(
    results: Iterable[Batch | RowProblem], stream: BinaryIO, problems: list[RowProblem], *, show_all: bool
) -> Iterator[Batch | RowProblem]:
    """Pass results on; keep the problems to show, and draw on a terminal how far the file is read."""
    is_pipe = not stream.seekable()
    size = None if is_pipe else os.fstat(stream.fileno()).st_size
    # FORCE_COLOR makes rich take a pipe for a terminal: a bar that moves the cursor is for a real one.
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Checking", total=size)
        for place, result in enumerate(results):
            if (isinstance(result, Batch) or place % _PROGRESS_EVERY == 0) and not is_pipe:
                progress.update(task, completed=stream.tell())
            if isinstance(result, RowProblem) and (show_all or len(problems) < SHOWN_PROBLEMS):
                problems.append(result)
            yield result


def _ask(found: Found, question: _Question) -> P2PSMSError | None:
    """Ask for prices and credit, where there is somebody to ask; return why they are missing."""
    price_classes = found.price_classes
    if question.gateway is None or price_classes is None:
        return None
    with GatewayClient(question.gateway) as client:
        try:
            prices = ask_prices(price_classes, client, from_number=question.line)
            found.cost = cost_of(price_classes.all, prices)
            found.credit = read_credit(client.credit())
        except P2PSMSError as err:
            return err
    return None


def _show(found: Found) -> None:
    # A terminal has a width; a pipe has none, whatever COLUMNS says about the terminal beside it.
    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    # What stands in a file is data: no markup, no colours of its own.
    console = Console(markup=False, highlight=False, emoji=False, width=width)
    if found.problems:
        bad = Table("place", "column", "value", "reason", title="Bad rows", title_justify="left")
        for each in found.problems:
            bad.add_row(each.place, each.column, each.value, each.reason)
        console.print(bad)
        if more := found.plan.invalid - len(found.problems):
            console.print(f"…{and_more(more)} (--all shows them)")
    console.print(_summary(found))


def _how_read(reading: Reading) -> list[tuple[str, str]]:
    told = [("sheet", reading.sheet), ("encoding", reading.encoding), ("delimiter", repr(reading.delimiter))]
    shown = [each for each in told if each[1] not in ("", "''")]
    if reading.hidden_rows:
        shown.append(("hidden rows", f"{reading.hidden_rows:,}"))
    if reading.texts_of_column and reading.texts_of_template:
        shown.append(("texts from the message column", f"{reading.texts_of_column:,}"))
        shown.append(("texts from the template", f"{reading.texts_of_template:,}"))
    return shown


def _summary(found: Found) -> Table:
    plan, cost = found.plan, found.cost
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _how_read(found.reading):
        table.add_row(name, value)
    table.add_row("rows", f"{plan.handed_in:,}")
    table.add_row("good", f"{plan.recipients:,}")
    table.add_row("bad", f"{plan.invalid:,}")
    table.add_row("duplicates", f"{plan.duplicates:,}")
    if plan.held_back:
        table.add_row("held back (allowed_recipients)", f"{plan.held_back:,}")
    if plan.redirected:
        table.add_row("redirected (redirect_to)", f"{plan.redirected:,}")
    table.add_row("parts", f"{plan.parts:,}")
    table.add_row("cost, about", f"{cost.estimate:,.0f} rial" if cost else "not asked")
    if cost:
        table.add_row("cost, at most", f"{cost.at_most:,.0f} rial")
    if found.credit is not None:
        table.add_row("credit", f"{found.credit:,.0f} rial")
    return table
