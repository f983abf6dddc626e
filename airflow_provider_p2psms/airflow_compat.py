"""
Airflow's names, the same on 2.11 to 3.3; where its versions differ is told apart here and nowhere else.

Airflow's own names load on first use: a DAG file with a send task does not pay for sensors and decorators.
"""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow import __version__ as airflow_version
from airflow.providers.common.compat import sdk

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
        Asset,
        BaseHook,
        BaseNotifier,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        DecoratedOperator,
        ObjectStoragePath,
        PokeReturnValue,
        conf,
        context_merge,
        determine_kwargs,
        task_decorator_factory,
    )

__all__ = [
    "MULTIPLE_OUTPUTS",
    "AirflowException",
    "AirflowFailException",
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
    "PokeReturnValue",
    "airflow_home",
    "ask_airflow",
    "conf",
    "context_merge",
    "determine_kwargs",
    "leave_state_to_newer_try",
    "lineage",
    "never_expire",
    "push_outputs",
    "stats",
    "task_decorator_factory",
    "xcom_value",
]

T = TypeVar("T")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(sdk, name)


# Airflow 3.0 fails a task one of whose outputs is null, after the task has done its work.
MULTIPLE_OUTPUTS = not airflow_version.startswith("3.0.")


def push_outputs(context: Any, result: dict[str, Any]) -> None:
    """Push each key of a result as an XCom of its own where Airflow itself cannot."""
    for key, value in result.items():
        if not MULTIPLE_OUTPUTS and "ti" in context and value is not None:
            context["ti"].xcom_push(key, value)


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
    from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - only who runs a task pays

    return Stats


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
    if airflow_version.startswith("2.") and getattr(sdk.get_current_context()["ti"], "job_id", None):
        logging.shutdown()
        os._exit(1)


async def ask_airflow(question: Callable[[], T]) -> T:
    """Ask Airflow (for a connection, say) out of an event loop, in the one thread where that is safe."""
    from asgiref.sync import sync_to_async  # noqa: PLC0415 - comes with Airflow; only a triggerer needs it

    return await sync_to_async(question)()


def xcom_value(ti_key: Any, key: str) -> Any:
    """Return an XCom of one task instance; ``None`` if it has none."""
    from airflow.providers.common.compat.sdk import XCom  # noqa: PLC0415 - not for a DAG file's parsing

    return XCom.get_value(ti_key=ti_key, key=key)
