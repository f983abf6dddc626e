"""XComs in object storage: a send's long result lies there, and what comes behind it reads it."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import missing
from tests.cluster.gateway import Gateway, run_gateway
from tests.cluster.services import ObjectStorage
from tests.stack import AirflowStack

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

DAGS = Path(__file__).parent / "stored" / "dags"
COUNT = 2_000
THRESHOLD_BYTES = 1_000


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[ObjectStorage]:
    """Run object storage with a bucket for XComs."""
    if lack := missing():
        (pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip)(lack)
    with ObjectStorage(tmp_path, sys.executable) as running:
        running.put("xcoms")
        yield running


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Run a gateway that answers at once."""
    with run_gateway(tmp_path, latency_s=0) as running:
        yield running


@pytest.fixture
def airflow(storage: ObjectStorage, gateway: Gateway) -> Iterator[AirflowStack]:
    """Run an Airflow that keeps XComs of 1,000 bytes and more in object storage."""
    env = {
        "AIRFLOW_CONN_P2PSMS_DEFAULT": gateway.connection_uri,
        "AIRFLOW_CONN_STORE": storage.connection_uri,
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": "s3://store@xcoms/p2psms",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": str(THRESHOLD_BYTES),
    }
    with AirflowStack(DAGS, env=env, database="postgresql", triggerer=True) as running:
        yield running


def test_a_long_result_lies_in_object_storage(
    airflow: AirflowStack, storage: ObjectStorage, gateway: Gateway, tmp_path: Path
):
    """The database has its path alone; the sensor and `parse_outbox_ids` read the ids behind it."""
    file = tmp_path / "list.csv"
    rows = "".join(f"+98912{place:07},Order {place} has shipped.\n" for place in range(COUNT))
    file.write_text(f"recipient,message\n{rows}", encoding="utf-8")

    run = airflow.trigger("stored", {"file": str(file)})

    assert "success" == airflow.wait(run), airflow.task_logs(run)
    assert COUNT == gateway.count() == airflow.xcom(run, "count") == airflow.xcom(run, "waited")["sent"]
    ids, result = (
        storage.get(airflow.xcom(run, "send", key)) for key in ("message_outbox_ids", "return_value")
    )
    assert COUNT == len(json.loads(ids)) == json.loads(result)["accepted"]
    assert 2 == storage.count_objects("xcoms")
