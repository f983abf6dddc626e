"""The rows of a campaign, and its start."""

from tests.cluster.cluster import LISTS, Cluster

# As in dags/campaign.py.
BATCH = 250
_SHARD = 10_000
_CITIES = ["تهران", "اصفهان", "شیراز", "تبریز"]


def start_campaign(
    cluster: Cluster, name: str, count: int, *, is_personal: bool = False
) -> tuple[str, list[tuple[str, str]]]:
    """
    Start a campaign of so many rows; return its run and its messages.

    :param is_personal: whether each row has a text of its own; else each city has one.
    """
    rows = [
        (
            f"+98912{place:07}",
            f"{name}: سفارش {place if is_personal else ''} شما به {_CITIES[place % len(_CITIES)]} رسید.",
        )
        for place in range(count)
    ]
    lines = "".join(f"{recipient},{text}\n" for recipient, text in rows)
    cluster.storage.put(f"{LISTS}/{name}.csv", f"recipient,message\n{lines}".encode())
    conf = {"file": f"s3://store@{LISTS}/{name}.csv", "rows": min(_SHARD, max(count // 10, 1))}
    return cluster.airflow.trigger("campaign", conf), rows
