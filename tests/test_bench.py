"""What the bench measures in full holds in small: memory that is bounded, and a gateway that counts."""

import pytest

from scripts.bench.gateway import gateway
from scripts.bench.rows import write_csv
from scripts.bench.trial import run


@pytest.mark.parametrize("operator", ["PeerToPeerSMSOperator", "PeerToPeerFileOperator"])
def test_memory_is_bounded(operator, tmp_path):
    """A hundred thousand personal rows add at most 60 MB to the peak of a process that sends one."""
    with gateway() as local:
        one = run("ours", write_csv(tmp_path, 1), local.url, 4, operator)
        many = run("ours", write_csv(tmp_path, 100_000), local.url, 4, operator)
        counted = local.stats()

    assert 100_001 == counted["messages"]
    assert many.peak_mb - one.peak_mb < 60


def test_no_more_under_way_than_allowed(tmp_path):
    """The gateway itself sees `max_in_flight` requests at once, and never one more."""
    with gateway(latency_s=0.2) as slow:  # long enough for a busy machine to have three under way
        run("ours", write_csv(tmp_path, 20_000), slow.url, 3)

        assert 3 == slow.stats()["most_under_way"]
