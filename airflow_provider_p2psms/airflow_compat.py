"""Airflow's names, the same on 2.11 to 3.3; where its versions differ is told apart here and nowhere else."""

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    BaseHook,
    BaseOperator,
    ObjectStoragePath,
)

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "ObjectStoragePath",
]
