"""
`make demo`: a real Airflow sends the rows of a CSV through a local gateway; what arrived is counted.

Exits with 0 only if every row arrived exactly once, with its own text. Everything it makes lies in ``.demo``.
"""

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
DEMO = ROOT / ".demo"
DAGS = ROOT / "example_dags"
ORDERS = DAGS / "data" / "orders.csv"
OUTBOX = DEMO / "outbox.sqlite"
AIRFLOW_LOG = DEMO / "airflow.log"
DAG = "p2psms_pipeline"
DEADLINE_S = 300

START = time.monotonic()


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


def main() -> int:
    """Run the demo and return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The demo talks to this machine alone, and a proxy does not lead there.
    os.environ |= {"no_proxy": "*", "NO_PROXY": "*"}
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    try:
        with sandbox() as connection_uri, airflow(connection_uri) as api:
            run_pipeline(api)
    except DemoError as err:
        show_logs()
        print(f"\nThe demo failed: {err}")
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130
    return report()


@contextlib.contextmanager
def sandbox() -> Iterator[str]:
    """Run the local gateway; give the connection that leads to it."""
    port_file = DEMO / "port"
    command = [
        "airflow_provider_p2psms.sandbox",
        "--port",
        "0",
        "--port-file",
        port_file,
        "--database",
        OUTBOX,
    ]
    with process([sys.executable, "-m", *command], log=DEMO / "sandbox.log") as gateway:
        wait_for("the sandbox to answer", port_file.exists, gateway)
        port = port_file.read_text(encoding="ascii")
        say(f"the sandbox, a local SMS gateway, answers on port {port}")
        yield f"p2psms://:sandbox-token@127.0.0.1:{port}/v1?from_number=%2B983000505"


@contextlib.contextmanager
def airflow(connection_uri: str) -> Iterator["Api"]:
    """Run a whole Airflow with a home and ports of its own; give its REST API."""
    api_port, *log_ports = free_ports(3)
    api = Api(f"http://127.0.0.1:{api_port}")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(DEMO / "airflow"),
        "AIRFLOW_CONN_P2PSMS_DEFAULT": connection_uri,
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        # The other examples have schedules, and are not to send beside this one.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api.url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(api_port),
        "AIRFLOW__API__BASE_URL": api.url,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    with process(["airflow", "standalone"], log=AIRFLOW_LOG, env=inherited | settings) as standalone:
        wait_for("Airflow to answer", api.sign_in, standalone)
        say(f"Airflow answers on port {api_port}")
        wait_for(f"Airflow to read the DAG {DAG}", lambda: api.get(f"/dags/{DAG}"), standalone)
        say(f"the DAG {DAG} is read")
        yield api


class Api:
    """The few requests to Airflow's REST API that are made here."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"Content-Type": "application/json"}

    def sign_in(self) -> bool:
        """Take a token, which this Airflow gives to everyone; false while it does not answer."""
        answer = self.call(f"{self.url}/auth/token")
        if answer:
            self.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return bool(answer)

    def get(self, path: str) -> Any:
        """Read from the API; ``None`` while it has nothing there."""
        return self.call(f"{self.url}/api/v2{path}")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Write to the API; ``None`` where it refuses."""
        return self.call(f"{self.url}/api/v2{path}", data=json.dumps(body).encode())

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change something; ``None`` where the API refuses."""
        return self.call(f"{self.url}/api/v2{path}", data=json.dumps(body).encode(), method="PATCH")

    def call(self, url: str, data: bytes | None = None, method: str | None = None) -> Any:
        """Make one request; ``None`` where there is no good answer."""
        request = urllib.request.Request(url, data, self.headers, method=method)  # noqa: S310 - this machine's
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None


def run_pipeline(api: Api) -> None:
    """Trigger the DAG for the CSV and see it through, task by task."""
    woken = api.patch(f"/dags/{DAG}", {"is_paused": False})
    run = api.post(f"/dags/{DAG}/dagRuns", {"logical_date": None, "conf": {"orders": str(ORDERS)}})
    if not (woken and run):
        raise DemoError(f"Airflow did not take the run of {DAG}.")
    path = f"/dags/{DAG}/dagRuns/{run['dag_run_id']}"
    say(f"a run for {ORDERS.relative_to(ROOT)} is triggered")
    finished: set[tuple[str, int]] = set()

    def over() -> bool:
        tasks = (api.get(f"{path}/taskInstances?limit=100") or {"task_instances": []})["task_instances"]
        for task in sorted(tasks, key=lambda task: task["end_date"] or ""):
            key = (task["task_id"], task["map_index"])
            if task["state"] in {"success", "failed", "skipped", "upstream_failed"} and key not in finished:
                finished.add(key)
                index = "" if task["map_index"] < 0 else f" [{task['map_index']}]"
                say(f"task {task['task_id']}{index}: {task['state']}")
        run.update(api.get(path) or {})
        return run["state"] in {"success", "failed"}

    wait_for("the run to end", over)
    if run["state"] != "success":
        raise DemoError(f"the run of {DAG} ended as {run['state']}.")


def report() -> int:
    """Compare what arrived with the rows of the CSV, and say so; 0 if each is there exactly once."""
    with ORDERS.open(encoding="utf-8") as file:
        orders = list(csv.DictReader(file))
    with contextlib.closing(sqlite3.connect(OUTBOX)) as db:
        arrived = db.execute(
            "SELECT outbox.id, recipient, text FROM messages JOIN outbox ON outbox.id = outbox_id"
            " ORDER BY messages.id"
        ).fetchall()
    texts = defaultdict(list)
    for _, recipient, text in arrived:
        texts[recipient[-10:]].append(text)
    own = [texts[order["mobile"].replace(" ", "")[-10:]] for order in orders]
    once = [len(got) == 1 and order["order_id"] in got[0] for order, got in zip(orders, own, strict=True)]
    exactly_once = all(once) and len(orders) == len(arrived)
    ids = sorted({outbox_id for outbox_id, _, _ in arrived}) or [0]

    print(f"\n  rows handed in     {len(orders):,}")
    print(f"  messages arrived   {len(arrived):,}")
    print(f"  each exactly once  {'yes' if exactly_once else 'NO'}")
    print(f"  outbox ids         {len(ids):,}, {ids[0]} to {ids[-1]}")
    for got in own[:3]:
        print(f"  text               {' | '.join(got)}")
    print(f"  seconds            {time.monotonic() - START:.0f}")
    print("  see them all       make demo-open")
    return 0 if exactly_once else 1


@contextlib.contextmanager
def process(
    command: list[Any], *, log: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process with its output in a file; end it and all that it started, whatever happens."""
    with log.open("wb") as output:
        # A session of its own keeps Ctrl-C to this script, which ends them in order.
        running = subprocess.Popen(command, stdout=output, stderr=output, env=env, start_new_session=True)
    try:
        yield running
    finally:
        end(running)


def end(running: subprocess.Popen[bytes]) -> None:
    """Ask the process and its children to end, and after a while end by force those that are left."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(running.pid)
        family = [root, *root.children(recursive=True)]
        for ask in ("terminate", "kill"):
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    getattr(one, ask)()
            _, family = psutil.wait_procs(family, timeout=3)
    running.wait()


def wait_for(what: str, ready: Any, running: subprocess.Popen[bytes] | None = None) -> None:
    """
    Ask until it is there.

    :raises DemoError: the demo's time is up, or the process that should bring it has ended.
    """
    while not ready():
        if running and running.poll() is not None:
            raise DemoError(f"waited for {what}, but the process ended with {running.returncode}.")
        if time.monotonic() - START > DEADLINE_S:
            raise DemoError(f"waited for {what}, but {DEADLINE_S} seconds are over.")
        time.sleep(0.3)


def free_ports(count: int) -> list[int]:
    """Name ports that nobody listens on at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def say(line: str) -> None:
    """Show progress."""
    print(f"{time.monotonic() - START:6.1f} s  {line}", flush=True)


def show_logs() -> None:
    """Show the end of each log that may tell what went wrong."""
    tasks = sorted((DEMO / "airflow" / "logs").glob(f"dag_id={DAG}/**/*.log"), key=os.path.getmtime)
    for log in [DEMO / "sandbox.log", AIRFLOW_LOG, *tasks[-1:]]:
        if log.exists():
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            print(f"\n--- the end of {log.relative_to(ROOT)}", *lines[-30:], sep="\n")


if __name__ == "__main__":
    sys.exit(main())
