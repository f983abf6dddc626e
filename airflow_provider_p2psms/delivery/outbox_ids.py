"""Outbox ids in the forms in which tasks hand them on."""

import json
from collections.abc import Iterable, Iterator, Mapping

from airflow_provider_p2psms.errors import InvalidMessageError


def parse_outbox_ids(value: object, *, none_is_empty: bool = False) -> tuple[int, ...]:
    """
    Read outbox ids in any form.

    :param value: one id, a list of them (of a mapped send, a list of lists), a send's whole result, or JSON
        text of any of these.
    :param none_is_empty: take None, also as Jinja writes it, for an empty list: a task that was skipped has
        returned nothing.
    :return: each id once, in the order given; nothing for an empty list.
    :raises InvalidMessageError: something in it is no id, or there is nothing where ids belong.
    """
    return tuple(dict.fromkeys(_ids(value, none_is_empty=none_is_empty)))


def write_runs(outbox_ids: Iterable[int]) -> list[int | str]:
    """Write ids that follow each other, as those of a send do, as ``"first-last"``; others as they are."""
    runs: list[list[int]] = []
    for each in outbox_ids:
        if runs and runs[-1][1] + 1 == each:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return [first if first == last else f"{first}-{last}" for first, last in runs]


def read_runs(written: Iterable[int | str]) -> list[int]:
    """Read what ``write_runs`` has written, in the same order; plain ids as well."""
    ids: list[int] = []
    for each in written:
        first, _, last = str(each).partition("-")
        ids.extend(range(int(first), int(last or first) + 1))
    return ids


def _ids(value: object, *, none_is_empty: bool) -> Iterator[int]:
    if isinstance(value, str):
        value = _from_text(value)
    if none_is_empty and value in (None, "", "None"):
        return
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        yield value
    elif isinstance(value, Mapping) and "message_outbox_ids" in value:
        yield from _ids(value["message_outbox_ids"], none_is_empty=none_is_empty)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        for each in value:
            yield from _ids(each, none_is_empty=none_is_empty)
    else:
        raise InvalidMessageError(
            f"message_outbox_ids holds {_kind(value)} where an outbox id is due. It takes the "
            "message_outbox_ids of a send task: one id, a list, or JSON text of one."
        )


def _from_text(text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    # A text inside of a text is no form of ours.
    return text if isinstance(value, str) else value


def _kind(value: object) -> str:
    return "nothing (None)" if value is None else f"a {type(value).__name__}"
