"""
A real Airflow for tests: from an empty database to the end of its last process.

It runs as in production: a scheduler with its executor, and on Airflow 3 an API server and a DAG processor,
each a process of its own that a test can kill. With Celery, workers run the tasks, each in a home of its own,
as on another machine. What Airflow knows is read from its database, which looks
alike on all versions; what it is to do is asked through its REST API, and on Airflow 2 through its command
line. DAGs, connections and gateways are the caller's.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import psutil
import sqlalchemy
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
POLL_S = 0.1
# All that is talked to is on this machine.
WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# With Airflow's own settings it takes five minutes until a dead worker is noticed. Here it takes 15 seconds:
# on a busy machine a scheduler or an API server that is alive may not answer for five.
_FAST = {
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "3",
}
_FAST_2 = _FAST | {
    "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
}
_FAST_3 = _FAST | {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
}


class StackError(Exception):
    """Airflow did not do what was waited for; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInstance:
    """A task of a run as it stands; ``pid`` is that of its latest try, which may have ended."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    pid: int | None


def airflow_version(python: Path | str) -> tuple[int, ...]:
    """Return the version of Airflow that a Python has: ``(3, 1)``."""
    code = "import importlib.metadata as m; print(m.version('apache-airflow'))"
    version = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout
    return tuple(int(number) for number in version.split(".")[:2])


def postgres_server() -> URL | None:
    """Return the PostgreSQL server at ``$P2PSMS_PG``, or else on this machine; ``None`` if none answers."""
    url = make_url(os.environ.get("P2PSMS_PG") or POSTGRES).set(drivername="postgresql+psycopg2")
    try:
        with _connect(url, connect_timeout=3):
            return url
    except (ImportError, SQLAlchemyError):
        return None


class AirflowStack:
    """
    ``with AirflowStack(dags) as airflow:`` has it running inside the block.

    :param dags: a folder of DAG files; read once, when Airflow starts.
    :param python: the Python of an environment with Airflow; by default the caller's.
    :param env: more environment for all of Airflow: connections, settings.
    :param database: which kind; by default PostgreSQL where a server answers, otherwise SQLite.
    :param triggerer: whether a triggerer runs, too.
    :param workers: how many Celery workers run the tasks (Airflow 3 on PostgreSQL); without any, the
        scheduler runs them itself. ``env`` names the broker: ``AIRFLOW__CELERY__BROKER_URL``.
    :param slots: how many tasks a worker runs at once.
    """

    def __init__(
        self,
        dags: Path,
        *,
        python: Path | str = sys.executable,
        env: Mapping[str, str] | None = None,
        database: Literal["postgresql", "sqlite"] | None = None,
        triggerer: bool = False,
        workers: int = 0,
        slots: int = 2,
    ) -> None:
        self._has_triggerer = triggerer
        self.workers = [f"worker-{number}" for number in range(1, workers + 1)]
        self._slots = slots
        self._log_sizes: dict[str, int] = {}
        self.version = airflow_version(python)
        self.home = Path(tempfile.mkdtemp(prefix="p2psms-stack-"))
        self._dags = dags
        self._python = str(python)
        self._database = _Database(self.home, None if database == "sqlite" else postgres_server())
        if database == "postgresql" and not self._database.server:
            raise StackError("No PostgreSQL server answers.")
        self._processes = _Processes(self.home)
        self._env = _own_environment(python) | self._settings() | dict(env or {})
        self._api: _Api | None = None
        self._schedulers = self._runs = self._starts = 0

    def __enter__(self) -> Self:
        try:
            self._database.create()
            self._cli("db", "migrate")
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        version = ".".join(map(str, self.version))
        return f"{version} on {self._database.url.get_backend_name()}"

    def close(self) -> None:
        """End every process and remove the database and the home."""
        self._processes.end_all()
        self._database.drop()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG, as soon as Airflow has read it; return its id."""
        self._runs += 1
        run_id = f"run_{self._runs}"
        self.wait_for(f"the DAG {dag_id}", lambda: self._is_read(dag_id))
        if self._api:
            body = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}}
            self._api.send("POST", f"/dags/{dag_id}/dagRuns", body)
        else:
            self._cli("dags", "trigger", "--run-id", run_id, "--conf", json.dumps(conf or {}), dag_id)
        return run_id

    def wait(self, run_id: str, *, timeout_s: float = 300) -> str:
        """Wait for a run to end; return its state."""
        return str(self.wait_for(f"{run_id} to end", lambda: self.final_state(run_id), timeout_s=timeout_s))

    def final_state(self, run_id: str) -> str | None:
        """Return how a run ended; ``None`` while it has not."""
        query = "SELECT state FROM dag_run WHERE run_id = :run AND state IN ('success', 'failed')"
        return next((row.state for row in self.sql(query, run=run_id)), None)

    def task_instances(self, run_id: str) -> list[TaskInstance]:
        """Return the tasks of a run."""
        query = "SELECT task_id, map_index, state, try_number, pid FROM task_instance WHERE run_id = :run"
        if self.version >= (3, 4):  # which keeps each try in a row of its own
            query = f"{query.replace('map_index', 'region_index AS map_index')} AND working_set"
        rows = self.sql(f"{query} ORDER BY 1, 2", run=run_id)
        return [TaskInstance(**row._mapping) for row in rows]

    def task_seconds(self, run_id: str, task_id: str) -> float:
        """Return how long a task took that has ended."""
        query = "SELECT duration FROM task_instance WHERE run_id = :run AND task_id = :task"
        return float(self.sql(query, run=run_id, task=task_id)[0].duration)

    def xcom(self, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task has returned; ``None`` if it has not."""
        query = "SELECT value FROM xcom WHERE run_id = :run AND task_id = :task AND key = :key"
        if self.version >= (3, 4):
            tries = "xcom_v2 JOIN task_instance ON task_instance.id = task_instance_id AND working_set"
            query = query.replace("xcom", tries)
        for row in self.sql(query, run=run_id, task=task_id, key=key):
            value = bytes(row.value) if isinstance(row.value, memoryview) else row.value
            # PostgreSQL reads a JSON column itself; on Airflow 2 it is a column of bytes.
            is_read = self._database.server and not isinstance(value, bytes)
            return value if is_read or isinstance(value, int) else json.loads(value)
        return None

    def clear(self, dag_id: str, run_id: str, task_id: str, *, keep_state: bool = True) -> None:
        """
        Clear a task, as the button in Airflow's pages does: it is to run again.

        :param keep_state: whether to keep its task state store, which Airflow 3.4 empties otherwise.
        """
        if self._api:
            body = {"dag_run_id": run_id, "task_ids": [task_id], "only_failed": False, "dry_run": False}
            choice = {"keep_task_state": keep_state} if self.version >= (3, 4) else {}
            self._api.send("POST", f"/dags/{dag_id}/clearTaskInstances", body | choice)
        else:
            query = "SELECT execution_date FROM dag_run WHERE run_id = :run"
            date = str(self.sql(query, run=run_id)[0].execution_date)
            dates = ["--start-date", date, "--end-date", date]
            self._cli("tasks", "clear", "--yes", "--task-regex", f"^{task_id}$", *dates, dag_id)

    def mark_failed(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Mark a task as failed, as the button in Airflow's pages does: a running one is to stop."""
        if not self._api:
            raise NotImplementedError("Airflow 2 does this through its web server alone.")
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._api.send("PATCH", path, {"new_state": "failed"})

    def links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str | None]:
        """Return the links that Airflow's pages show at a task."""
        if not self._api:
            raise NotImplementedError("Airflow 2 has them in its web server alone.")
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        links: dict[str, str | None] = self._api.send("GET", path, None)["extra_links"]
        return links

    # --- what has no method of its own

    @property
    def url(self) -> str:
        """Where the pages of Airflow 3 are."""
        return f"http://127.0.0.1:{self._port}"

    def api(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Make a request to Airflow's REST API (Airflow 3); ``path`` begins behind its version."""
        if not self._api:
            raise NotImplementedError("Airflow 2 has it in its web server alone.")
        return self._api.send(method, path, body)

    def sql(self, query: str, **values: object) -> list[Any]:
        """Ask Airflow's database, or change what it holds; return the rows."""
        return self._database.ask(query, values)

    # --- processes

    @property
    def scheduler(self) -> psutil.Process:
        """The scheduler, the executor's parent."""
        return self._processes.leaders["scheduler"]

    def task_process(self, run_id: str, task_id: str, *, try_number: int = 1) -> psutil.Process:
        """Return the process that runs a task's code, as soon as that try or a later one runs."""

        def running() -> psutil.Process | None:
            for task in self.task_instances(run_id):
                is_it = task.task_id == task_id and task.try_number >= try_number
                if is_it and task.state == "running" and task.pid:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        return psutil.Process(task.pid)
            return None

        found: psutil.Process = self.wait_for(f"try {try_number} of {task_id} to run", running)
        return found

    def supervisor(self, task_process: psutil.Process) -> psutil.Process:
        """Return the process that started a task, takes its calls and reports it alive."""
        parent = task_process.parent()
        if parent is None:
            raise StackError("The task has no process above it.")
        return parent

    def restart_scheduler(self) -> None:
        """
        Start a scheduler in the place of one that was killed.

        Its children live on and hold its connections open, and with them a lock that keeps every other
        scheduler waiting. In production the server drops them after a while; here they are dropped at once.
        """
        self._database.end_sessions(self._scheduler_name)
        self._start_scheduler()

    def kill_triggerer(self) -> None:
        """End the triggerer, and the process in which it runs triggers, with SIGKILL."""
        triggerer = self._processes.leaders["triggerer"]
        for process in (*triggerer.children(recursive=True), triggerer):
            self.kill(process)

    def start_triggerer(self) -> None:
        """Start a triggerer."""
        self._start_component("triggerer", "triggerer", "--skip-serve-logs")

    def kill_component(self, name: str) -> None:
        """End a component and all that descends from it with SIGKILL, as when its machine fails."""
        self._processes.kill_session(name)

    def start_worker(self, name: str) -> None:
        """Start one of ``workers``, in a home where nothing of another machine is."""
        home = self.home_of(name)
        own = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "TMPDIR": str(home / "tmp"),
        }
        if not home.exists():
            (home / "tmp").mkdir(parents=True)
            shutil.copytree(self._dags, home / "dags")
        # A file with the number of a worker that was killed would keep the next one from starting.
        self._starts += 1
        options = ["--celery-hostname", f"{name}@%h", "--concurrency", str(self._slots), "--skip-serve-logs"]
        options += ["--without-mingle", "--without-gossip", "--pid", f"{home}/{self._starts}.pid"]
        self._log_sizes[name] = len(self._log_of(name))
        self._start_component(name, "celery", "worker", *options, env=own)

    def home_of(self, worker: str) -> Path:
        """Return the home of one of ``workers``; it may be removed while that worker is down."""
        return self.home / "workers" / worker

    def wait_for_worker(self, name: str) -> None:
        """Wait until a worker takes tasks: one that finds no broker before that ends."""
        self.wait_for(f"{name} to be ready", lambda: " ready." in self._log_of(name)[self._log_sizes[name] :])

    def start_api_server(self) -> None:
        """Start an API server, where the last one was."""
        self._start_component(
            "api-server", "api-server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"
        )

    def wait_for_api_server(self) -> None:
        """Wait until the API server answers."""
        api = _Api(self.url)
        self.wait_for("the API server to answer", api.sign_in)
        self._api = api

    def _log_of(self, component: str) -> str:
        log = self.home / f"{component}.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def wait_for(self, what: str, ready: Callable[[], Any], *, timeout_s: float = 60) -> Any:
        """
        Ask until there is a true answer, and return it.

        :raises StackError: the time is up, or a component has ended by itself.
        """
        deadline = time.monotonic() + timeout_s
        while not (answer := ready()):
            if name := self._processes.ended():
                raise self.error(f"The {name} has ended.")
            if time.monotonic() > deadline:
                raise self.error(f"Waited {timeout_s:.0f} s for {what}.")
            time.sleep(POLL_S)
        return answer

    def kill(self, process: psutil.Process) -> None:
        """End a process with SIGKILL: no handler of its own runs."""
        self._processes.kill(process)

    def error(self, text: str) -> StackError:
        """Return an error that shows the logs when it is raised."""
        err = StackError(text)
        err.add_note(self.logs())
        return err

    def logs(self) -> str:
        """Return the end of each component's log and of the two latest tasks'."""
        tasks = sorted(self._logs_of_tasks("dag_id=*/**/*.log"), key=os.path.getmtime)
        return "\n".join(map(self._end_of_log, [*sorted(self.home.glob("*.log")), *tasks[-2:]]))

    def task_logs(self, run_id: str) -> str:
        """Return the end of the log of each try in a run."""
        return "\n".join(map(self._end_of_log, sorted(self._logs_of_tasks(f"*/run_id={run_id}/**/*.log"))))

    def _logs_of_tasks(self, pattern: str) -> Iterator[Path]:
        for home in (self.home, *map(self.home_of, self.workers)):
            yield from (home / "logs").glob(pattern)

    def _end_of_log(self, log: Path) -> str:
        text = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"--- the end of {log.relative_to(self.home)}", *text[-40:]])

    # --- how it starts

    def _settings(self) -> dict[str, str]:
        is_alone = self.version < (3,) and not self._database.server
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor" if is_alone else "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _text(self._database.url),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        if self.workers:
            settings |= {
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{_text(self._database.url)}",
                "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
                "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
                "AIRFLOW__CORE__PARALLELISM": str(self._slots * len(self.workers)),
            }
        return settings | (_FAST_2 if self.version < (3,) else _FAST_3 | self._settings_3())

    def _settings_3(self) -> dict[str, str]:
        self._port = _free_port()
        url = self.url
        asynchronous = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
        driver = asynchronous[self._database.url.get_backend_name()]
        return {
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": _text(self._database.url.set(drivername=driver)),
        }

    def _start(self) -> None:
        if self.version >= (3,):
            self.start_api_server()
            self._start_component("dag-processor", "dag-processor")
        self._start_scheduler()
        for worker in self.workers:
            self.start_worker(worker)
        if self.version >= (3,):
            self.wait_for_api_server()
        for worker in self.workers:
            self.wait_for_worker(worker)
        if self._has_triggerer:
            self.start_triggerer()

    def _start_scheduler(self) -> None:
        self._schedulers += 1
        self._start_component("scheduler", "scheduler", "--skip-serve-logs")

    @property
    def _scheduler_name(self) -> str:
        return f"scheduler-{self._schedulers}"

    def _start_component(self, name: str, *command: str, env: Mapping[str, str] | None = None) -> None:
        known_as = self._scheduler_name if name == "scheduler" else name
        # The name under which PostgreSQL lists its sessions.
        own = {"PGAPPNAME": known_as, **(env or {})}
        self._processes.start(name, [self._python, "-m", "airflow", *command], self._env | own)

    def _cli(self, *args: str) -> None:
        command = [self._python, "-m", "airflow", *args]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(
                f"airflow {' '.join(args[:2])} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
            )

    def _is_read(self, dag_id: str) -> bool:
        for broken in self.sql("SELECT stacktrace FROM import_error"):
            raise StackError(f"A DAG file cannot be imported:\n{broken.stacktrace}")
        return bool(self.sql("SELECT dag_id FROM serialized_dag WHERE dag_id = :dag", dag=dag_id))


class _Database:
    """A database that nobody else knows: on a PostgreSQL server, or a file in the home."""

    def __init__(self, home: Path, server: URL | None) -> None:
        self.server = server
        self._name = f"p2psms_{secrets.token_hex(6)}"
        self.url = (
            server.set(database=self._name) if server else URL.create("sqlite", database=f"{home}/airflow.db")
        )

    def create(self) -> None:
        if self.server:
            self._command(f"CREATE DATABASE {self._name}")

    def drop(self) -> None:
        if self.server:
            self._command(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")

    def end_sessions(self, application: str) -> None:
        if self.server:
            sessions = "FROM pg_stat_activity WHERE datname = :name AND application_name = :application"
            values = {"name": self._name, "application": application}
            self._command(f"SELECT pg_terminate_backend(pid) {sessions}", values)

    def ask(self, query: str, values: Mapping[str, object]) -> list[Any]:
        with _connect(self.url) as connection:
            return list(connection.execute(sqlalchemy.text(query), dict(values)))

    def _command(self, command: str, values: Mapping[str, object] | None = None) -> None:
        assert self.server
        with _connect(self.server) as connection:
            connection.execute(sqlalchemy.text(command), dict(values or {}))


class _Processes:
    """
    The components and all that descends from them.

    Each component leads a session of its own, which its descendants stay in when they are orphaned. A
    component that has ended is not waited for before the end, so that nobody else gets its session's number.
    """

    def __init__(self, home: Path) -> None:
        self.leaders: dict[str, psutil.Process] = {}
        self._home = home
        self._started: list[subprocess.Popen[bytes]] = []
        self._killed: set[int] = set()

    def start(self, name: str, command: list[str], env: Mapping[str, str]) -> None:
        with (self._home / f"{name}.log").open("ab") as log:
            running = subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True)
        self._started.append(running)
        self.leaders[name] = psutil.Process(running.pid)

    def kill(self, process: psutil.Process) -> None:
        self._killed.add(process.pid)
        process.kill()

    def kill_session(self, name: str) -> None:
        self._killed.add(self.leaders[name].pid)
        _end_sessions({self.leaders[name].pid})

    def ended(self) -> str | None:
        """Return the name of a component that has ended, and that nobody killed."""
        for name, leader in self.leaders.items():
            if leader.pid not in self._killed and leader.status() == psutil.STATUS_ZOMBIE:
                return name
        return None

    def end_all(self) -> None:
        _end_sessions({running.pid for running in self._started})
        for running in self._started:
            running.wait()


class _Api:
    """Airflow's REST API, as far as it is used here."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}

    def sign_in(self) -> bool:
        """Take a token, which this Airflow gives to everyone; false while it does not answer."""
        try:
            token = self._call("GET", "/auth/token", None)["access_token"]
        except (OSError, StackError):
            return False
        self._headers["Authorization"] = f"Bearer {token}"
        return True

    def send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """Make a request; ``StackError`` with Airflow's answer if it refuses."""
        return self._call(method, f"/api/v2{path}", None if body is None else json.dumps(body).encode())

    def _call(self, method: str, path: str, data: bytes | None) -> Any:
        request = urllib.request.Request(
            f"{self._url}{path}", data=data, headers=self._headers, method=method
        )
        try:
            with WITHOUT_PROXY.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as err:
            raise StackError(f"{method} {path}: {err.code} {err.read()[:1000]!r}") from err


@contextlib.contextmanager
def _connect(url: URL, **options: object) -> Iterator[sqlalchemy.engine.Connection]:
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", connect_args=options)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _end_sessions(sessions: set[int]) -> None:
    while alive := [process for process in psutil.process_iter() if _is_of(process, sessions)]:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()  # there is nothing here that anybody wants to keep
        time.sleep(POLL_S)


def _is_of(process: psutil.Process, sessions: set[int]) -> bool:
    try:
        return os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.NoSuchProcess):
        return False


def _own_environment(python: Path | str) -> dict[str, str]:
    """Return the caller's environment without its Airflow and its proxies, and with that Python first."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    path = f"{Path(python).parent}{os.pathsep}{env.get('PATH', '')}"
    return env | {"PATH": path, "no_proxy": "*", "NO_PROXY": "*"}


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
