"""Logs how far a send is."""

import logging

from airflow_provider_p2psms.gateway.clock import elapsed
from airflow_provider_p2psms.sending.fates import Fates

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 10.0


class Progress:
    """Says how far the send is, at most every 10 seconds."""

    def __init__(self, fates: Fates) -> None:
        self._fates = fates
        self._said, self._before = elapsed(), fates.count()["accepted"]

    def log(self) -> None:
        """Say it, if it is time to; the rate is that since it was last said."""
        seconds = elapsed() - self._said
        if seconds < PROGRESS_EVERY_S:
            return
        accepted = self._fates.count()["accepted"]
        rate, left = (accepted - self._before) / seconds, len(self._fates) - accepted
        eta = f"about {left / rate:,.0f} s" if rate else "unknown time"
        log.info("Accepted %s, left %s, %.0f a second, %s to go.", f"{accepted:,}", f"{left:,}", rate, eta)
        self._said, self._before = elapsed(), accepted
