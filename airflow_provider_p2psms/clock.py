"""The clock of deadlines: its seconds pass evenly, and also while the machine is suspended."""

import time

# On macOS CLOCK_MONOTONIC goes on during sleep, by Apple's manual page of clock_gettime.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """
    Return seconds since some moment in the past.

    They pass while the machine is suspended, too, where the system can tell (Linux, macOS).
    ``time.monotonic`` stands still then, and a request could leave long after its time.
    """
    return time.clock_gettime(_CLOCK)
