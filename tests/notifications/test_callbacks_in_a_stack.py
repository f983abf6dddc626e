"""Those who call back in a real Airflow: the DAG processor, the triggerer, and a worker for deadlines."""

import os
import sys
from pathlib import Path

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.stack import AirflowStack, airflow_version, postgres_server

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

AIRFLOW = airflow_version(sys.executable)
DAGS = Path(__file__).parent / "dags"


def test_failures_deadlines_and_killed_tasks_are_announced():
    """Deadlines, a failure and a killed task's retry send one text each: to whom it says, with its name."""
    if not postgres_server():
        missing = pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip
        missing("needs psycopg2 and a PostgreSQL server that $P2PSMS_PG names, or at 127.0.0.1:5432")
    with Sandbox() as gateway, stack(gateway) as airflow:
        run = airflow.trigger("notices")
        assert "failed" == airflow.wait(run)
        told = {"+989120000001": "notices failed"}
        if AIRFLOW >= (3, 1):
            told["+989120000002"] = "notices missed its deadline"
        if AIRFLOW >= (3, 2):
            told["+989120000003"] = "notices missed its deadline"
        airflow.wait_for("all texts", lambda: len(gateway.arrived) >= len(told), timeout_s=120)

        arrived = {message.recipient: message.text.partition(",")[0] for message in gateway.arrived}
        assert {number: f"Airflow: {text}" for number, text in told.items()} == arrived, airflow.logs()
        assert len(told) == len(gateway.arrived)

        if AIRFLOW >= (3, 1):
            airflow.wait(airflow.trigger("killed"))
            airflow.wait_for("the text of the retry", lambda: len(gateway.arrived) > len(told), timeout_s=120)
            assert "Airflow: killed.dies will be retried" == gateway.arrived[-1].text.partition(",")[0]


def stack(gateway):
    """Have an Airflow that finds the gateway in its own database; Airflow 2 does in the environment."""
    name = "AIRFLOW_CONN_P2PSMS_ENV" if AIRFLOW >= (3,) else "AIRFLOW_CONN_P2PSMS_DEFAULT"
    env = {name: gateway.connection_uri}
    airflow = _WithTriggerer(DAGS, env=env)
    airflow.gateway = gateway
    return airflow


class _WithTriggerer(AirflowStack):
    gateway: Sandbox

    def _start(self) -> None:
        super()._start()
        if self._api:
            self.start_triggerer()
            connection = {"connection_id": "p2psms_default", "conn_type": "p2psms"}
            place = {"host": self.gateway.base_url, "password": self.gateway.token}
            self._api.send("POST", "/connections", connection | place)
