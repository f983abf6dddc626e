"""
What so many messages a day take, from figures that were measured once: the tables of docs/scale.md.

It measures nothing and asks nobody: the same figures give the same tables. The page says where each figure is
from. ``--write`` puts the tables there.
"""

import argparse
import re
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN = (
    "<!-- Written by `python scripts/scale.py --write`: change nothing between here and the end mark. -->\n"
)
END = "<!-- The end of what the script writes. -->\n"

DAY_S = 86_400
VOLUMES = (1_000_000, 10_000_000, 100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    What was measured, and what the package and Airflow do by default.

    A shard is a task of ``shard_rows`` rows, each with a text of its own. Of a killed process: its retry
    first looks at the gateway's report after ``first_look_s``, and reads it from ``before_s`` before the kill
    on. The requests of the process are over after ``over_s``. A look asks ``other_questions`` before it reads
    pages. Airflow notices after ``unnoticed_s`` that a worker has died.
    """

    # By default.
    shard_rows: int = 100_000
    batch_rows: int = 1_000
    page_records: int = 100
    most_pages: int = 600
    most_unknown: int = 600
    questions_a_minute: int = 30
    most_slices: int = 1_024
    unnoticed_s: int = 300
    first_pause_s: int = 1
    longest_pause_s: int = 20
    # Measured.
    slice_bytes: int = 262
    state_rows: int = 22
    state_bytes: int = 1_106_422
    xcom_list_bytes: int = 1_600_194
    xcom_run_bytes: int = 1_724
    api_requests: int = 61
    messages_a_second: Sequence[tuple[int, int]] = ((1, 1_372), (2, 2_334), (4, 3_640))
    first_look_s: int = 11
    before_s: int = 15
    over_s: int = 124
    other_questions: int = 3

    @property
    def most_records(self) -> int:
        """How many records of a report are read at most."""
        return self.page_records * self.most_pages


@dataclass(frozen=True, slots=True)
class Day:
    """What a day with so many messages takes; all of them have texts of their own."""

    messages: int
    figures: Figures

    @property
    def shards(self) -> int:
        """Mapped tasks."""
        return -(-self.messages // self.figures.shard_rows)

    def line(self) -> list[str]:
        """Return its line of the table."""
        figures, shards = self.figures, self.shards
        counts = [
            self.messages,
            shards,
            -(-self.messages // figures.batch_rows),
            shards * figures.api_requests,
            shards * figures.state_rows,
        ]
        sizes = [figures.state_bytes, figures.xcom_list_bytes, figures.xcom_run_bytes, figures.slice_bytes]
        pages = -(-self.messages // figures.page_records)
        return [
            *(f"{count:,}" for count in counts),
            *(_size(shards * size) for size in sizes),
            f"{pages:,}",
            f"{self.messages:,}",
        ]


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1_000_000 else f"{count / 1e3:,.0f} kB"


DAY_HEAD = (
    "messages a day",
    "shards",
    "sends to the gateway",
    "requests to the API server",
    "state store rows",
    "state store",
    "XComs, ids as lists",
    "XComs, ids as runs",
    "XCom of `shards`",
    'pages of reports, `"sent"`',
    'questions, `"delivered"`',
)


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the report: begun and ended so many seconds after the kill."""

    began_s: float
    ended_s: float
    records: int


@dataclass(frozen=True, slots=True)
class KilledSend:
    """What the retry of a killed process does, while the account sends evenly at this volume."""

    messages_a_day: int
    figures: Figures

    @property
    def looks(self) -> list[Look]:
        """
        Simulate the looks at the report, up to the first one that may decide.

        Each reads all records from before the kill until its own beginning, as far as pages go. It may decide
        if the requests of the killed process are over by then. Later ones have more to read.
        """
        figures = self.figures
        looks: list[Look] = []
        asked: deque[float] = deque(maxlen=figures.questions_a_minute)
        now, pause_s = float(figures.first_look_s), figures.first_pause_s
        while not looks or looks[-1].began_s < figures.over_s:
            records = int((figures.before_s + now) * self.messages_a_day / DAY_S)
            pages = min(-(-records // figures.page_records), figures.most_pages)
            began_s, now = now, _ask(asked, figures.other_questions + pages, now)
            looks.append(Look(began_s, now, records))
            now = max(now, began_s + pause_s)
            pause_s = min(4 * pause_s, figures.longest_pause_s)
        return looks

    @property
    def is_settled(self) -> bool:
        """Whether the last look can read the report to its end, so that "not taken" may be believed."""
        return self.looks[-1].records <= self.figures.most_records

    def line(self) -> list[str]:
        """Return its line of the table."""
        looks = self.looks
        return [
            f"{self.messages_a_day:,}",
            f"{self.messages_a_day / DAY_S:,.0f}",
            f"{len(looks)}",
            f"{looks[-1].began_s:.0f} s",
            f"{looks[-1].records:,}",
            f"after {looks[-1].ended_s:.0f} s" if self.is_settled else "never: a person",
        ]


def _ask(asked: deque[float], questions: int, now: float) -> float:
    """Ask so many questions, as many a minute as there is room for; return when the last one is answered."""
    for _ in range(questions):
        if len(asked) == asked.maxlen:
            now = max(now, asked[0] + 60.0)
        asked.append(now)
    return now


KILLED_HEAD = (
    "messages a day, evenly",
    "a second",
    "looks at the report",
    "the last one after",
    "records that it has to read",
    "settled",
)
KILLED_VOLUMES = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 100_000_000)


def most_settled(figures: Figures, *, step: int = 10_000) -> int:
    """Return the volume up to which every killed send is settled."""
    volume = step
    while KilledSend(volume + step, figures).is_settled:
        volume += step
    return volume


def most_unknown(figures: Figures) -> int:
    """Return how much of other ledgers the time of a killed process's requests may hold, by the day."""
    return figures.most_unknown * DAY_S // (figures.before_s + figures.over_s)


def duration_lines(figures: Figures, messages: int) -> list[list[str]]:
    """Return how long so many messages take by the number of sends at once."""
    return [
        [f"{sends}", f"{rate:,}", f"{messages / rate / 3600:.1f} h", f"{rate * DAY_S / 1e6:,.0f} million"]
        for sends, rate in figures.messages_a_second
    ]


DURATION_HEAD = ("sends at once", "messages a second", "100 million take", "a day at most")


def limits(figures: Figures) -> list[tuple[str, int]]:
    """Return parts that have a measured or a fixed limit, and it in messages a day; the least one first."""
    unnoticed = replace(figures, first_look_s=figures.first_look_s + figures.unnoticed_s)
    fastest = max(rate for _, rate in figures.messages_a_second)
    found = [
        ("A killed process that sent personal texts: what is in doubt is settled", most_settled(figures)),
        ("A killed worker that sent personal texts: what is in doubt is settled", most_settled(unnoticed)),
        ("The same, beside personal texts of sends with ledgers of their own", most_unknown(figures)),
        ("Slices of one file, by Airflow's `max_map_length`", figures.most_slices * figures.shard_rows),
        ("Four sends at once on two cores", fastest * DAY_S),
    ]
    return sorted(found, key=lambda each: each[1])


LIMIT_HEAD = ("part", "messages a day, evenly")


def render(figures: Figures) -> str:
    """Return all tables as the page has them."""
    limit_lines = [[part, f"{most / 1e6:,.1f} million"] for part, most in limits(figures)]
    tables = [
        ("What a day takes", DAY_HEAD, [Day(volume, figures).line() for volume in VOLUMES]),
        ("Sends at once", DURATION_HEAD, duration_lines(figures, VOLUMES[-1])),
        ("A killed send", KILLED_HEAD, [KilledSend(volume, figures).line() for volume in KILLED_VOLUMES]),
        ("What gives way first", LIMIT_HEAD, limit_lines),
    ]
    return "\n".join(f"### {title}\n\n{_table(head, lines)}" for title, head, lines in tables)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables, and perhaps write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    options = parser.parse_args(argv)
    text = render(Figures())
    print(text, end="")
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        between = re.compile(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", re.DOTALL)
        PAGE.write_text(between.sub(lambda _: f"\n{text}\n", page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
