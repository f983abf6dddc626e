"""How far the gateway's clock is ahead of ours."""

from email.utils import parsedate_to_datetime

# A Date header has whole seconds, and an answer takes its time: two measurements differ by no more.
DATE_ERROR_S = 2.0


class GatewayClock:
    """
    How far the gateway's clock is ahead of this machine's, by the ``Date`` headers of its answers.

    ``offset_s`` is ``None`` before the first answer with a readable date. A header has whole seconds, so the
    difference is known to about a second. Threads may share it.
    """

    def __init__(self) -> None:
        self.offset_s: float | None = None
        self._error_s = float("inf")

    def note(self, date: str | None, *, asked_at: float, answered_at: float) -> None:
        """
        Learn from an answer's ``Date``; the quickest answer tells most.

        :param asked_at: when the request left at the earliest, in Unix seconds by this machine.
        :param answered_at: when its answer began.
        """
        error_s = answered_at - asked_at
        if not date or error_s >= self._error_s:
            return
        try:
            shown = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self.offset_s = shown + 0.5 - (asked_at + answered_at) / 2
        self._error_s = error_s
