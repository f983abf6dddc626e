"""What the answers to sends say: ids, their order, and the 40-second rule. Pure."""

from collections.abc import Sequence

from airflow_provider_p2psms.verifying.findings import Finding, Result
from airflow_provider_p2psms.verifying.sends import ENOUGH_FOR_THE_RULE_S, Sent
from airflow_provider_p2psms.verifying.texts import BAR
from airflow_provider_p2psms.verifying.watching import Sighting

_DOUBT = "It is looked up in the reports instead of being sent again."


def find_ids(sent: Sent, *, of: str) -> Finding:
    """Compare the number of ids with that of the texts. ``of``: what has an id of its own."""
    values = {"ids": list(sent.ids), "due": len(sent.texts)}
    if sent.is_plain:
        distinct = "" if len(set(sent.ids)) == len(sent.ids) else ", not all different"
        return Finding(
            Result.DIFFERS if distinct or min(sent.ids) <= 0 else Result.AS_DOCUMENTED,
            f"{_ids(sent)} for {len(sent.texts)} {of}s{distinct}.",
            f"Each {of} is followed by its own id.",
            values=values,
        )
    if sent.is_taken:
        return Finding(
            Result.DIFFERS,
            f"{_ids(sent)} for {len(sent.texts)} {of}s. {sent.problem}".strip(),
            f"After each such send the package cannot tell which id belongs to which {of}. {_DOUBT} "
            "Use the other operator if its line here says 'as documented'.",
            values=values,
        )
    return Finding(
        Result.DIFFERS, sent.problem, "Such a send does not work with this account.", values=values
    )


def find_order(sent: Sent, sightings: Sequence[Sighting], *, of: str) -> Finding:
    """Compare the text of the record of each id with the text that was sent in its place."""
    if not sent.is_plain:
        return Finding(
            Result.NOT_OBSERVED, f"There is not one id for each {of}.", "Nothing is known about it."
        )
    markers = [text.partition(BAR)[0] for text in sent.texts]
    shown = {each.outbox_id: _marker_shown(each, markers) for each in sightings}
    found = [shown.get(outbox_id) for outbox_id in sent.ids]
    if None in found:
        return Finding(
            Result.NOT_OBSERVED,
            "The reports do not show a text that can be told from the others for every id.",
            "The package takes the ids in the order sent, as always.",
        )
    if found == markers:
        return Finding(
            Result.OBSERVED,
            f"The ids stand in the order of the {of}s.",
            "The id in a result belongs to the message of the same row.",
            values={"in_order": True},
        )
    return Finding(
        Result.DIFFERS,
        f"The ids do not stand in the order of the {of}s.",
        "The id in a result may belong to another message of the same request. Counts are right; look a "
        "person's message up by number, not by id.",
        values={"in_order": False},
    )


def find_repeat(first: Sent, second: Sent, *, of: str) -> Finding:
    """Read what a second request with the same texts came to."""
    after_s = second.left_at - first.left_at
    values: dict[str, object] = {"after_s": round(after_s, 1)}
    if after_s > ENOUGH_FOR_THE_RULE_S:
        return Finding(
            Result.NOT_OBSERVED,
            f"The first request took {after_s:.0f} s, so the second was not within 40 seconds.",
            "Nothing is known about it.",
            values=values,
        )
    if second.refused and second.refused.http_status == 429:
        return Finding(
            Result.AS_DOCUMENTED,
            f"The same {of} after {after_s:.1f} s: HTTP 429.",
            "The gateway itself stops an immediate second copy. It does not stop one after 40 seconds: the "
            "package does not rely on it.",
            values=values | {"covered": True},
        )
    if second.is_taken:
        return Finding(
            Result.DIFFERS,
            f"The same {of} after {after_s:.1f} s: taken again, {_ids(second)}. You paid for both.",
            f"The gateway does not stop second copies of {of}s. Only the ledger does: never send the same "
            "rows by another way while a send is in doubt.",
            values=values | {"covered": False},
        )
    return Finding(
        Result.DIFFERS,
        f"The same {of} after {after_s:.1f} s: {second.problem}",
        "Nothing certain is known about it.",
        values=values,
    )


def find_scheduling(sent: Sent, *, send_time: str) -> Finding:
    """Read what scheduling came to."""
    if sent.is_taken:
        return Finding(
            Result.AS_DOCUMENTED if sent.is_plain else Result.DIFFERS,
            f"Taken for {send_time} UTC, 88 days ahead: {_ids(sent)}.",
            "send_time works with this account.",
            values={"ids": list(sent.ids)},
        )
    return Finding(
        Result.DIFFERS,
        sent.problem,
        "send_time does not work with this account, at least not 88 days ahead.",
    )


def _ids(sent: Sent) -> str:
    return "1 id" if len(sent.ids) == 1 else f"{len(sent.ids)} ids"


def _marker_shown(sighting: Sighting, markers: Sequence[str]) -> str | None:
    texts = [str(record.get("message")) for record in (sighting.record, sighting.listed) if record]
    found = [marker for marker in markers if any(marker in text for text in texts)]
    return found[0] if len(found) == 1 else None
