"""
Airflow for the tests: a home of its own for every process, a migrated database, and DAG runs in process.

Airflow reads its settings once, when it is first imported, so they are made here at import.
"""

import contextlib
import fcntl
import functools
import gc
import importlib
import importlib.metadata
import inspect
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

with contextlib.suppress(ImportError):  # before pytest 9.2
    from _pytest.nodeid import NodeId

# A change is judged by inputs that are the same everywhere; `make explore` draws new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.register_profile("wide", max_examples=3_000, deadline=None)
hypothesis.settings.load_profile("fixed")

# Files with tests that take long, which would be waited for at the end.
BEGIN_WITH = {"test_machine.py", "test_kill_points.py", "test_bench.py", "test_walls.py"}
# The first DAG that a process runs takes a core ten seconds: if there are more processes, so many run DAGs.
AIRFLOW_PROCESSES = 3

AIRFLOW_VERSION = importlib.metadata.version("apache-airflow")
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="p2psms-airflow-"))

# What the developer's shell says about Airflow (settings, connections) and about proxies is not to reach the
# tests: all that they talk to is on this machine.
for name in [name for name in os.environ if name.startswith("AIRFLOW_") or name.lower().endswith("_proxy")]:
    del os.environ[name]
# Nor what it says about its terminal: a test whose output depends on that says so itself.
for name in ("COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)
os.environ |= {
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME}/airflow.db",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """
    Let the garbage collector pass over what collecting the tests has made.

    The tests, and Airflow's modules, stay until the end. To look through all of them again and again took a
    third of the time of a collection.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Leave nothing behind in the temporary folder."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """
    Keep the tests of one whole Airflow in one process.

    Where Airflow runs with all its libraries, the only warnings to fail are those about this package.
    Coverage is not measured there: it takes as long as all else, and the core has tests of its own.
    """
    if item.get_closest_marker("stack"):
        item.add_marker(pytest.mark.xdist_group(item.path.name))
    if item.get_closest_marker("airflow"):
        ours = r"error:::(airflow_provider_p2psms|(.*\.)?(test_|conftest))"
        item.add_marker(pytest.mark.filterwarnings("ignore", ours))
        item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """
    Let a few processes run Airflow for all (``--dist loadgroup``), and others begin with the longest tests.

    The tests of a file stay together. xdist hands out the largest groups first.
    """
    _leave_cases_to_proof(items)
    items.sort(key=lambda item: item.path.name not in BEGIN_WITH)
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > AIRFLOW_PROCESSES:
        _group_by_airflow([item for item in items if item.get_closest_marker("airflow")])
    yield
    # xdist 3.8 writes a test's group to an attribute that pytest 9.2 does not read: all groups were ignored.
    for item in items:
        if (grouped := getattr(item, "_nodeid", item.nodeid)) != item.nodeid:
            item._id = NodeId.parse(grouped)


def _leave_cases_to_proof(items: list[pytest.Item]) -> None:
    """Mark the cases of ``sampled`` tests that `make test` does not run: all but some, spread evenly."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("far"):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        marker = cases[0].get_closest_marker("sampled")
        assert marker
        for place, item in enumerate(cases):
            if place * marker.args[0] % len(cases) >= marker.args[0]:
                item.add_marker(pytest.mark.proof)


def _group_by_airflow(items: list[pytest.Item]) -> None:
    groups = dict.fromkeys((f"airflow {place}" for place in range(AIRFLOW_PROCESSES)), 0)
    for path, tests in Counter(item.path for item in items).most_common():
        smallest = min(groups, key=lambda group: groups[group])
        groups[smallest] += tests
        for item in items:
            if item.path == path and not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(smallest))


@pytest.fixture(autouse=True)
def _database_for_airflow(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("airflow"):
        request.getfixturevalue("airflow_database")


@pytest.fixture(scope="session")
def airflow_database(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Put a migrated database into this process's home.

    It is a copy of one that the first process of the first run migrates (10 seconds), kept in pytest's cache
    for all others; without a cache (`-p no:cacheprovider`), for those of the same run.
    """
    folder = f"airflow-{AIRFLOW_VERSION}"
    if cached := getattr(pytestconfig, "cache", None):
        cache = cached.mkdir(folder)
    else:
        workers = tmp_path_factory.getbasetemp()
        cache = (workers.parent if "PYTEST_XDIST_WORKER" in os.environ else workers) / folder
        cache.mkdir(exist_ok=True)
    migrated = cache / "airflow.db"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not migrated.exists():
            unfinished = cache / "unfinished.db"
            unfinished.unlink(missing_ok=True)
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{unfinished}"},
                check=True,
                capture_output=True,
            )
            unfinished.rename(migrated)
    return Path(shutil.copy(migrated, AIRFLOW_HOME / "airflow.db"))


@pytest.fixture(scope="session")
def _one_api_server() -> None:
    """Let all tasks share one API server, as Airflow 3.3 does; before, each took 2 seconds for its own."""
    with contextlib.suppress(ImportError):
        from airflow.sdk.execution_time import supervisor

        supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)


@pytest.fixture(scope="session")
def _log_of_a_task() -> None:
    """
    Let ``dag.test()`` of Airflow 3.0 log as its task processes do: from INFO on, without variables.

    It leaves structlog as it comes, which prints each XCom and secret that a task exchanges with Airflow.
    """
    if AIRFLOW_VERSION.startswith("3.0."):
        import structlog

        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.dev.ConsoleRenderer(
                    colors=False, exception_formatter=structlog.dev.plain_traceback
                ),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        )


@pytest.fixture
def run_dag(_one_api_server: None, _log_of_a_task: None) -> Callable[..., Any]:
    """
    Run a DAG in this process; gives its run, with the state and the task instances.

    A failed task fails the run and raises nothing. Connections and variables come from the environment.
    """

    def run(dag: Any, *, logical_date: Any = None, **kwargs: Any) -> Any:
        register(dag)
        # Airflow 2 called it the execution date.
        name = next(each for each in inspect.signature(dag.test).parameters if each.endswith("_date"))
        return dag.test(**{name: logical_date}, **kwargs)

    return run


@pytest.fixture
def kept(airflow_database: Path) -> Callable[..., str]:
    """Give what Airflow's database keeps of a DAG's tasks: ``rendered_fields``, or the ``value`` of XComs."""
    tables = {"rendered_fields": "rendered_task_instance_fields", "value": "xcom"}
    since_3_4 = {"rendered_fields": "rtif_v2", "value": "xcom_v2"}

    def read(column: str, dag_id: str, *, but_of: str = "") -> str:
        with contextlib.closing(sqlite3.connect(airflow_database)) as database:
            names = {name for (name,) in database.execute("select name from sqlite_master")}
            source = tables[column]
            if source not in names:
                table = since_3_4[column]
                source = f"{table} join task_instance on task_instance.id = {table}.task_instance_id"
            query = f"select {column} from {source} where dag_id = ? and task_id != ?"
            return str(database.execute(query, [dag_id, but_of]).fetchall())

    return read


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let send tasks wait as briefly as makes sense where all clocks are one and nobody counts questions."""
    return shorten_times(monkeypatch)


def shorten_times(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do what the fixture says, for fixtures that last longer than a test."""
    from airflow_provider_p2psms.notifications.sms import SMSNotifier
    from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
    from airflow_provider_p2psms.sending.times import Times

    times = Times(
        skew_s=0.1, linger_s=0.1, patience_s=1.0, poll_every_s=0.1, questions=10_000, connect_pause_s=0.1
    )
    for each in (PeerToPeerSMSOperator, PeerToPeerFileOperator, SMSNotifier):
        monkeypatch.setattr(each, "_times", times)
    return times


def register(dag: Any) -> None:
    """Write the DAG and its assets to the database: Airflow 3 uses none that it does not find there."""
    try:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
    except ImportError:
        return
    DagBundlesManager().sync_bundles_to_db()
    if AIRFLOW_VERSION.startswith("3.0."):
        module = importlib.import_module("airflow.serialization.serialized_objects")
        serialized = module.SerializedDAG.deserialize_dag(module.SerializedDAG.serialize_dag(dag))
        module.SerializedDAG.bulk_write_to_db("dags-folder", None, [serialized])
        return
    try:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    except ImportError:
        from airflow.models.dagbag import DagBag, sync_bag_to_db  # type: ignore[no-redef]

    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
