"""Airflow's names, the same on 2.11 to 3.3; where its versions differ is told apart here and nowhere else."""

from typing import Any

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    BaseHook,
    BaseOperator,
    ObjectStoragePath,
)

__all__ = [
    "MULTIPLE_OUTPUTS",
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "ObjectStoragePath",
    "push_outputs",
]

# Airflow 3.0 fails a task one of whose outputs is null, after the task has done its work.
MULTIPLE_OUTPUTS = not airflow_version.startswith("3.0.")


def push_outputs(context: Any, result: dict[str, Any]) -> None:
    """Push each key of a result as an XCom of its own where Airflow itself cannot."""
    for key, value in result.items():
        if not MULTIPLE_OUTPUTS and "ti" in context and value is not None:
            context["ti"].xcom_push(key, value)
