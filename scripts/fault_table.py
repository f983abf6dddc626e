"""
`make fault-table`: every network fault against every way of sending, on a gateway that counts what arrives.

Prints tables in Markdown: faults, without the gateway's 40-second rule and with it, and habits of its
reports. `--write` puts them into `docs/faults.md`. The contenders are in `scripts/faults`, each as real code:
tasks run in a real Airflow with `retries=1`. Cells are measured side by side, each process with an Airflow
home of its own; all of it is in a temporary folder that goes with the run.
"""

import argparse
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from scripts.faults.conditions import FAULT_ROWS, TIMEOUT_S
from scripts.faults.habit_rows import HABIT_COLUMNS, HABIT_ROWS, HabitColumn, HabitRow, may_give_word
from scripts.faults.measure import COLUMNS, RULE_S, Column, Figure, measure

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
BEGIN = "<!-- Written by `make fault-table`: change nothing between here and the end mark. -->\n"
END = "<!-- The end of what `make fault-table` writes. -->\n"
PACKAGES = ("apache-airflow", "apache-airflow-providers-http", "requests", "tenacity", "twilio")
# Most of a cell's time is waiting: for a timeout, or for the reports.
PROCESSES = 4

Cell = tuple[Column, str, bool]
HabitCell = tuple[HabitRow, HabitColumn]
Figures = dict[Cell, Figure]
HabitFigures = dict[HabitCell, Figure]


def main() -> int:
    """Measure, print and perhaps write; 1 if a contender fails without any fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    parser.add_argument("--habits-only", action="store_true", help="measure only the habits of the reports")
    options = parser.parse_args()
    write = options.write and not options.habits_only
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures, habits = measure_all(habits_only=options.habits_only)
    tables = [render(figures, rule=False), render(figures, rule=True)] if figures else []
    text = "\n".join([*tables, render_habits(habits), how_it_was_made()])
    print(text)
    ill = {
        column.head for (column, fault, _), figure in figures.items() if fault == "none" and not figure.good
    }
    if ill:
        say(f"Without any fault these did not send: {', '.join(sorted(ill))}")
        return 1
    if write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


def measure_all(*, habits_only: bool) -> tuple[Figures, HabitFigures]:
    """Measure every cell, some side by side."""
    start = time.monotonic()
    cells = [
        (column, fault.name, rule)
        for column, fault, rule in product(COLUMNS, FAULT_ROWS, (False, True))
        if column.meets(fault.name) and (column.in_both or not rule) and not habits_only
    ]
    habit_cells = [
        (row, column)
        for row, column in product(HABIT_ROWS, HABIT_COLUMNS)
        if column.report_lag is None or may_give_word(row)
    ]
    figures: Figures = {}
    habits: HabitFigures = {}
    with (
        airflow_homes() as homes,
        ProcessPoolExecutor(PROCESSES, get_context("spawn"), settle_in, (homes,)) as pool,
    ):
        of_habits = zip(habit_cells, pool.map(measure_habit_cell, habit_cells), strict=True)
        of_faults = zip(cells, pool.map(measure_cell, cells), strict=True)
        for done, (habit_cell, figure) in enumerate(of_habits, start=1):
            habits[habit_cell] = figure
            _say_how_far(done, len(habit_cells), start)
        for done, (cell, figure) in enumerate(of_faults, start=1):
            figures[cell] = figure
            _say_how_far(done, len(cells), start)
    return figures, habits


def _say_how_far(done: int, of: int, start: float) -> None:
    if done % 50 == 0 or done == of:
        say(f"{done} of {of} cells after {time.monotonic() - start:.0f} s")


def say(line: str) -> None:
    """Tell the person who called; the output itself is the table alone."""
    print(line, file=sys.stderr, flush=True)


def measure_cell(cell: Cell) -> Figure:
    """Measure one cell in a process that has settled in."""
    column, fault, rule = cell
    return measure(column, fault, rule=rule)


def measure_habit_cell(cell: HabitCell) -> Figure:
    """Measure one cell of the second table in a process that has settled in."""
    figure: Figure = pkgutil.resolve_name("scripts.faults.habits:measure_habit")(*cell)
    return figure


@contextmanager
def airflow_homes() -> Iterator[Path]:
    """Make a folder for the homes of all processes, with a migrated database to copy from."""
    with tempfile.TemporaryDirectory(prefix="p2psms-fault-table-") as folder:
        homes = Path(folder)
        environment = airflow_environment(homes)
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield homes


def settle_in(homes: Path) -> None:
    """Give this process a home of its own, before anything imports Airflow, and keep Airflow's logs there."""
    home = homes / str(os.getpid())
    home.mkdir()
    shutil.copy(homes / "airflow.db", home)
    environment = airflow_environment(home)
    os.environ.clear()
    os.environ.update(environment)
    log = os.open(home / "log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())


def airflow_environment(home: Path) -> dict[str, str]:
    """Return this process's environment with an Airflow home, and without what it says of Airflow itself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def render(figures: Figures, *, rule: bool) -> str:
    """Render one table in Markdown, with the counts of what went wrong as its last rows."""
    heading = f"within {RULE_S:.0f} seconds" if rule else f"more than {RULE_S:.0f} seconds later"
    columns = [column for column in COLUMNS if column.in_both or not rule]
    rows = [["fault", *(column.head for column in columns)], ["---"] * (len(columns) + 1)]
    rows += [
        [fault.words, *(str(figures.get((column, fault.name, rule), "-")) for column in columns)]
        for fault in FAULT_ROWS
    ]
    for words, kind in (
        ("*faults after which somebody got it twice*", "twice"),
        ("*faults after which it was lost in silence*", "lost"),
        ("*faults after which “failed” was untrue*", "wrongly_failed"),
        ("*faults after which it is left in doubt*", "in_doubt"),
    ):
        rows.append([words, *(count(figures, column, kind, rule=rule) for column in columns)])
    return "\n".join([f"### The retry comes {heading}\n", *(f"| {' | '.join(row)} |" for row in rows), ""])


def count(figures: Figures, column: Column, kind: str, *, rule: bool) -> str:
    """Count a contender's figures of one kind, among the faults that it met."""
    own = [figures[cell] for cell in figures if cell[0] == column and cell[2] == rule and cell[1] != "none"]
    return f"{sum(getattr(figure, kind) for figure in own)} of {len(own)}"


def render_habits(figures: HabitFigures) -> str:
    """Render the table of the reports' habits, with counts as its last rows."""
    rows = [["the reports", *(column.head for column in HABIT_COLUMNS)], ["---"] * (len(HABIT_COLUMNS) + 1)]
    rows += [
        [row.words, *(str(figures.get((row, column), "-")) for column in HABIT_COLUMNS)] for row in HABIT_ROWS
    ]
    for words, kind in (
        ("*habits with which somebody got it twice*", "twice"),
        ("*habits with which it was lost in silence*", "lost"),
        ("*habits with which it is left in doubt*", "in_doubt"),
    ):
        row = [words]
        for column in HABIT_COLUMNS:
            own = [figure for cell, figure in figures.items() if cell[1] == column]
            row.append(f"{sum(getattr(figure, kind) for figure in own)} of {len(own)}")
        rows.append(row)
    return "\n".join(["### Habits of the reports\n", *(f"| {' | '.join(row)} |" for row in rows), ""])


def how_it_was_made() -> str:
    """Name what the figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Timeout for an answer: {TIMEOUT_S:g} s. Versions: {packages}.\n"


if __name__ == "__main__":
    sys.exit(main())
