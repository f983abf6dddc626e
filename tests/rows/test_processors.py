"""How many processors a process has, by files as kernels and containers write them."""

import os

import pytest

from airflow_provider_p2psms.rows.processors import count_processors

# macOS has no affinity.
HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
MANY = 10_000


@pytest.mark.parametrize(
    ("groups", "files", "count"),
    [
        # version 2: a container's own group at the root, a service of systemd, a quota around the group
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, HERE),
        ("0::/\n", {}, HERE),
        (
            "0::/system.slice/airflow.service\n",
            {"system.slice/airflow.service/cpu.max": "50000 100000\n"},
            0.5,
        ),
        (
            "0::/pod/box\n",
            {"pod/cpu.max": "100000 100000\n", "pod/box/cpu.max": "max 100000\n"},
            1,
        ),
        # version 1: mounted by controller; a container whose path is the host's; no quota
        (
            "3:cpuset:/\n2:cpu,cpuacct:/docker/1f\n1:memory:/docker/1f\n",
            {"cpu/docker/1f/cpu.cfs_quota_us": "25000\n", "cpu/docker/1f/cpu.cfs_period_us": "50000\n"},
            0.5,
        ),
        ("1:cpu:/docker/1f\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ("1:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, HERE),
        # more than there are, none at all, and what nobody has written so far
        ("0::/\n", {"cpu.max": f"{MANY * 1000} 1000\n"}, HERE),
        (None, {}, HERE),
        ("0::/\n", {"cpu.max": "soon\n"}, HERE),
    ],
)
def test_the_smaller_of_processors_and_quotas_counts(groups, files, count, tmp_path):
    """Of all quotas that hold for a process the smallest one does, if it is below the processors."""
    cgroups, mount = tmp_path / "cgroup", tmp_path / "mount"
    if groups is not None:
        cgroups.write_text(groups, encoding="utf-8")
    for name, content in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(content, encoding="ascii")

    assert min(HERE, count) == count_processors(cgroups=cgroups, mount=mount)


def test_this_machine():
    """What it says of itself can be read."""
    assert HERE
    assert 0 < count_processors() <= HERE
