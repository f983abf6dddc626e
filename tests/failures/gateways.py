"""The gateways, connections and files with which the tasks of ``dags/failures.py`` fail."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airflow_provider_p2psms.sandbox import Sandbox
from tests.failures.dags.failures import BAD_ROWS, LINE

OLD_TOKEN = "an-old-token"


@contextmanager
def failing_gateways(folder: Path) -> Iterator[dict[str, str]]:
    """Run the gateways, write the file of bad rows; give the environment that Airflow needs."""
    (folder / "customers.csv").write_text(BAD_ROWS, encoding="utf-8")
    with ExitStack() as stack:
        good, refuses, loses_answers = (
            stack.enter_context(Sandbox(queue_s=0.05, delivery_s=0.05)) for _ in range(3)
        )
        refuses.order_fault("refuse_422", times=None)
        loses_answers.order_fault("cut_before_taken", times=None)
        yield {
            "AIRFLOW_VAR_DATA": str(folder),
            "AIRFLOW_CONN_P2PSMS_DEFAULT": _connection(good),
            "AIRFLOW_CONN_P2PSMS_WRONG_TOKEN": _connection(good, password=OLD_TOKEN),
            "AIRFLOW_CONN_P2PSMS_REFUSES": _connection(refuses),
            "AIRFLOW_CONN_P2PSMS_LOSES_ANSWERS": _connection(loses_answers),
            "AIRFLOW_CONN_P2PSMS_UNREACHABLE": _connection(good, host="http://127.0.0.1:9/v1"),
            "AIRFLOW_CONN_P2PSMS_UNKNOWN_EXTRA": _connection(good, extra={"sender": LINE, "region": "IR"}),
        }


def _connection(gateway: Sandbox, **fields: object) -> str:
    extra = {"from_number": LINE}
    place = {"conn_type": "p2psms", "host": gateway.base_url, "password": gateway.token, "extra": extra}
    return json.dumps(place | fields)
