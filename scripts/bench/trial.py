"""One trial: a contender in a process of its own, timed by itself and weighed from outside."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TRIALS = 5
_high_water = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE).search


@dataclass(frozen=True)
class Trial:
    """
    How long a contender worked, and the most memory that its process and its largest child ever held.

    Its imports are over before the clock starts; what its first call loads is not.
    """

    seconds: float
    peak_mb: float


def run(contender: str, *args: object, python: str = sys.executable) -> Trial:
    """Run a contender (a function of ``contenders`` by name) once."""
    command = [python, "-m", "scripts.bench.contenders", contender, *map(str, args)]
    children: dict[str, int] = {}
    over = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        watch = threading.Thread(target=_weigh_children, args=(process.pid, children, over))
        watch.start()
        said = process.stdout.read() if process.stdout else ""
        over.set()
        watch.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{contender} failed; its error stands above.")
    peak_kb = usage.ru_maxrss + max(children.values(), default=0)
    return Trial(json.loads(said.splitlines()[-1])["seconds"], peak_kb / 1024)


def _weigh_children(pid: int, children: dict[str, int], over: threading.Event) -> None:
    """Note the most memory that each child has held so far, in kB, without taking time from anybody."""
    while not over.wait(0.1):
        with suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split():
                children[child] = memory_of(child, parent=pid) or children.get(child, 0)


def memory_of(child: str | int, *, parent: int) -> int:
    """
    Return the most memory that a child has held, in kB.

    0 between its fork and its exec: until then the memory that it shows is its parent's. Not its
    ``ru_maxrss``, which begins with what its parent held when it was started.
    """
    if _command(child) == _command(parent):
        return 0
    found = _high_water(Path(f"/proc/{child}/status").read_text("utf-8"))
    return int(found[1]) if found else 0


def _command(process: str | int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def in_turns(contenders: Sequence[Callable[[], Trial]], *, trials: int = TRIALS) -> list[list[Trial]]:
    """Run contenders in turns, so that what else the machine does befalls all of them."""
    rounds = [[contender() for contender in contenders] for _ in range(trials)]
    return [list(column) for column in zip(*rounds, strict=True)]


def side_by_side(contender: Callable[[], Trial], *, trials: int = TRIALS) -> list[Trial]:
    """Run the trials of a contender at once, which is fair where it does nothing but wait."""
    with ThreadPoolExecutor(trials) as pool:
        return list(pool.map(lambda _: contender(), range(trials)))


def seconds(trials: Sequence[Trial]) -> float:
    """Return the median."""
    return median(trial.seconds for trial in trials)


def ratio(ours: Sequence[Trial], theirs: Sequence[Trial]) -> float:
    """Return the median of ours divided by theirs, each pair of the same turn."""
    return median(one.seconds / other.seconds for one, other in zip(ours, theirs, strict=True))
