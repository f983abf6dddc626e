"""The report as a table for people."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_p2psms.verifying.findings import CATALOGUE, Report, Result

_STYLES = {
    Result.AS_DOCUMENTED: "green",
    Result.DIFFERS: "yellow",
    Result.OBSERVED: "cyan",
    Result.NOT_OBSERVED: "dim",
    Result.NOT_ASKED: "dim",
}
_KEY_WIDTH = 20


def show_report(report: Report, console: Console) -> None:
    """Print every line that was asked, and the names of those that were not."""
    table = Table(box=box.ASCII if console.is_dumb_terminal else box.HEAVY_HEAD, show_lines=False)
    table.add_column("check", width=_KEY_WIDTH, overflow="fold")
    table.add_column("", width=10, no_wrap=True)
    table.add_column("", ratio=1, overflow="fold")
    not_asked = []
    for key, each in report.findings().items():
        if each.result is Result.NOT_ASKED:
            not_asked.append(key)
            continue
        lines = (
            ("documented", CATALOGUE[key]),
            ("observed", each.observed),
            ("meaning", each.meaning),
            ("connection", each.connection),
        )
        names: tuple[Text | str, ...] = (
            Text(key, style="bold"),
            Text(each.result, style=_STYLES[each.result]),
            "",
            "",
        )
        for name, (label, text) in zip(names, lines, strict=True):
            table.add_row(name, Text(label, style="dim"), Text(report.clean(text)))
        table.add_section()
    console.print(table)
    if not_asked:
        console.print(f"Not asked: {', '.join(not_asked)}.")
    if report.ended:
        console.print(report.clean(report.ended))
