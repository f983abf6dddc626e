"""How long a send waits for what, in one place; tests hand in shorter times."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """
    Times of a send, in seconds.

    ``start_within_s``: a request leaves so soon after its intent, or never. ``linger_s``: so long a gateway
    may go on with a request after its connection has ended (at most the connection's read timeout).
    ``skew_s``: how far two clocks may differ after their difference was measured. ``patience_s``: how long
    one try asks the reports without learning anything new. ``poll_every_s`` is the first pause between two
    polls of the reports; pauses double up to ``poll_at_least_every_s``. A try asks at most ``questions``
    questions in any ``questions_per_s``.
    ``write_every_s``: so long at most it stays unwritten what came of a request. ``longest_wait_s``: a
    gateway that asks to wait for longer is left to a later try. ``connect_attempts``: so often a request that
    did not leave is tried, ``connect_pause_s`` apart at most. The log says how far the send is at most once
    in ``progress_every_s``.
    """

    start_within_s: float = 10.0
    linger_s: float = 30.0
    skew_s: float = 5.0
    patience_s: float = 60.0
    poll_every_s: float = 1.0
    poll_at_least_every_s: float = 20.0
    questions: int = 30
    questions_per_s: float = 60.0
    write_every_s: float = 1.0
    longest_wait_s: float = 300.0
    connect_attempts: int = 3
    connect_pause_s: float = 5.0
    progress_every_s: float = 10.0
