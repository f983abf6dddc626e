"""The clock of deadlines: seconds that pass evenly, whatever is done to the time of day."""

import time


def elapsed() -> float:
    """
    Return seconds since some moment in the past.

    They pass while the machine is suspended, too, where the system can tell (Linux). ``time.monotonic``
    stands still then, and a request could leave long after its time.
    """
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
