"""What the bench measures in full holds in small: memory that is bounded, and a gateway that counts."""

import re
import subprocess
import sys

import pytest

from scripts.bench.gateway import gateway
from scripts.bench.rows import write_csv
from scripts.bench.trial import memory_of, run


@pytest.mark.proof
@pytest.mark.parametrize("operator", ["PeerToPeerSMSOperator", "PeerToPeerFileOperator"])
def test_memory_is_bounded(operator, tmp_path):
    """A hundred thousand personal rows add at most 60 MB to the peak of a process that sends one."""
    with gateway() as local:
        one = run("ours", write_csv(tmp_path, 1), local.url, 4, operator)
        many = run("ours", write_csv(tmp_path, 100_000), local.url, 4, operator)
        counted = local.stats()

    assert 100_001 == counted["messages"]
    assert many.peak_mb - one.peak_mb < 60


FORKED = "os.fork() or sys.exit(sys.stdin.read())"
READS = "import sys; print(1, flush=True); sys.stdin.read()"
STARTED = f"subprocess.Popen([sys.executable, '-c', '{READS}'], stdout=subprocess.PIPE)"


@pytest.mark.parametrize(
    ("start", "counts"), [(FORKED, False), (STARTED, True)], ids=["before exec", "after exec"]
)
def test_the_memory_of_a_child_is_not_that_of_its_parent(start, counts):
    """Between fork and exec a child shows all that its parent holds: that is not counted twice."""
    code = (
        f"import os, subprocess, sys; child = {start}\n"
        "if counts := not isinstance(child, int): child.stdout.read(1)\n"
        "print(child.pid if counts else child, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        child = int(parent.stdout.readline())

        assert counts == bool(memory_of(child, parent=parent.pid))
        parent.stdin.close()


@pytest.mark.proof
def test_no_more_under_way_than_allowed(tmp_path):
    """The gateway itself sees `max_in_flight` requests at once, and never one more."""
    with gateway(latency_s=0.2) as slow:  # long enough for a busy machine to have three under way
        run("ours", write_csv(tmp_path, 20_000), slow.url, 3)

        assert 3 == slow.stats()["most_under_way"]


def test_the_load_of_the_sandbox_in_small():
    """The script measures every question against its floor and prints one table."""
    sizes = ("--messages", "2000", "--rounds", "2", "--senders", "3")
    command = [sys.executable, "-m", "scripts.bench.sandbox_load", *sizes]

    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout

    rows = re.findall(
        r"^\| (.+?) \| ([\d,.]+) \| ([\d,.]+) \| .*\| ([\d,.]+) \| ([\d,.]+) \|$", printed, re.MULTILINE
    )
    assert [row[0] for row in rows] == [
        "the page of the list",
        "the list API, 50 records",
        "the page of a search that finds one",
        "the page of a search that finds all",
        "a send of 1,000 messages",
        "a send of 1,000 messages, 3 at once",
    ]
    for _, took, worst, floor, _ in rows:
        assert 0 < float(floor.replace(",", ""))
        assert 0 < float(took.replace(",", "")) <= float(worst.replace(",", ""))
    assert "2,000 messages, 2 answers each" in printed
