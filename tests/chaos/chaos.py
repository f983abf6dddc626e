"""
`make chaos`: kill sends at random instants, again and again, under a failing gateway; count what arrived.

A trial is one send of 200 batches, JSON or file. Its tries end by SIGKILL at a random instant, or stand
still (SIGSTOP) while their successors run, and go on later. Meanwhile the gateway fails in all its ways, its
reports have habits drawn at random, others send from the same account, and from try to try rows are added and
put into another order and other batches. A last try is left in peace, and retried as Airflow would.

Whatever the reports are like, nothing may arrive twice, and each message is named in the outcomes as what it
is. How many sends end by themselves and how many for a person depends on the reports, and is counted.

Reports lie about order in none of these trials (each message late by a time of its own): then a later message
proves nothing about an earlier one (docs/ledger.md, "What remains").

Each trial's choices come from the seed and its number; the instants within a batch are the machine's.
"""

import argparse
import http.client
import itertools
import json
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, Self

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.faults import FAULTS, SEND_PATH
from airflow_provider_p2psms.sending.times import Times
from tests.chaos.child import SENDER, TOKEN, Pace, Row, Try, clean_processes, warm_up
from tests.chaos.habits import Reports, draw_reports

BATCHES, BATCH_SIZE = 200, 5
MOST_DISTURBED = 6
LAST_TRIES = 3
# Long enough for a busy machine: the protocol rests on a gateway that takes nothing after all of this. The
# gateway's clock is known to about a second, so less skew would be believed too early.
TIMES = Times(
    start_within_s=1.5,
    linger_s=0.3,
    skew_s=1.2,
    patience_s=3.0,
    poll_every_s=0.2,
    poll_at_least_every_s=1.0,
    questions=10_000,
)
# So long may a try take that nobody disturbs, and one that was woken.
PATIENCE_S = 120.0

REFUSALS = [name for name in FAULTS if name.startswith("refuse_")] + ["status_false", "redirect"]
DOUBTS = [name for name in FAULTS if name not in REFUSALS]
REPORT_FAULTS = ["500_before", "502_html", "garbage", "not_utf8", "truncated", "cut_before_answer", "slow"]
REPORT_PATHS = ["/api/report/new_list", "/api/report/recipients"]

# Letters, digits, signs and spaces that reports are known to show in another way.
TEXTS = [
    "Order {} has shipped.",
    "سفارش {} شما ارسال شد.\nکد پیگیری: ۱۲۳۴",
    "مشتری گرامی، سفارش {} آماده‌ی تحویل است؛ سپاس از «خرید» شما",
    'Dear customer, your order {} is "ready" & paid...  Thank you!\nShop <A>',
]

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
    reports: Reports
    form: Form
    duplicate_window_s: float
    latency_s: float
    others_every_s: float
    text: str
    disturbances: list[Disturbance]
    rows: list[Row] = field(repr=False)

    @classmethod
    def draw(cls, seed: int, number: int, reports: Literal["on", "off", "both"]) -> Self:
        dice = Dice(f"{seed}/{number}")
        text = dice.choice(TEXTS)
        rows, disturbances = list(_draw_rows(dice, text)), []
        for _ in range(dice.randint(1, MOST_DISTURBED)):
            disturbances.append(Disturbance.draw(dice, rows))
            rows = _change_rows(dice, rows)
        return cls(
            number=number,
            # Every fifth does without; dice of their own, so that all else stays the same.
            reports=draw_reports(
                Dice(f"{seed}/{number}/reports"),
                has_any={"on": True, "off": False, "both": number % 5 != 4}[reports],
            ),
            form=dice.choice(["json", "file"]),
            # The gateway's own rule against repeats would hide a duplicate.
            duplicate_window_s=dice.choice([0, 0, 0, 40]),
            latency_s=dice.choice([0, 0, 0.01, 0.02]),
            others_every_s=dice.choice([0, 0.4, 0.4, 1.0]),
            text=text,
            disturbances=disturbances,
            rows=rows,
        )


def _draw_fault(dice: Dice) -> dict[str, Any]:
    if dice.random() < 0.1:
        place: dict[str, Any] = {"path": dice.choice(REPORT_PATHS), "fault": dice.choice(REPORT_FAULTS)}
        return place | {"after": dice.randint(0, 5), "delay_s": 1.0}
    fault = dice.choice(DOUBTS if dice.random() < 0.85 else REFUSALS)
    return {"fault": fault, "after": dice.randint(0, BATCHES // 2), "delay_s": dice.uniform(0, 1)}


def _draw_rows(dice: Dice, text_of: str) -> Iterator[Row]:
    """Draw texts of one's own, texts for some at once, and rows that stand there twice."""
    row = ("", "")
    for place in range(BATCHES * BATCH_SIZE):
        kind = dice.random()
        if kind > 0.02 or not place:
            text = text_of.format(place) if kind > 0.3 else f"Notice {dice.randint(1, 20)}."
            row = f"+98912{place:07}", text
        yield row


def _change_rows(dice: Dice, rows: list[Row]) -> list[Row]:
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

    ``lost`` counts messages that did not arrive, and are named as accepted, or belong to a successful send.
    ``retried`` counts the last tries, not disturbed, whose error says that a later try goes on: reports show
    nothing new yet, or a machine that is too busy let requests come too late, and they did not leave.
    """

    number: int
    reports: Reports
    has_others: bool
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
    by_itself: int = 0
    for_a_person: int = 0
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
        """Run a try that nobody disturbs, and as Airflow would the next ones, where they may go on."""
        for retries_left in reversed(range(LAST_TRIES)):
            attempt, process = self._start(self.plan.rows, batch_size=BATCH_SIZE, max_in_flight=4)
            self._wait(process, PATIENCE_S)
            if attempt.said.get("error") not in {"UnreachableError", "UnsettledError"} or not retries_left:
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
            pace=Pace(
                connect_timeout_s=0.3,
                read_timeout_s=0.7,
                times=TIMES,
                report_lag_s=self.plan.reports.word_s,
            ),
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
        sends = [request for request in requests if request.path == SEND_PATH]
        outcome.faults = sum(request.fault is not None for request in requests)
        outcome.messages = len(named)
        outcome.accepted = sum(word == "accepted" for word in named.values())
        outcome.in_doubt = sum(word == "in_doubt" for word in named.values())
        outcome.by_itself = int("result" in last.said)
        outcome.for_a_person = 1 - outcome.by_itself
        # Where the gateway's rule against repeats is on it answers 429 to what would have been the second.
        outcome.twice = sum(arrived[row] - 1 for row in named if arrived[row]) + sum(
            request.status == 429 and request.fault is None for request in sends
        )
        not_there = [row for row in named if not arrived[row]]
        outcome.lost = sum("result" in last.said or named[row] == "accepted" for row in not_there)
        unnamed = sum(
            bool(arrived[row]) and word not in {"accepted", "in_doubt"} for row, word in named.items()
        )
        rules = {
            f"{outcome.twice} twice": not outcome.twice,
            f"{outcome.lost} lost": not outcome.lost,
            f"{unnamed} arrived, and are named as not sent": not unnamed,
            f"ended with {last.said}": self._end_fits(last),
            "rows without an outcome": set(named) == set(last.rows),
        }
        outcome.wrong += [rule for rule, kept in rules.items() if not kept]

    def _end_fits(self, last: Try) -> bool:
        outcome = self.outcome
        if "result" in last.said:
            return bool(outcome.accepted == outcome.messages == last.result["accepted"])
        return last.said.get("error") in {"OutcomeUnknownError", "UnsettledError"}


class Gateway:
    """A sandbox in a process of its own, so that a killed trial leaves nothing of it behind."""

    def __init__(self, plan: Plan) -> None:
        self._pipe, theirs = children.Pipe()
        options = {
            "duplicate_window_s": plan.duplicate_window_s,
            "latency_s": plan.latency_s,
            **plan.reports.habits,
        }
        self.process = children.Process(target=_serve, args=(theirs, options, plan), daemon=True)
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


def _serve(pipe: Connection, options: dict[str, Any], plan: Plan) -> None:
    with Sandbox(**options) as sandbox, suppress(EOFError):
        pipe.send(sandbox.base_url)
        if plan.others_every_s:
            threading.Thread(target=_send_as_others, args=(sandbox.base_url, plan), daemon=True).start()
        while True:
            name, arguments = pipe.recv()
            value = getattr(sandbox, name)
            pipe.send(value(**arguments) if callable(value) else value)


def _send_as_others(url: str, plan: Plan) -> None:
    """
    Send what other tasks of the account do, from the same line.

    Some texts are ours and go to others; a few other texts go to recipients of ours.
    """
    dice = Dice(f"others of {plan.number}")
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for place in itertools.count():
        kind = dice.random()
        recipient = f"+98936{place:07}" if kind > 0.02 else dice.choice(plan.rows)[0]
        text = dice.choice(plan.rows)[1] if kind > 0.8 else f"Alert {place}."
        body = {
            "sending_type": "peer_to_peer",
            "from_number": SENDER,
            "params": [{"recipients": [recipient], "message": text}],
        }
        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/api/send", json.dumps(body).encode(), headers)
        with suppress(OSError, http.client.HTTPException), without_proxy.open(request, timeout=2):
            pass
        time.sleep(plan.others_every_s)


def run_trial(plan: Plan) -> Outcome:
    """Run one trial in this process, which must have no thread: it forks."""
    outcome = Outcome(number=plan.number, reports=plan.reports, has_others=bool(plan.others_every_s))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="p2psms-chaos-") as name, Gateway(plan) as gateway:
        try:
            Trial(plan, Path(name), outcome, gateway).run()
        except Exception as err:  # noqa: BLE001 - one trial that cannot be judged is wrong; the others go on
            said = Path(name, f"said.{outcome.tries}.json")
            last = said.read_text(encoding="utf-8") if said.exists() else "nothing"
            outcome.wrong.append(f"no judgement: {err!r}; the last try said {last}")
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
    "by_itself",
    "for_a_person",
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
    """Return the counts, a line for each kind of reports."""
    kinds = dict.fromkeys(outcome.reports.kind for outcome in outcomes)
    lines = [f"{'reports':<22}" + "".join(f"{name.replace('_', ' '):>13}" for name in COLUMNS)]
    for kind in sorted(kinds):
        some = total(outcome for outcome in outcomes if outcome.reports.kind == kind)
        lines.append(f"{kind:<22}" + "".join(f"{number:>13,.0f}" for number in some.values()))
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
            _say(f"  Its reports: {outcome.reports}")
        elif len(outcomes) % 50 == 0:
            _say(f"{len(outcomes):,} trials after {time.monotonic() - began:,.0f} s")
    wrong, sums = sum(bool(outcome.wrong) for outcome in outcomes), total(outcomes)
    _say(f"\n{table(outcomes)}\n")
    _say(
        f"{len(outcomes):,} trials in {time.monotonic() - began:,.0f} s: {sums['twice']:,.0f} twice, "
        f"{sums['lost']:,.0f} lost in silence, {sums['by_itself']:,.0f} ended by themselves, "
        f"{sums['for_a_person']:,.0f} for a person; {wrong} broke a rule."
    )
    return 1 if wrong else 0


def _again(options: argparse.Namespace, outcome: Outcome) -> str:
    reports = "off" if outcome.reports.kind == "none" else "on"
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
