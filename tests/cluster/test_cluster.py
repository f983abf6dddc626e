"""A campaign on a distributed Airflow: two workers that share nothing local send each row once."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import LISTS, Cluster, missing, run_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

ROWS = int(os.environ.get("P2PSMS_CLUSTER_ROWS", "100000"))
SHARDS = 10
CITIES = ["تهران", "اصفهان", "شیراز", "تبریز"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Run two workers with two slots each, on this machine's PostgreSQL."""
    if lack := missing():
        (pytest.fail if os.environ.get("P2PSMS_REQUIRE_ALL") == "1" else pytest.skip)(lack)
    with run_cluster() as running:
        yield running


def messages(count: int) -> list[tuple[str, str]]:
    """Return rows: recipient and text."""
    return [
        (f"+98912{place:07}", f"سلام، سفارش {place} به {CITIES[place % len(CITIES)]} رسید.")
        for place in range(count)
    ]


def test_a_campaign(cluster: Cluster):
    """Shards of a file in object storage go out by all workers, with their ledgers there, too."""
    rows = messages(ROWS)
    lines = "".join(f"{recipient},{text}\n" for recipient, text in rows)
    cluster.storage.put(f"{LISTS}/campaign.csv", f"recipient,message\n{lines}".encode())
    airflow = cluster.airflow

    run = airflow.trigger("campaign", {"file": f"s3://store@{LISTS}/campaign.csv", "rows": ROWS // SHARDS})

    assert "success" == airflow.wait(run, timeout_s=600), airflow.task_logs(run)
    assert Counter(rows) == cluster.gateway.arrived()
    assert ROWS == airflow.xcom(run, "report")["sent"]
