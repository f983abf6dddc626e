"""Logs how far a send is."""

import logging

from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.sending.outcomes import Outcomes

log = logging.getLogger(__name__)


class Progress:
    """Says how far the send is, at most once in ``every_s`` seconds."""

    def __init__(self, outcomes: Outcomes, *, every_s: float) -> None:
        self._outcomes, self._every_s = outcomes, every_s
        self._said, self._before = elapsed(), outcomes.count()["accepted"]

    def log(self) -> None:
        """Say it, if it is time to; the rate is that since it was last said."""
        seconds = elapsed() - self._said
        if seconds < self._every_s:
            return
        accepted = self._outcomes.count()["accepted"]
        rate, left = (accepted - self._before) / seconds, len(self._outcomes) - accepted
        share = 100 * accepted // len(self._outcomes) if self._outcomes else 100
        left_s = f"{left / rate:,.0f} s left" if rate else "time left unknown"
        log.info(
            "Sent %s of %s recipients (%d %%), %s/s, %s.",
            f"{accepted:,}",
            f"{len(self._outcomes):,}",
            share,
            f"{rate:,.0f}",
            left_s,
        )
        self._said, self._before = elapsed(), accepted
