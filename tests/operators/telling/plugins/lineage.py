"""Without a reader Airflow collects no lineage; OpenLineage registers one in the same way."""

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import HookLineageReader


class ReadsLineage(AirflowPlugin):
    name = "p2psms_test_lineage"
    hook_lineage_readers: ClassVar = [HookLineageReader]
