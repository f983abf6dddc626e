"""Which messages of a send are taken, and which of them under one outbox id: a fault may change both."""

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_p2psms.sandbox.contract import Group
from airflow_provider_p2psms.sandbox.faults import Takes


def regroup(groups: Sequence[Group], takes: Takes) -> tuple[Group, ...]:
    """Return the groups that are taken, each with an id of its own."""
    match takes:
        case Takes.HALF:
            return tuple(groups[: len(groups) // 2])
        case Takes.ALL_UNDER_ONE_ID:
            return (_as_one(groups),)
        case Takes.ALL_UNDER_AN_ID_EACH:
            return tuple(replace(group, recipients=(to,)) for group in groups for to in group.recipients)
        case _:
            return tuple(groups)


def _as_one(groups: Sequence[Group]) -> Group:
    return Group(
        recipients=tuple(recipient for group in groups for recipient in group.recipients),
        text=groups[0].text,
        parts=max(group.parts for group in groups),
        own_texts=tuple(group.text for group in groups for _ in group.recipients),
    )
