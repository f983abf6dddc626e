"""What the reports show of a scheduled message, and of a cancelled one. Pure."""

from collections.abc import Mapping
from typing import Any

from airflow_provider_p2psms.gateway.statuses import State, read_state
from airflow_provider_p2psms.verifying.findings import Finding, Result
from airflow_provider_p2psms.verifying.scheduled import Scheduled
from airflow_provider_p2psms.verifying.watching import Sighting, in_seconds, read_time

NEVER_SHOWN = Finding(
    Result.NOT_OBSERVED,
    "The reports did not show the message before it was cancelled, either.",
    "Nothing is known about it.",
)
_DAY_S = 86_400
_WITNESS = "witness_recipient: your own number, as given with --to"
_NO_WITNESS = "nothing; do not set witness_recipient"


def find_listing(sighting: Sighting, *, wait_s: float, is_cancelled: bool) -> Finding:
    """Say whether the list shows a scheduled message so that it can be a witness."""
    shown = sighting.any or {}
    ahead_s = None if sighting.time is None else in_seconds(sighting.time) - sighting.answered_at
    send_at = read_time(shown.get("time_send"))
    values = {
        "listed_s": None if sighting.listed_s is None else round(sighting.listed_s, 1),
        "by_id_s": None if sighting.by_id_s is None else round(sighting.by_id_s, 1),
        "state_id": shown.get("state_id"),
        "can_be_witness": False,
    }
    if sighting.listed_s is None:
        by_id = "only by its id" if sighting.by_id_s is not None else "not at all"
        return Finding(
            Result.OBSERVED,
            f"Within {wait_s:.0f} s the list does not show it; the reports show it {by_id}.",
            "A scheduled message cannot prove that the list is current. A scheduled send whose answer was "
            "lost stays in doubt until the list shows it.",
            _NO_WITNESS,
            values=values,
        )
    if ahead_s is not None and ahead_s > _DAY_S:
        return Finding(
            Result.OBSERVED,
            f"The list shows it after {sighting.listed_s:.1f} s, but its time is that of its sending.",
            "A scheduled message cannot prove that the list is current.",
            _NO_WITNESS,
            values=values,
        )
    observed = (
        f"The list shows it after {sighting.listed_s:.1f} s: {_state(shown.get('state_id'))}, its time "
        f"{'is missing' if ahead_s is None else 'is that of the request'}, time_send "
        f"{'is missing' if send_at is None else 'is there'}."
    )
    can = is_cancelled and ahead_s is not None
    return Finding(
        Result.OBSERVED,
        observed,
        "With witness_recipient the package may schedule such a message, look for it and cancel it, to learn "
        "whether the list is current. It costs nothing."
        if can
        else "A scheduled message shall not be used as a witness here: see the other lines.",
        _WITNESS if can else _NO_WITNESS,
        values=values | {"can_be_witness": can},
    )


def find_cancel(scheduled: Scheduled) -> Finding:
    """Say what became of the cancel."""
    values = {"cancelled": list(scheduled.cancelled), "left": list(scheduled.left)}
    if scheduled.left or scheduled.is_lost:
        return Finding(
            Result.DIFFERS,
            f"{scheduled.warning} {scheduled.problem}".strip(),
            "Do not use send_time before you know why: a scheduled message cannot be taken back.",
            _NO_WITNESS,
            values=values,
        )
    if scheduled.over and not scheduled.cancelled:
        return Finding(
            Result.DIFFERS,
            "There was nothing to cancel: the gateway had sent it at once or refused it.",
            "send_time does not work as documented.",
            _NO_WITNESS,
            values=values,
        )
    if scheduled.cancelled:
        return Finding(
            Result.AS_DOCUMENTED,
            f"Cancelled, {scheduled.cancel_s:.1f} s after the first try.",
            "CancelScheduledSMSOperator works with this account.",
            values=values,
        )
    return Finding(
        Result.NOT_OBSERVED, "No message was scheduled.", "Nothing is known about it.", values=values
    )


def find_after(by_id: Mapping[str, Any] | None, listed: Mapping[str, Any] | None) -> Finding:
    """Say how the reports show a cancelled message."""
    states = [None if record is None else read_state(record.get("state_id")) for record in (by_id, listed)]
    words = [_state(None if record is None else record.get("state_id")) for record in (by_id, listed)]
    values = {"by_id": words[0], "listed": words[1]}
    observed = f"by_bulk: {words[0]}; new_list: {words[1]}."
    if states == [State.CANCELLED, State.CANCELLED]:
        return Finding(
            Result.AS_DOCUMENTED, observed, "A cancelled message is not taken for a sent one.", values=values
        )
    if all(state in {State.CANCELLED, None} for state in states):
        return Finding(
            Result.DIFFERS,
            observed,
            "A cancelled message disappears from the reports, at least for a time. It is not taken for a "
            "sent one.",
            values=values,
        )
    return Finding(
        Result.DIFFERS,
        observed,
        "The reports do not show that the message was cancelled. Look into the gateway's panel whether it "
        "is, and do not rely on scheduled messages.",
        _NO_WITNESS,
        values=values,
    )


def _state(state_id: object) -> str:
    if state_id is None:
        return "not shown"
    state = read_state(state_id)
    return (
        f"state {int(state)} ({state.meaning})" if isinstance(state, State) else f"unknown state {state[:20]}"
    )
