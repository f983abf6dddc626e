"""
`make chaos-airflow`: kill what runs a send, let Airflow's own retry finish it, and count what arrived.

Each trial runs one send task in a real Airflow, against a local gateway that takes all it is offered (its
rule against repeats is off, so that a duplicate is seen). In the middle of the send it kills

* ``task``: the process that runs the task's code,
* ``supervisor``: the executor's process above it; the old task lives on, and nobody watches it,
* ``scheduler``: which comes back two seconds later; the old task and its supervisor live on,
* ``freeze``: nothing, but task and supervisor stand still until their own retry is sending.

Exits with 0 only if every message of every trial arrived exactly once. The same seed gives the same plan:
what is killed, under which operator, after how many batches. The instant within a batch is the machine's.
"""

import argparse
import contextlib
import csv
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from tests.stack import AirflowStack, StackError, TaskInstance, airflow_version

# What is killed, and the size of the batches: an old try that lives on needs enough of them before it (the
# gateway takes 20 a second) to meet its own retry.
KINDS = {"task": 25, "supervisor": 1, "scheduler": 1, "freeze": 5}
DAGS = Path(__file__).parent / "dags"
TASK = "send"
ROWS = 1_000
LATENCY_S = 0.2
REPORT_LAG_S = 1.0
SCHEDULER_AWAY_S = 2.0
# A try asks 30 questions a minute; many requests in doubt take some minutes of them.
TRIAL_TIMEOUT_S = 480


@dataclass(frozen=True, slots=True)
class Plan:
    """What one trial does."""

    seed: int
    what: str
    dag_id: str
    after_batches: int
    and_then_s: float

    @classmethod
    def draw(cls, seed: int, kinds: Sequence[str]) -> Self:
        """Draw the plan of a seed; kinds and operators take turns, so that a few trials see all."""
        dice = random.Random(seed)
        turn, place = divmod(seed, len(kinds))
        what, operator = kinds[place], ("json", "file")[(turn + place) % 2]
        return cls(
            seed=seed,
            what=what,
            dag_id=f"{operator}_by_{KINDS[what]}",
            after_batches=dice.randint(1, 30),
            and_then_s=dice.uniform(0, LATENCY_S),
        )


@dataclass(frozen=True, slots=True)
class Count:
    """How the messages that arrived differ from the rows handed in."""

    twice: int
    lost: int
    foreign: int


@dataclass(slots=True)
class Outcome:
    """
    What became of a trial.

    ``lived_s`` is how long the old try lived after the kill, ``beside_s`` how long of that beside its retry.
    ``history`` has a line for each change of the task's state after the kill.
    """

    plan: Plan
    killed_after: int = 0
    state: str = "none"
    tries: int = 1
    accepted: int = 0
    seconds: float = 0.0
    lived_s: float = 0.0
    beside_s: float = 0.0
    count: Count = Count(0, 0, 0)
    logs: str = ""
    history: list[str] = field(default_factory=list)

    @property
    def report(self) -> str:
        """Return what explains a wrong trial: the logs of the tries, then the history."""
        return "\n".join([self.logs, f"killed after {self.killed_after} batches", *self.history])

    @property
    def good(self) -> bool:
        """Whether every message arrived exactly once, and Airflow was told so."""
        return self.state == "success" and self.accepted == ROWS and self.count == Count(0, 0, 0)

    def line(self) -> str:
        """Return the trial's line of the table."""
        plan, count = self.plan, self.count
        return (
            f"{plan.seed:>5}  {plan.what:<10}  {plan.dag_id:<10}  {self.killed_after:>6}  {self.tries:>5}"
            f"  {self.seconds:>7.1f}  {self.lived_s:>5.1f}  {self.beside_s:>6.1f}  {count.twice:>5}"
            f"  {count.lost:>4}  {self.state}{'' if self.good else '  <-- WRONG'}"
        )


HEAD = " seed  killed      task        after   tries  seconds  lived  beside  twice  lost  ended as"


class Gateway:
    """The sandbox as a process of its own, and what it took, read from its database."""

    def __init__(self, folder: Path) -> None:
        self._database = folder / "outbox.sqlite"
        self._port_file = folder / "port"
        self._log = folder / "sandbox.log"

    def __enter__(self) -> Self:
        options = {
            "port": 0,
            "port-file": self._port_file,
            "database": self._database,
            "duplicate-window-s": 0,
            "latency-ms": LATENCY_S * 1000,
            "report-lag": REPORT_LAG_S,
        }
        command = [sys.executable, "-m", "airflow_provider_p2psms.sandbox"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        while not self._port_file.exists():
            if self._process.poll() is not None:
                raise StackError(f"The sandbox has ended:\n{self._log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def connection_uri(self) -> str:
        """The connection that leads here."""
        port = self._port_file.read_text(encoding="ascii")
        extras = "from_number=%2B983000505&connect_timeout=2&read_timeout=3"
        return f"p2psms://:sandbox-token@127.0.0.1:{port}/v1?{extras}"

    def batches(self) -> int:
        """Return how many sends have been taken."""
        with self._open() as db:
            query = "SELECT count(*) FROM requests WHERE taken AND path = '/api/send'"
            return int(db.execute(query).fetchone()[0])

    def arrived(self, prefix: str) -> Counter[tuple[str, str]]:
        """Count what arrived by recipient and text, where the text begins like that."""
        query = (
            "SELECT recipient, text FROM messages JOIN outbox ON outbox.id = outbox_id"
            " WHERE substr(text, 1, length(:prefix)) = :prefix"
        )
        with self._open() as db:
            return Counter(db.execute(query, {"prefix": prefix}).fetchall())

    def _open(self) -> contextlib.closing[sqlite3.Connection]:
        return contextlib.closing(sqlite3.connect(self._database))


class Send:
    """One run of a send task, from its rows to what arrived of them."""

    def __init__(
        self, airflow: AirflowStack, gateway: Gateway, folder: Path, *, dag_id: str, name: str
    ) -> None:
        self.dag_id = dag_id
        self._airflow = airflow
        self._gateway = gateway
        self._prefix = f"{name}: "
        self._rows = [
            (f"+98912{place:07}", f"{self._prefix}Dear customer {place}, your order has shipped.")
            for place in range(ROWS)
        ]
        self._before = gateway.batches()
        file = folder / f"{name}.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("recipient", "message"), *self._rows])
        self.run_id = airflow.trigger(dag_id, {"file": str(file)})
        self.process = airflow.task_process(self.run_id, TASK)
        self.supervisor = airflow.supervisor(self.process)

    def batches(self) -> int:
        """Return how many batches of this send have arrived."""
        return self._gateway.batches() - self._before

    def wait_for_batches(self, number: int) -> None:
        """Wait until that many batches have arrived."""
        deadline = time.monotonic() + TRIAL_TIMEOUT_S
        while self.batches() < number:
            if time.monotonic() > deadline or self.state:
                raise self._airflow.error(f"Waited for {number} batches; {self.batches()} arrived.")
            time.sleep(0.005)

    @property
    def state(self) -> str | None:
        """How the run ended; ``None`` while it has not."""
        return self._airflow.final_state(self.run_id)

    @property
    def task(self) -> TaskInstance:
        """The task as Airflow knows it now."""
        return self._airflow.task_instances(self.run_id)[0]

    def is_retry(self, task: TaskInstance) -> bool:
        """Tell whether another process than the first runs the task."""
        return task.state == "running" and task.pid not in {None, self.process.pid}

    @property
    def accepted(self) -> int:
        """How many recipients the task says the gateway took."""
        return int((self._airflow.xcom(self.run_id, TASK) or {}).get("accepted", 0))

    def count(self) -> Count:
        """Compare what arrived with the rows, message by message."""
        arrived = self._gateway.arrived(self._prefix)
        rows = set(self._rows)
        return Count(
            twice=sum(number - 1 for number in arrived.values()),
            lost=len(rows - arrived.keys()),
            foreign=len(arrived.keys() - rows),
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """An Airflow and a gateway for one trial after the other."""

    airflow: AirflowStack
    gateway: Gateway
    folder: Path

    def send(self, dag_id: str, name: str) -> Send:
        """Start a send; it returns when the task's process is there."""
        return Send(self.airflow, self.gateway, self.folder, dag_id=dag_id, name=name)

    def run_trial(self, plan: Plan) -> Outcome:
        """Start a send, kill in its middle, wait until nobody is left who could send, and count."""
        outcome = Outcome(plan)
        began = time.monotonic()
        send = self.send(plan.dag_id, f"Trial {plan.seed} of {plan.what} {began:.0f}")
        send.wait_for_batches(plan.after_batches)
        time.sleep(plan.and_then_s)
        outcome.killed_after = send.batches()
        killed = time.monotonic()
        self._kill(plan.what, send)
        self._watch(send, outcome, since=killed)
        outcome.seconds = time.monotonic() - began
        outcome.state = send.state or "not ended"
        outcome.tries, outcome.accepted, outcome.count = send.task.try_number, send.accepted, send.count()
        outcome.logs = self.airflow.task_logs(send.run_id)
        return outcome

    def _kill(self, what: str, send: Send) -> None:
        match what:
            case "task":
                self.airflow.kill(send.process)
            case "supervisor":
                self.airflow.kill(send.supervisor)
            case "scheduler":
                self.airflow.kill(self.airflow.scheduler)
                time.sleep(SCHEDULER_AWAY_S)
                self.airflow.restart_scheduler()
            case "freeze":
                self._freeze(send)

    def _freeze(self, send: Send) -> None:
        frozen = (send.supervisor, send.process)
        for process in frozen:
            process.suspend()
        time.sleep(LATENCY_S)  # what had left by then arrives
        arrived = send.batches()
        try:
            self.airflow.wait_for(
                "the retry to send", lambda: send.batches() > arrived or send.state, timeout_s=TRIAL_TIMEOUT_S
            )
        finally:
            for process in frozen:
                process.resume()

    def _watch(self, send: Send, outcome: Outcome, *, since: float) -> None:
        retry_since = last = None
        while (lives := _is_alive(send.process)) or not send.state:
            now = time.monotonic()
            task = send.task
            if task != last:
                last = task
                outcome.history.append(
                    f"{now - since:6.1f} s: try {task.try_number} is {task.state}, process {task.pid};"
                    f" {send.batches()} batches taken; the first process {'lives' if lives else 'has ended'}"
                )
            if retry_since is None and send.is_retry(task):
                retry_since = now
            if lives:
                outcome.lived_s = now - since
                outcome.beside_s = now - (retry_since or now)
            if now > since + TRIAL_TIMEOUT_S:
                return
            time.sleep(0.05)
        time.sleep(2 * LATENCY_S)  # what a dying process handed to its socket has arrived, too


@contextlib.contextmanager
def stage(python: Path | str = sys.executable, *, ledger_in_files: bool = False) -> Iterator[Stage]:
    """Have an Airflow and a gateway inside the block; before Airflow 3.3 the ledger lies in files anyway."""
    with tempfile.TemporaryDirectory(prefix="p2psms-chaos-") as name, Gateway(Path(name)) as gateway:
        env = {"AIRFLOW_CONN_P2PSMS_DEFAULT": gateway.connection_uri}
        if ledger_in_files or airflow_version(python) < (3, 3):
            env["AIRFLOW__P2PSMS__LEDGER_PATH"] = f"{name}/ledger"
        with AirflowStack(DAGS, python=python, env=env) as airflow:
            yield Stage(airflow, gateway, Path(name))


def main(argv: Sequence[str] | None = None) -> int:
    """Run trials and return the exit code."""
    options = _parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kinds = tuple(KINDS) if options.what == "all" else (options.what,)
    outcomes = []
    began = time.monotonic()
    with stage(options.airflow, ledger_in_files=options.ledger_in_files) as trials:
        say(f"Airflow {trials.airflow} is up after {time.monotonic() - began:.0f} s.\n\n{HEAD}")
        for seed in range(options.seed, options.seed + options.trials):
            outcomes.append(trials.run_trial(Plan.draw(seed, kinds)))
            say(outcomes[-1].line())
            if not outcomes[-1].good:
                say(outcomes[-1].report)
    twice = sum(outcome.count.twice for outcome in outcomes)
    lost = sum(outcome.count.lost for outcome in outcomes)
    wrong = sum(not outcome.good for outcome in outcomes)
    say(f"\n{len(outcomes)} trials of {ROWS:,} messages: {twice} twice, {lost} lost, {wrong} trials wrong.")
    return 1 if wrong else 0


def say(line: str) -> None:
    """Show progress at once."""
    print(line, flush=True)  # noqa: T201 - this is a script as well


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="S", help="the first trial's; each next takes the next number")
    add("--what", choices=(*KINDS, "all"), default="all", help="what is killed (default: all, in turns)")
    add("--airflow", default=sys.executable, metavar="PYTHON", help="the Python of the Airflow to run")
    add("--ledger-in-files", action="store_true", help="as before Airflow 3.3, where it is not asked for")
    return parser.parse_args(argv)


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


if __name__ == "__main__":
    sys.exit(main())
