"""
What the page says became of a message, in the words that a person needs.

The gateway's state 6 says only that sending is over: whether a recipient was reached, their own status says.
"""

import sqlite3
from dataclasses import dataclass

from airflow_provider_p2psms.sandbox.statuses import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """``label`` is for people; ``tone`` is the badge's: good, bad, waits or calm; ``state`` the gateway's."""

    label: str
    tone: str
    state: State


OUTCOMES = {
    "scheduled": Outcome("scheduled", "waits", State.QUEUED),
    "queued": Outcome("queued", "waits", State.QUEUED),
    "sent": Outcome("sent, no report yet", "waits", State.SENT),
    "delivered": Outcome("delivered", "good", State.SENT),
    "not_delivered": Outcome("not delivered", "bad", State.SENT),
    "blacklisted": Outcome("blacklisted", "bad", State.SENT),
    "rejected": Outcome("rejected by monitoring", "bad", State.REJECTED),
    "invalid": Outcome("invalid recipients", "bad", State.INVALID),
    "cancelled": Outcome("cancelled", "calm", State.CANCELLED),
    "no_credit": Outcome("no credit", "bad", State.NO_CREDIT),
    "error": Outcome("system error", "bad", State.SYSTEM_ERROR),
}
# The outcomes of a message whose recipients have theirs, the worst first.
ENDINGS = ("not_delivered", "blacklisted", "delivered")

# The stage of an outbox record: one of OUTCOMES, or `finished`, where each recipient has an outcome.
_STAGE = """
CASE
  WHEN {is_cancelled} THEN 'cancelled'
  WHEN send_at > :now THEN 'scheduled'
  WHEN send_at > :sent_before THEN 'queued'
  WHEN final_state = 3 THEN 'rejected'
  WHEN final_state = 4 THEN 'invalid'
  WHEN final_state = 8 THEN 'no_credit'
  WHEN final_state = 9 THEN 'error'
  WHEN send_at > :delivered_before THEN 'sent'
  ELSE 'finished'
END
"""
STAGE = _STAGE.format(is_cancelled="cancelled_at IS NOT NULL")
STAGE_OF_TALLY = _STAGE.format(is_cancelled="is_cancelled")
# Whether a record has recipients with an outcome, by its name. What is cheap is asked first.
HAS_OUTCOME = {
    **{name: f"{STAGE} = '{name}'" for name in OUTCOMES},
    "delivered": f"recipient_count > not_delivered + blacklisted AND {STAGE} = 'finished'",
    "not_delivered": f"not_delivered > 0 AND {STAGE} = 'finished'",
    "blacklisted": f"blacklisted > 0 AND {STAGE} = 'finished'",
}


def outcomes_of(row: sqlite3.Row) -> list[tuple[str, int]]:
    """Return the outcomes of a record's recipients and how many have each, the worst first."""
    count = row["recipient_count"]
    if row["stage"] != "finished":
        return [(row["stage"], count)]
    counts = {name: row[name] for name in ("not_delivered", "blacklisted")}
    counts["delivered"] = count - sum(counts.values())
    return [(name, counts[name]) for name in ENDINGS if counts[name]]
