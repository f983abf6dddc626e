"""The time of a run: a clock that does not jump."""

import time

from airflow_provider_p2psms.clock import elapsed


class Clock:
    """Unix time that never jumps: the wall clock at the start, and what has passed since."""

    def __init__(self) -> None:
        self._offset = time.time() - elapsed()

    def __call__(self) -> float:
        """Return the time now."""
        return elapsed() + self._offset

    def elapsed(self, at: float) -> float:
        """Return a moment as ``elapsed()`` counts it."""
        return at - self._offset
