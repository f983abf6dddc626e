"""The pages of the list and of recipients: which entries one shows, and the numbers in its ``meta``."""

import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.envelope import wrong_fields
from airflow_provider_p2psms.sandbox.habits import Habits

# No more digits than SQLite can hold.
_MAX_PAGE = 99_999
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Cut:
    """One page: ``number`` as it is shown, ``size`` entries from ``offset`` on, none if ``is_empty``."""

    number: int
    size: int
    offset: int
    is_empty: bool


def cut_page(page: int, size: int, habits: Habits) -> Cut:
    """
    Say which entries page ``page`` shows.

    :raises Refused: 422, for a page beyond the deepest.
    """
    is_deeper = 0 < habits.pages_deepest < page
    if is_deeper and habits.pages_deeper == "refused":
        raise wrong_fields({"page": [phrases.NOT_A_NUMBER]})
    if habits.page_size_most:
        size = min(size, habits.page_size_most)
    shown = page if habits.page_number == "obeyed" else 1
    return Cut(
        number=1 if habits.page_number == "ignored" else page,
        size=size,
        offset=(shown - 1) * size,
        is_empty=is_deeper or page == habits.page_empty,
    )


def paging(cut: Cut, count: int, *, total: int, path: str, habits: Habits) -> dict[str, Any]:
    """Build the numbers of a page that shows ``count`` of ``total`` entries."""
    first = (cut.number - 1) * cut.size + 1
    numbers = {
        "current_page": cut.number,
        "from": first if count else None,
        "last_page": max(1, -(-total // (habits.last_page_counted_by or cut.size))),
        "path": path,
        "per_page": cut.size,
        "to": first + count - 1 if count else None,
        "total": total // 2 if habits.total == "too_small" else total,
    }
    nested: dict[str, Any] = {}
    for name, habit in (("last_page", habits.last_page), ("total", habits.total)):
        if habit in {"missing", "nested"}:
            number = numbers.pop(name)
            if habit == "nested":
                nested[name] = number
        elif habit == "null":
            numbers[name] = None
    return {**numbers, "pagination": nested} if nested else numbers


def shape(entries: list[dict[str, Any]], habits: Habits) -> object:
    """Return the ``data`` of a page with these entries."""
    match habits.list_shape:
        case "null":
            return None
        case "items":
            return {"items": entries}
        case _:
            return entries


def whole_number(given: object, field: str) -> int:
    """
    Read an integer of 0 or more, that may come as text.

    :raises Refused: 422 on ``field``.
    """
    text = str(given)
    if isinstance(given, bool) or not _WHOLE_NUMBER.fullmatch(text):
        raise wrong_fields({field: [phrases.NOT_A_NUMBER]})
    return int(text)


def page_number(given: object, field: str) -> int:
    """
    Read the number or the size of a page: 1 to 99,999.

    :raises Refused: 422 on ``field``.
    """
    number = whole_number(given, field)
    if not 1 <= number <= _MAX_PAGE:
        raise wrong_fields({field: [phrases.NOT_A_NUMBER]})
    return number
