"""
Airflow's names, the same on 2.11 to 3.3; where its versions differ is told apart here and nowhere else.

Airflow's own names load on first use: a DAG file with a send task does not pay for sensors and decorators.
"""

import importlib
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow import __version__ as airflow_version

if TYPE_CHECKING:
    from airflow.sdk import (
        DAG,
        Asset,
        BaseHook,
        BaseNotifier,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        ObjectStoragePath,
        Param,
        PokeReturnValue,
        dag,
        task,
        task_group,
    )
    from airflow.sdk.bases.decorator import DecoratedOperator, determine_kwargs, task_decorator_factory
    from airflow.sdk.configuration import conf
    from airflow.sdk.definitions.context import context_merge
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        XComNotFound,
    )

__all__ = [
    "DAG",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "Asset",
    "BaseHook",
    "BaseNotifier",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "DecoratedOperator",
    "ObjectStoragePath",
    "Param",
    "PokeReturnValue",
    "XComNotFound",
    "airflow_home",
    "ask_airflow",
    "conf",
    "context_merge",
    "dag",
    "determine_kwargs",
    "is_dag_being_defined",
    "leave_state_to_newer_try",
    "lineage",
    "never_expire",
    "outputs_of",
    "running_task",
    "stats",
    "task",
    "task_decorator_factory",
    "task_group",
    "unique_task_id",
    "xcom_value",
]

# Where Airflow keeps each name: in the newest version, and in older ones. common-compat has such a table,
# too, but not in the versions that Airflow's own constraints pin for 2.11.0, 3.0 and the first 3.1.
_MODULES = {
    "AirflowException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowFailException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowNotFoundException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowSensorTimeout": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "AirflowSkipException": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "Asset": ("airflow.sdk", "airflow.datasets:Dataset"),
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseNotifier": ("airflow.sdk", "airflow.notifications.basenotifier"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "DagContext": ("airflow.sdk.definitions._internal.contextmanager", "airflow.models.dag"),
    "DecoratedOperator": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "ObjectStoragePath": ("airflow.sdk", "airflow.io.path"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    "Stats": ("airflow.sdk.observability.stats", "airflow.stats"),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "XComNotFound": ("airflow.sdk.exceptions", "airflow.exceptions"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "context_merge": ("airflow.sdk.definitions.context", "airflow.utils.context"),
    "dag": ("airflow.sdk", "airflow.decorators"),
    "determine_kwargs": ("airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"),
    "get_unique_task_id": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "get_current_context": ("airflow.sdk", "airflow.operators.python"),
    "task": ("airflow.sdk", "airflow.decorators"),
    "task_decorator_factory": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "task_group": ("airflow.sdk", "airflow.decorators"),
}

T = TypeVar("T")


def __getattr__(name: str) -> Any:
    for place in _MODULES.get(name, ()):
        module, _, older_name = place.partition(":")
        try:
            return getattr(importlib.import_module(module), older_name or name)
        except (ImportError, AttributeError):
            continue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def outputs_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return what Airflow can push of a result by ``multiple_outputs``: 3.0 fails the task for a null."""
    if not airflow_version.startswith("3.0."):
        return result
    return {key: value for key, value in result.items() if value is not None}


def is_dag_being_defined() -> bool:
    """Whether tasks made now belong to a DAG: in a function under ``@dag``, or in ``with DAG(…):``."""
    return __getattr__("DagContext").get_current_dag() is not None


def unique_task_id(task_id: str) -> str:
    """Return the name, or one with a number behind it, that the DAG being defined has no task of."""
    found: str = __getattr__("get_unique_task_id")(task_id)
    return found


def never_expire() -> Any:
    """Return what makes Airflow's state store (3.3 and newer) keep a record as long as its run."""
    from airflow.sdk.execution_time.context import NEVER_EXPIRE  # noqa: PLC0415 - there since 3.3

    return NEVER_EXPIRE


def lineage() -> Any:
    """Return Airflow's collector of what a task reads and writes, with Airflow 3's names on all versions."""
    from airflow.providers.common.compat.lineage import hook  # noqa: PLC0415 - only who runs a task pays

    return hook.get_hook_lineage_collector()  # type: ignore[no-untyped-call]


def stats() -> Any:
    """Return Airflow's metrics, wherever this version keeps them."""
    return __getattr__("Stats")


def airflow_home() -> str:
    """Return the folder that Airflow calls its home."""
    from airflow.configuration import AIRFLOW_HOME  # noqa: PLC0415 - loaded by whoever runs a task

    return str(AIRFLOW_HOME)


def leave_state_to_newer_try() -> None:
    """
    End this task's process where Airflow would write how it ended over the state of a newer try.

    Airflow 2 does: all tries share one row. Its task processes belong to a job; ``dag.test()`` has none, and
    goes on. On Airflow 3 a try that was replaced can write nothing, and this returns.
    """
    if not airflow_version.startswith("2."):
        return
    if getattr(__getattr__("get_current_context")()["ti"], "job_id", None):
        logging.shutdown()
        os._exit(1)


def running_task() -> dict[str, str]:
    """
    Return ``dag_id``, ``run_id`` and ``task_id`` of the task that this process runs; empty if it runs none.

    Airflow puts them into the environment of a task before it executes it, on all versions.
    """
    names = {"dag_id": "DAG_ID", "run_id": "DAG_RUN_ID", "task_id": "TASK_ID"}
    given = {name: os.environ.get(f"AIRFLOW_CTX_{end}") for name, end in names.items()}
    return {name: value for name, value in given.items() if value}


async def ask_airflow(question: Callable[[], T]) -> T:
    """Ask Airflow (for a connection, say) out of an event loop, in the one thread where that is safe."""
    from asgiref.sync import sync_to_async  # noqa: PLC0415 - comes with Airflow; only a triggerer needs it

    return await sync_to_async(question)()


def xcom_value(ti_key: Any, key: str) -> Any:
    """Return an XCom of one task instance; ``None`` if it has none."""
    return __getattr__("XCom").get_value(ti_key=ti_key, key=key)
