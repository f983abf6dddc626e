"""
`make chaos`: kill sends at random instants, again and again, under a failing gateway; count what arrived.

A trial is one send of 200 batches, JSON or file. Its tries end by SIGKILL at a random instant, or stand
still (SIGSTOP) while their successors run, and go on later. Meanwhile the gateway fails in all its ways, its
reports are late, and from try to try rows are added and put into another order and other batches. A last try
is left in peace, and then every message must have arrived exactly once. Where the gateway has no reports
nothing may have arrived twice, and what was not accepted must be named in the outcomes.

Each trial's choices come from the seed and its number; the instants within a batch are the machine's.
"""

import argparse
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, Self

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.faults import FAULTS
from tests.chaos.child import Pace, Row, Try, clean_processes, warm_up

BATCHES, BATCH_SIZE = 200, 5
MOST_DISTURBED = 6
LAST_TRIES = 3
# Long enough for a busy machine: the protocol rests on a gateway that takes nothing after all of this.
PACE = Pace(connect_timeout_s=0.3, read_timeout_s=0.7, start_within_s=1.5, skew_s=0.1, report_lag_s=0.4)
MOST_LAG_S = 0.25
# So long may a try take that nobody disturbs, and one that was woken.
PATIENCE_S = 120.0

REFUSALS = [name for name in FAULTS if name.startswith("refuse_")] + ["status_false", "redirect"]
DOUBTS = [name for name in FAULTS if name not in REFUSALS]
REPORT_FAULTS = ["500_before", "502_html", "garbage", "not_utf8", "truncated", "cut_before_answer", "slow"]
REPORT_PATHS = ["/api/report/new_list", "/api/report/recipients"]

Dice = random.Random
Form = Literal["json", "file"]

# Workers fork, and have no thread when they do.
children = multiprocessing.get_context("fork")


# --- what a trial does ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is done to one try: its faults, and after how long it is killed, or stands still and is woken."""

    rows: list[Row] = field(repr=False)
    batch_size: int
    max_in_flight: int
    faults: list[dict[str, Any]]
    strike: signal.Signals
    after_s: float
    asleep_s: float

    @classmethod
    def draw(cls, dice: Dice, rows: list[Row]) -> Self:
        return cls(
            rows=rows,
            batch_size=dice.choice([2, 5, 5, 5, 5, 8, 20]),
            max_in_flight=dice.randint(1, 8),
            faults=[_draw_fault(dice) for _ in range(dice.choice([0, 1, 1, 2, 3]))],
            strike=dice.choices([signal.SIGKILL, signal.SIGSTOP], [5, 1])[0],
            # At its beginning, while it settles what is in doubt, while it sends.
            after_s=dice.uniform(0, dice.choice([0.1, 0.5, 1.0, 2.5])),
            asleep_s=dice.uniform(0, dice.choice([0.5, 2.0, 5.0])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one trial does, drawn from the seed and its number."""

    number: int
    reports: bool
    form: Form
    duplicate_window_s: float
    report_lag_s: float
    latency_s: float
    disturbances: list[Disturbance]
    rows: list[Row] = field(repr=False)

    @classmethod
    def draw(cls, seed: int, number: int, reports: Literal["on", "off", "both"]) -> Self:
        dice = Dice(f"{seed}/{number}")
        rows, disturbances = list(_draw_rows(dice)), []
        for _ in range(dice.randint(1, MOST_DISTURBED)):
            disturbances.append(Disturbance.draw(dice, rows))
            rows = _mend_rows(dice, rows)
        return cls(
            number=number,
            # Every fifth does without; the choice is no part of the dice, so that all else stays the same.
            reports={"on": True, "off": False, "both": number % 5 != 4}[reports],
            form=dice.choice(["json", "file"]),
            # The gateway's own rule against repeats would hide a duplicate.
            duplicate_window_s=dice.choice([0, 0, 0, 40]),
            report_lag_s=dice.uniform(0, MOST_LAG_S),
            latency_s=dice.choice([0, 0, 0.01, 0.02]),
            disturbances=disturbances,
            rows=rows,
        )


def _draw_fault(dice: Dice) -> dict[str, Any]:
    if dice.random() < 0.1:
        place: dict[str, Any] = {"path": dice.choice(REPORT_PATHS), "fault": dice.choice(REPORT_FAULTS)}
        return place | {"after": dice.randint(0, 5), "delay_s": 1.0}
    fault = dice.choice(DOUBTS if dice.random() < 0.85 else REFUSALS)
    return {"fault": fault, "after": dice.randint(0, BATCHES // 2), "delay_s": dice.uniform(0, 1)}


def _draw_rows(dice: Dice) -> Iterator[Row]:
    """Draw texts of one's own, texts for some at once, and rows that stand there twice."""
    row = ("", "")
    for place in range(BATCHES * BATCH_SIZE):
        kind = dice.random()
        if kind > 0.02 or not place:
            text = f"Order {place} has shipped." if kind > 0.3 else f"Notice {dice.randint(1, 20)}."
            row = f"+98912{place:07}", text
        yield row


def _mend_rows(dice: Dice, rows: list[Row]) -> list[Row]:
    rows = list(rows)
    if dice.random() < 0.3:
        rows += [
            (f"+98935{dice.randrange(10**7):07}", f"Late order {place}.")
            for place in range(dice.randint(1, 40))
        ]
    if dice.random() < 0.5:
        dice.shuffle(rows)
    return rows


# --- what came of it --------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Outcome:
    """
    What came of a trial; ``wrong`` names the rules that it broke.

    ``retried`` counts the last tries that were not disturbed and did not reach the gateway in time: a machine
    that is too busy lets their requests come too late, and they do not leave.
    """

    number: int
    reports: bool
    trials: int = 1
    tries: int = 0
    kills: int = 0
    zombies: int = 0
    retried: int = 0
    faults: int = 0
    messages: int = 0
    accepted: int = 0
    twice: int = 0
    lost: int = 0
    in_doubt: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """A trial under way: its gateway, its tries, and those of them that stand still."""

    plan: Plan
    folder: Path
    outcome: Outcome
    gateway: "Gateway"
    asleep: list[tuple[float, BaseProcess]] = field(default_factory=list)

    def run(self) -> None:
        """Disturb all tries but the last, wait until nobody is left who could send, and judge."""
        for disturbance in self.plan.disturbances:
            self._disturb(disturbance)
        self.gateway.call("clear_faults")
        attempt, process = self._finish()
        self._wake(everyone=True)
        for each in (process, *children.active_children()):
            if each is not self.gateway.process:
                self._see_out(each)
        self._judge(attempt)

    def _finish(self) -> tuple[Try, BaseProcess]:
        """Run a try that nobody disturbs; where it finds no gateway, the next ones, as Airflow would."""
        for retries_left in reversed(range(LAST_TRIES)):
            attempt, process = self._start(self.plan.rows, batch_size=BATCH_SIZE, max_in_flight=4)
            self._wait(process, PATIENCE_S)
            if attempt.said.get("error") != "UnreachableError" or not retries_left:
                break
            self.outcome.retried += 1
        return attempt, process

    def _disturb(self, disturbance: Disturbance) -> None:
        for fault in disturbance.faults:
            self.gateway.call("order_fault", **fault)
        _, process = self._start(
            disturbance.rows, batch_size=disturbance.batch_size, max_in_flight=disturbance.max_in_flight
        )
        self._wait(process, disturbance.after_s)
        if not process.is_alive():
            return
        os.kill(process.pid or 0, disturbance.strike)
        if disturbance.strike is signal.SIGSTOP:
            self.outcome.zombies += 1
            self.asleep.append((time.monotonic() + disturbance.asleep_s, process))
        else:
            process.join()
            self.outcome.kills += process.exitcode == -signal.SIGKILL

    def _start(self, rows: list[Row], *, batch_size: int, max_in_flight: int) -> tuple[Try, BaseProcess]:
        self.outcome.tries += 1
        attempt = Try(
            rows=rows,
            form=self.plan.form,
            batch_size=batch_size,
            url=self.gateway.url,
            folder=self.folder,
            number=self.outcome.tries,
            max_in_flight=max_in_flight,
            pace=PACE,
        )
        process = children.Process(target=attempt.run)
        process.start()
        return attempt, process

    def _wait(self, process: BaseProcess, seconds: float) -> None:
        """Wait for the end of a process, and wake meanwhile those whose time has come."""
        until = time.monotonic() + seconds
        while process.is_alive() and (left := until - time.monotonic()) > 0:
            self._wake()
            next_wake = min((at for at, _ in self.asleep), default=until)
            process.join(min(left, max(0.0, next_wake - time.monotonic())))

    def _wake(self, *, everyone: bool = False) -> None:
        now = time.monotonic()
        for at, process in self.asleep:
            # It may have ended in the instant in which it was to stand still.
            if (everyone or at <= now) and process.is_alive():
                os.kill(process.pid or 0, signal.SIGCONT)
        self.asleep = [(at, process) for at, process in self.asleep if not (everyone or at <= now)]

    def _see_out(self, process: BaseProcess) -> None:
        process.join(PATIENCE_S)
        if process.is_alive():
            self.outcome.wrong.append("a try did not end")
            process.kill()
            process.join()
        elif process.exitcode:
            self.outcome.wrong.append(f"a try ended with exit code {process.exitcode}")

    # --- the count

    def _judge(self, last: Try) -> None:
        outcome, requests = self.outcome, self.gateway.call("requests")
        arrived = Counter((message.recipient, message.text) for message in self.gateway.call("arrived"))
        named = {
            row: line["outcome"]
            for row, line in zip(last.rows, last.outcomes, strict=True)
            if line["outcome"] != "duplicate"
        }
        outcome.faults = sum(request.fault is not None for request in requests)
        outcome.messages = len(named)
        outcome.accepted = sum(word == "accepted" for word in named.values())
        outcome.in_doubt = sum(word == "in_doubt" for word in named.values())
        # Where the gateway's rule against repeats is on it answers 429 to what would have been the second.
        outcome.twice = sum(number - 1 for number in arrived.values()) + sum(
            request.status == 429 and request.fault is None for request in requests
        )
        not_there = [row for row in named if not arrived[row]]
        # Without reports a message may stay unsent, if that is what the outcomes say.
        outcome.lost = sum(self.plan.reports or named[row] == "accepted" for row in not_there)
        unnamed = sum(named.get(row) not in {"accepted", "in_doubt"} for row in arrived)
        rules = {
            f"{outcome.twice} twice": not outcome.twice,
            f"{outcome.lost} lost": not outcome.lost,
            f"{unnamed} arrived, and are named as not sent": not unnamed,
            "not all accepted": outcome.accepted == outcome.messages or not self.plan.reports,
            f"ended with {last.said}": self._end_fits(last),
            "rows without an outcome": set(named) == set(last.rows),
        }
        outcome.wrong += [rule for rule, kept in rules.items() if not kept]

    def _end_fits(self, last: Try) -> bool:
        if self.outcome.accepted < self.outcome.messages:
            return last.said.get("error") == "OutcomeUnknownError"
        return "result" in last.said and last.said["result"]["accepted"] == self.outcome.messages


class Gateway:
    """A sandbox in a process of its own, so that a killed trial leaves nothing of it behind."""

    def __init__(self, plan: Plan) -> None:
        self._pipe, theirs = children.Pipe()
        options = {
            "reports": plan.reports,
            "duplicate_window_s": plan.duplicate_window_s,
            "report_lag_s": plan.report_lag_s,
            "latency_s": plan.latency_s,
        }
        self.process = children.Process(target=_serve, args=(theirs, options), daemon=True)
        self.process.start()
        theirs.close()
        self.url: str = self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self.process.kill()
        self.process.join()

    def call(self, name: str, **arguments: Any) -> Any:
        """Call a method of the sandbox, or read an attribute of it."""
        self._pipe.send((name, arguments))
        return self._pipe.recv()


def _serve(pipe: Connection, options: dict[str, Any]) -> None:
    with Sandbox(**options) as sandbox, suppress(EOFError):
        pipe.send(sandbox.base_url)
        while True:
            name, arguments = pipe.recv()
            value = getattr(sandbox, name)
            pipe.send(value(**arguments) if callable(value) else value)


def run_trial(plan: Plan) -> Outcome:
    """Run one trial in this process, which must have no thread: it forks."""
    outcome, began = Outcome(number=plan.number, reports=plan.reports), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="p2psms-chaos-") as name, Gateway(plan) as gateway:
        try:
            Trial(plan, Path(name), outcome, gateway).run()
        except Exception as err:  # noqa: BLE001 - one trial that cannot be judged is wrong; the others go on
            outcome.wrong.append(f"no judgement: {err!r}")
        finally:
            for process in children.active_children():
                process.kill()
                process.join()
    outcome.seconds = time.monotonic() - began
    return outcome


# --- many of them -----------------------------------------------------------------------------------------


def run_trials(numbers: Iterable[int], *, seed: int, jobs: int, reports: Any) -> Iterator[Outcome]:
    """Run trials, several at once: most of their time is waiting."""
    todo, done = clean_processes.SimpleQueue(), clean_processes.SimpleQueue()
    waiting = list(numbers)
    jobs = min(jobs, len(waiting))
    workers = [clean_processes.Process(target=_work, args=(todo, done, seed, reports)) for _ in range(jobs)]
    try:
        for worker in workers:
            worker.start()
        for number in [*waiting, *[None] * jobs]:
            todo.put(number)
        for _ in waiting:
            yield done.get()
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()


def _work(todo: Any, done: Any, seed: int, reports: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so its children are not left behind
    logging.disable()  # what a try says of its faults is of interest one trial at a time
    warm_up()
    while (number := todo.get()) is not None:
        done.put(run_trial(Plan.draw(seed, number, reports)))


COLUMNS = (
    "trials",
    "tries",
    "kills",
    "zombies",
    "retried",
    "faults",
    "messages",
    "accepted",
    "twice",
    "lost",
    "in_doubt",
    "seconds",
)


def total(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return the sums of all columns."""
    sums = dict.fromkeys(COLUMNS, 0.0)
    for outcome in outcomes:
        for name in COLUMNS:
            sums[name] += getattr(outcome, name)
    return sums


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the counts, with and without reports."""
    lines = ["reports " + "".join(f"{name.replace('_', ' '):>11}" for name in COLUMNS)]
    for word, reports in (("on", True), ("off", False)):
        some = [outcome for outcome in outcomes if outcome.reports is reports]
        if some:
            lines.append(f"{word:<8}" + "".join(f"{number:>11,.0f}" for number in total(some).values()))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run trials, print their table, and return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _parse(argv)
    numbers = range(options.trials) if options.trial is None else [options.trial]
    began, outcomes = time.monotonic(), list[Outcome]()
    for outcome in run_trials(numbers, seed=options.seed, jobs=options.jobs, reports=options.reports):
        outcomes.append(outcome)
        if outcome.wrong:
            _say(f"Trial {outcome.number} broke: {'; '.join(outcome.wrong)}. {_again(options, outcome)}")
        elif len(outcomes) % 50 == 0:
            _say(f"{len(outcomes):,} trials after {time.monotonic() - began:,.0f} s")
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    _say(f"\n{table(outcomes)}\n")
    _say(f"{len(outcomes):,} trials in {time.monotonic() - began:,.0f} s; {wrong} broke a rule.")
    return 1 if wrong else 0


def _again(options: argparse.Namespace, outcome: Outcome) -> str:
    reports = "on" if outcome.reports else "off"
    which = f"--seed {options.seed} --trial {outcome.number} --reports {reports}"
    return f"Again: python -m tests.chaos.chaos {which}"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a script as well


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=1_000, metavar="N", help="how many (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="S", help="all of them are drawn from it")
    add(
        "--jobs",
        type=int,
        default=4 * (os.cpu_count() or 1),
        metavar="J",
        help="at once (default: %(default)s)",
    )
    add("--trial", type=int, metavar="K", help="run only the one of this number")
    add("--reports", choices=["on", "off", "both"], default="both", help="whether the gateway has any")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
