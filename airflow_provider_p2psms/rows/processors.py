"""How many processors this process has: those that it may run on, or the smaller quota of its container."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

_CGROUPS, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_VERSION_1, _VERSION_2 = ("cpu.cfs_quota_us", "cpu.cfs_period_us"), ("cpu.max",)


def count_processors(*, cgroups: Path = _CGROUPS, mount: Path = _MOUNT) -> float:
    """
    Return the number of processors; a quota may be a part of one.

    :param cgroups: names the control groups of this process; absent on systems without any.
    :param mount: where control groups are mounted.

    Source: cgroups(7), and the kernel's "Control Group v2" and "CFS Bandwidth Control".
    """
    may_run_on = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([may_run_on, *_quotas(cgroups, mount)])


def _quotas(cgroups: Path, mount: Path) -> Iterator[float]:
    """Yield the quota of each control group that this process is in, and of those around it."""
    groups = cgroups.read_text("utf-8").splitlines() if cgroups.exists() else []
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root, names = (mount / "cpu", _VERSION_1) if controllers else (mount, _VERSION_2)
        # A container may see only its own group, at the root, though its path is that of the host.
        for folder in accumulate(Path(path.lstrip("/")).parts, Path.joinpath, initial=root):
            # Most groups have no quota ("max", or -1), and the root of version 2 has no file.
            with suppress(OSError, ValueError):
                quota, period = " ".join((folder / name).read_text("ascii") for name in names).split()
                if int(quota) > 0:
                    yield int(quota) / int(period)
