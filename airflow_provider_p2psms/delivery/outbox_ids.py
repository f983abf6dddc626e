"""Outbox ids in the forms in which tasks hand them on."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import sub

from airflow_provider_p2psms.errors import InvalidMessageError

_RUN = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18})(?:/([1-9][0-9]{0,18}))?")
# No send has so many messages: a run of more is no list of ids.
_LONGEST_RUN = 100_000_000
_SHORTEST_RUN = 3


def parse_outbox_ids(value: object, *, none_is_empty: bool = False) -> tuple[int, ...]:
    """
    Read outbox ids in any form.

    :param value: one id, a run of them as in the result of a large send (``write_runs``), a list of both (of
        a mapped send, a list of lists), a send's whole result, or text of any of these, as JSON or as Jinja
        writes it.
    :param none_is_empty: take None, also as Jinja writes it, for an empty list: a task that was skipped has
        returned nothing.
    :return: each id once, in the order given; nothing for an empty list.
    :raises InvalidMessageError: something in it is no id, or there is nothing where ids belong.
    """
    return tuple(dict.fromkeys(_ids(value, none_is_empty=none_is_empty)))


def write_runs(outbox_ids: Sequence[int]) -> list[int | str]:
    """
    Write ids in their order, those that count up evenly as a run, others as they are.

    A run is ``"first-last"``, or ``"first-last/step"`` where the step is not 1: the gateway's own examples
    count by two.
    """
    written: list[int | str] = []
    # The ids up to `last` have been looked at, those before `start` are written.
    start = last = 0
    for step, same in groupby(map(sub, outbox_ids[1:], outbox_ids)):
        last += sum(1 for _ in same)
        if step > 0 and last - start >= _SHORTEST_RUN - 1:
            every = f"/{step}" if step > 1 else ""
            written.append(f"{outbox_ids[start]}-{outbox_ids[last]}{every}")
            start = last + 1
        else:
            written += outbox_ids[start:last]
            start = max(start, last)
    return [*written, *outbox_ids[start:]]


def _ids(value: object, *, none_is_empty: bool) -> Iterator[int]:
    if isinstance(value, str):
        if run := _RUN.fullmatch(value):
            yield from _run(int(run[1]), int(run[2]), int(run[3] or 1))
            return
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
            f"message_outbox_ids holds {_kind(value)} in place of an outbox id. Give it the "
            "message_outbox_ids of a send task, one id, a list of ids, or a list as JSON text."
        )


def _run(first: int, last: int, step: int) -> range:
    if not 0 <= last - first < step * _LONGEST_RUN or (last - first) % step:
        raise InvalidMessageError(
            'message_outbox_ids holds a text like "first-last" that is no run of outbox ids. It takes the '
            "message_outbox_ids of a send task as they are."
        )
    return range(first, last + 1, step)


def _from_text(text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        # Jinja writes a list as Python does: with single quotes.
        try:
            value = ast.literal_eval(text.strip()) if text.lstrip()[:1] in {"[", "{"} else text
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
    # A text inside of a text is no form of ours.
    return text if isinstance(value, str) else value


def _kind(value: object) -> str:
    return "nothing (None)" if value is None else f"a {type(value).__name__}"
