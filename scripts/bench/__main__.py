"""
`make bench`: how fast, how large and how soon, each as a ratio to what people write today, in the same run.

Contenders run in processes of their own, in turns, and each figure is a median of five; the gateway is a
process of its own, too (`gateway.py`). Prints one table in Markdown; `--write` puts it into
`docs/benchmarks.md`, with the machine and the versions. `--short` runs all of it with small numbers: it shows
that the bench works, and its figures mean nothing.
"""

import argparse
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import linear_regression, median

from scripts.bench import in_airflow
from scripts.bench.gateway import Running, gateway
from scripts.bench.line import Line
from scripts.bench.rows import write_csv, write_xlsx
from scripts.bench.trial import Trial, in_turns, ratio, run, seconds, side_by_side

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN = "<!-- Written by `make bench`: change nothing between here and the end mark. -->\n"
END = "<!-- The end of what `make bench` writes. -->\n"
PACKAGES = (
    "aiohttp",
    "apache-airflow",
    "apache-airflow-providers-http",
    "boto3",
    "orjson",
    "pandas",
    "phonenumbers",
    "requests",
    "twilio",
)
PEERS = {
    "requests_each": "requests, one request a recipient",
    "http_hook": "`HttpHook`",
    "twilio": "Twilio SDK",
    "boto3_sns": "boto3, SNS",
}
DAG_FILE = """
from airflow.sdk import DAG
{imports}
with DAG("notify", schedule=None):
    {task}
"""
# What stands in a DAG file of each; ours first.
DAG_FILES = {
    "ours": (
        "from airflow_provider_p2psms.operators.sms import PeerToPeerSMSOperator",
        'PeerToPeerSMSOperator(task_id="a", messages=[], text="Dear {name}")',
    ),
    "http": (
        "from airflow.providers.http.operators.http import HttpOperator",
        'HttpOperator(task_id="a", endpoint="/")',
    ),
    "slack": (
        "from airflow.providers.slack.operators.slack import SlackAPIPostOperator",
        'SlackAPIPostOperator(task_id="a", channel="#a", text="b")',
    ),
    "amazon (SNS)": (
        "from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator",
        'SnsPublishOperator(task_id="a", target_arn="a", message="b")',
    ),
    "smtp": (
        "from airflow.providers.smtp.operators.smtp import EmailOperator",
        'EmailOperator(task_id="a", to="a@example.com", subject="b", html_content="c")',
    ),
}


@dataclass(frozen=True)
class Sizes:
    """How much of everything; the short form's figures mean nothing."""

    rows: int = 1_000_000
    singles: int = 2_000
    growth: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    workbook: int = 100_000
    trials: int = 5


SHORT = Sizes(rows=5_000, singles=50, growth=(100, 1_000, 5_000), workbook=500, trials=1)


def main() -> int:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--short", action="store_true", help="small numbers: shows that it works")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    which.add_argument("--airflow", action="store_true", help="only what takes a real Airflow to measure")
    options = parser.parse_args()
    sizes, start = SHORT if options.short else Sizes(), time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p2psms-bench-")))
        fast, slow = stack.enter_context(gateway()), stack.enter_context(gateway(latency_s=0.05))
        lines = []
        lines_of = partial(measure_all, sizes, folder, fast, slow)
        for line in (in_airflow.measure if options.airflow else lines_of)(short=options.short):
            say(f"{time.monotonic() - start:6.0f} s  {line.what}: {line.figure}")
            lines.append(line)
    text = "\n".join([*render(lines), "", how_it_was_made(sizes, only_airflow=options.airflow)])
    print(text)
    if options.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


def say(words: str) -> None:
    """Tell the person who called; the output itself is the table alone."""
    print(words, file=sys.stderr, flush=True)


def measure_all(sizes: Sizes, folder: Path, fast: Running, slow: Running, *, short: bool) -> Iterator[Line]:
    """Measure line by line."""
    yield from against_a_loop(sizes, folder, fast, slow)
    yield from against_singles(sizes, folder, fast, slow)
    yield from memory_and_growth(sizes, folder, fast)
    yield from checks(sizes, folder)
    yield from imports(sizes)
    yield from in_airflow.measure(short=short)


def against_a_loop(sizes: Sizes, folder: Path, fast: Running, slow: Running) -> Iterator[Line]:
    """Send personal rows from a CSV, against csv.reader and requests in a loop that checks nothing."""
    for language, words in (("fa", "Persian"), ("en", "English")):
        path = write_csv(folder, sizes.rows, language)
        ours, loop, strongest, bound = in_turns(
            [
                partial(run, "ours", path, fast.url),
                partial(run, "loop", path, fast.url),
                partial(run, "strongest", path, fast.url),
                partial(run, "prepared", sizes.rows, fast.url),
            ],
            trials=sizes.trials,
        )
        yield Line(
            f"{sizes.rows:,} {words} rows, checked and recorded: wall time of a loop that checks nothing",
            f"{ratio(ours, loop):.2f}",
            "0.7; at most 1.0",
            f"{seconds(ours):.2f} s to {seconds(loop):.2f} s; ready bytes take {seconds(bound):.2f} s",
        )
        yield Line(
            f"{sizes.rows:,} {words} rows, checked and recorded: wall time of the strongest sender",
            f"{ratio(ours, strongest):.2f}",
            "",
            f"{seconds(ours):.2f} s to {seconds(strongest):.2f} s",
        )
        ours, loop, strongest = in_turns(
            [
                partial(run, "ours", path, slow.url, 8),
                partial(run, "loop", path, slow.url),
                partial(run, "strongest", path, slow.url, 8),
            ],
            trials=sizes.trials,
        )
        yield Line(
            f"{sizes.rows:,} {words} rows at 50 ms an answer, 8 in flight: times as fast as the loop",
            f"{1 / ratio(ours, loop):.1f}",
            "at least 6",
            f"{seconds(ours):.2f} s to {seconds(loop):.2f} s",
        )
        yield Line(
            f"{sizes.rows:,} {words} rows at 50 ms an answer, 8 in flight: wall time of the strongest sender",
            f"{ratio(ours, strongest):.2f}",
            "",
            f"{seconds(ours):.2f} s to {seconds(strongest):.2f} s",
        )


def against_singles(sizes: Sizes, folder: Path, fast: Running, slow: Running) -> Iterator[Line]:
    """Send to as many recipients one request each, as is usual."""
    path = write_csv(folder, sizes.singles)
    contenders = ["ours", *PEERS]
    ours, *peers = in_turns([partial(run, name, path, fast.url) for name in contenders], trials=sizes.trials)
    for words, peer in zip(PEERS.values(), peers, strict=True):
        yield _singles_line(sizes, words, "no latency", ours, peer)
    (ours,) = in_turns([partial(run, "ours", path, slow.url)], trials=sizes.trials)
    for name, words in PEERS.items():
        peer = side_by_side(partial(run, name, path, slow.url), trials=sizes.trials)
        yield _singles_line(sizes, words, "50 ms", ours, peer)


def _singles_line(sizes: Sizes, words: str, latency: str, ours: list[Trial], peer: list[Trial]) -> Line:
    return Line(
        f"{sizes.singles:,} recipients, {latency}: times as fast as {words}",
        f"{1 / ratio(ours, peer):.0f}",
        "",
        f"{seconds(ours):.2f} s to {seconds(peer):.2f} s",
    )


def memory_and_growth(sizes: Sizes, folder: Path, fast: Running) -> Iterator[Line]:
    """Send more and more rows: what each adds to the process, and how the time grows."""
    (alone,) = in_turns([partial(run, "ours", write_csv(folder, 1), fast.url)], trials=sizes.trials)
    least = median(trial.peak_mb for trial in alone)
    times = []
    for rows in sizes.growth:
        (trials,) = in_turns([partial(run, "ours", write_csv(folder, rows), fast.url)], trials=sizes.trials)
        times.append(seconds(trials))
        added = median(trial.peak_mb for trial in trials) - least
        yield Line(
            f"{rows:,} rows: MB added to the peak memory of a task that sends one",
            f"{added:.0f}",
            {100_000: "at most 60", 1_000_000: "at most 200"}.get(rows, ""),
            f"{added * 2**20 / rows:,.0f} bytes a row; {times[-1]:.2f} s",
        )
    # Where it takes hardly more than one row does, there is nothing to see of its growth.
    beyond = [
        (math.log(rows), math.log(each - seconds(alone)))
        for rows, each in zip(sizes.growth, times, strict=True)
        if each > 1.2 * seconds(alone)
    ]
    yield Line(
        f"{sizes.growth[0]:,} to {sizes.growth[-1]:,} rows: exponent of the time beyond that of one row",
        f"{linear_regression(*zip(*beyond, strict=True)).slope:.2f}" if len(beyond) > 1 else "not seen",
        "1 is a line",
        f"one row takes {seconds(alone):.2f} s",
    )


def checks(sizes: Sizes, folder: Path) -> Iterator[Line]:
    """Check files against pandas with phonenumbers."""
    for path in (write_csv(folder, sizes.rows), write_xlsx(folder, sizes.workbook)):
        ours, pandas = in_turns(
            [partial(run, "check", path), partial(run, "pandas_check", path)], trials=sizes.trials
        )
        rows = sizes.rows if path.suffix == ".csv" else sizes.workbook
        yield Line(
            f"checking {rows:,} rows of {path.suffix[1:].upper()}: times as fast as pandas and phonenumbers",
            f"{1 / ratio(ours, pandas):.1f}",
            "",
            f"{seconds(ours):.2f} s to {seconds(pandas):.2f} s",
        )


def imports(sizes: Sizes) -> Iterator[Line]:
    """Parse a DAG file with one operator of each provider."""
    sources = [DAG_FILE.format(imports=imports, task=task) for imports, task in DAG_FILES.values()]
    ours, *others = in_turns(
        [partial(run, "parse_dag", source) for source in sources], trials=max(sizes.trials, 1)
    )
    for name, other in zip(list(DAG_FILES)[1:], others, strict=True):
        yield Line(
            f"parsing a DAG file behind `airflow.sdk`: part of what the {name} provider's operator takes",
            f"{ratio(ours, other):.2f}",
            "below 1; at most 15 ms",
            f"{seconds(ours) * 1e3:.1f} ms to {seconds(other) * 1e3:.1f} ms",
        )


def render(lines: list[Line]) -> Iterator[str]:
    """Write the table."""
    yield "| what | figure | goal | measured |"
    yield "| --- | ---: | --- | --- |"
    for line in lines:
        yield f"| {line.what} | **{line.figure}** | {line.goal} | {line.measured} |"


def how_it_was_made(sizes: Sizes, *, only_airflow: bool) -> str:
    """Name what the figures depend on."""
    turns = f"medians of {sizes.trials} turns, of three for a campaign in Airflow"
    command = "make bench-airflow" if only_airflow else "make bench"
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"`{command}`, {turns}, on {os.cpu_count()} cores ({_cpu()}), {memory:.0f} GB, "
        f"{platform.system()}, Python {platform.python_version()}. {versions}.\n"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
