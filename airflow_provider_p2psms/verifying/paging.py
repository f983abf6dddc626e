"""Asks the list for pages of several sizes and with several filters, and says how it answers."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_p2psms.gateway.values import parse_whole_number
from airflow_provider_p2psms.verifying.asking import Questions, Reply
from airflow_provider_p2psms.verifying.findings import Finding, Result
from airflow_provider_p2psms.verifying.texts import BAR
from airflow_provider_p2psms.verifying.watching import Sighting, dates, in_seconds, is_milliseconds, window_of

_META = ("current_page", "last_page", "per_page", "total")
_PAGES_OF_TWO = 8
_AROUND_S = 30
_DATES = "create_from_date and create_to_date"
_USED_SIZE = 100
_SIZES = (1, 100, 500)
_UNPROVEN = (
    "The package cannot prove that it saw the whole list. Absence is then never believed: a message whose "
    "answer was lost and that the report does not show stays in doubt, for a person."
)
_BY_DATE = {
    "works": "The package filters by date alone.",
    "is ignored": "The package reads the whole list of the account. If that has more than 60,000 records "
    "(300,000 where the gateway gives pages of 500), absence is never believed.",
}
_PROVEN = "The package can read the whole list and prove it."
_UNKNOWN = "Nothing is known about it."


def ask_pages(questions: Questions, sightings: Sequence[Sighting], *, line: str) -> dict[str, Finding]:
    """Ask for pages of the window that holds what was sent."""
    listed = [each for each in sightings if each.listed is not None]
    if not listed:
        finding = Finding(Result.NOT_OBSERVED, "The list shows no message of this run.", _UNKNOWN)
        return dict.fromkeys(("report.pages", "report.limit", "report.last_page", "report.filters"), finding)
    window = window_of(listed, around_s=_AROUND_S)
    return {
        "report.pages": _find_pages(questions, window, {each.outbox_id for each in listed}),
        "report.limit": _find_limit(questions, window),
        "report.last_page": _find_last_page(questions),
        "report.filters": _find_filters(questions, listed[0], line=line),
    }


def _find_pages(questions: Questions, window: Mapping[str, str], ids: set[int]) -> Finding:
    pages: list[Reply] = []
    for page in range(1, _PAGES_OF_TWO + 1):
        reply = questions.insist(partial(questions.page, window, page=page, limit=2))
        pages.append(reply)
        if not reply.is_ok or _is_end(pages):
            break
    again = questions.insist(partial(questions.page, window, limit=2))
    if not pages[0].is_ok:
        return Finding(Result.DIFFERS, f"A page of 2 is not answered: {pages[0].problem}.", _UNPROVEN)
    blocking, harmless = _gaps(pages, ids), _oddities(pages, again)
    values = {
        "blocking": blocking,
        "harmless": harmless,
        "meta": {name: pages[0].meta.get(name) for name in _META},
    }
    if not blocking and not harmless:
        total = pages[0].meta.get("total")
        seen = "hold all" if _is_walked(pages) else f"({_PAGES_OF_TWO} were asked for) are good; there are"
        return Finding(
            Result.AS_DOCUMENTED,
            f"Pages of 2 {seen} {total} records, in a steady order.",
            _PROVEN,
            values=values,
        )
    return Finding(
        Result.DIFFERS,
        f"{'. '.join(blocking + harmless)}.",
        _UNPROVEN if blocking else f"{_PROVEN} It does not rely on these numbers.",
        values=values,
    )


def _is_end(pages: Sequence[Reply]) -> bool:
    """Whether all records were seen, or nothing says that there are more."""
    last_page, total = (parse_whole_number(pages[0].meta.get(name)) for name in ("last_page", "total"))
    if total is not None and len(_seen(pages)) >= total:
        return last_page is None or len(pages) >= last_page
    return not pages[-1].records and (last_page is None or len(pages) >= last_page)


def _is_walked(pages: Sequence[Reply]) -> bool:
    return len(pages) < _PAGES_OF_TWO or _is_end(pages)


def _gaps(pages: Sequence[Reply], ids: set[int]) -> list[str]:
    """Return what keeps the package from proving that it saw all."""
    first, found = pages[0], []
    if not isinstance(first.data, list):
        found.append("data is null" if first.data is None else "data is no list")
    total = parse_whole_number(first.meta.get("total"))
    if total is None:
        found.append(_without("total", first))
    refused = [place for place, each in enumerate(pages, start=1) if not each.is_ok]
    if refused:
        found.append(f"Page {refused[0]} is not answered: {pages[refused[0] - 1].problem}")
    empty = [place for place, each in enumerate(pages, start=1) if each.is_ok and not each.records]
    if empty and any(each.records for each in pages[empty[0] :]):
        found.append(f"Page {empty[0]} is empty, and later ones are not")
    page_ids = [tuple(_ids(each.records)) for each in pages if each.records]
    if len(page_ids) > 1 and len(set(page_ids)) == 1:
        return [*found, "The page number is ignored: each page is the first"]
    numbers = [parse_whole_number(page.meta.get("current_page")) for page in pages if page.is_ok]
    if None not in numbers and numbers != list(range(1, len(numbers) + 1)):
        found.append("current_page is not the page asked for")
    seen = _seen(pages)
    if not refused and total is not None and _is_walked(pages) and total != len(seen):
        found.append(f"total is {total} where {len(seen)} records are shown")
    if _is_walked(pages) and not ids <= seen:
        found.append(f"{len(ids - seen)} of {len(ids)} messages are on no page")
    return found


def _oddities(pages: Sequence[Reply], again: Reply) -> list[str]:
    """Return what differs from the documents and is no problem."""
    first, found = pages[0], []
    total, per_page, last_page = (
        parse_whole_number(first.meta.get(name)) for name in ("total", "per_page", "last_page")
    )
    found += [_without(name, first) for name in _META[:3] if parse_whole_number(first.meta.get(name)) is None]
    if per_page is not None and per_page != 2:
        found.append(f"per_page is {per_page} where limit is 2")
    if len(first.records) > 2:
        found.append(f"A page of 2 holds {len(first.records)} records")
    if total is not None and last_page is not None and last_page != max(1, -(-total // 2)):
        found.append(f"last_page is {last_page} for {total} records, 2 on a page")
    if again.is_ok and again.records and _ids(again.records) != _ids(first.records):
        found.append("The order differs from question to question")
    return found


def _without(name: str, reply: Reply) -> str:
    is_nested = _is_nested(name, reply.meta) or _is_nested(name, reply.data)
    return f"{name} is not in meta but deeper" if is_nested else f"{name} is missing"


def _seen(pages: Sequence[Reply]) -> set[int | None]:
    return {each for page in pages for each in _ids(page.records)}


def _find_limit(questions: Questions, window: Mapping[str, str]) -> Finding:
    sizes: dict[int, str] = {}
    for limit in _SIZES:
        reply = questions.insist(partial(questions.page, window, limit=limit))
        per_page = parse_whole_number(reply.meta.get("per_page"))
        sizes[limit] = reply.problem if not reply.is_ok else str(per_page or f"{len(reply.records)} records")
    plain = all(shown == str(limit) for limit, shown in sizes.items() if limit <= _USED_SIZE)
    answers = ", ".join(f"limit={limit}: {shown}" for limit, shown in sizes.items())
    return Finding(
        Result.OBSERVED if plain else Result.DIFFERS,
        f"per_page as answered: {answers}.",
        "The package asks for pages of 100, and goes on until it saw all records. In a list of more than "
        "2,000 records it asks for pages of 500, if the gateway gives them.",
        values={"per_page": {str(limit): shown for limit, shown in sizes.items()}},
    )


def _find_last_page(questions: Questions) -> Finding:
    first = questions.insist(lambda: questions.page({}))
    last_page = parse_whole_number(first.meta.get("last_page"))
    if not first.is_ok or last_page is None:
        why = first.problem if not first.is_ok else "Without filters the list has no last_page"
        return Finding(Result.NOT_OBSERVED, f"{why}.", _UNKNOWN)
    last = questions.insist(lambda: questions.page({}, page=last_page))
    values = {"last_page": last_page, "records": len(last.records)}
    if last.is_ok and last.records:
        return Finding(
            Result.AS_DOCUMENTED,
            f"Without filters the last page, {last_page:,}, holds {len(last.records)} records.",
            "Deep pages can be read.",
            values=values,
        )
    why = "is empty" if last.is_ok else f"is not answered ({last.problem})"
    return Finding(
        Result.DIFFERS,
        f"Without filters the last page, {last_page:,}, {why}.",
        "Deep pages cannot be read. The package asks for short windows of time; in a window with more "
        "records than pages can be read, absence is never believed.",
        values=values,
    )


def _find_filters(questions: Questions, one: Sighting, *, line: str) -> Finding:
    at = one.time
    works: dict[str, str] = {}
    if at is not None:
        now = in_seconds(at)
        before = dates(now - 7_200, now - 3_600)
        works[_DATES] = _judge(questions, dates(now - 60, now + 60), before, one)
        if is_milliseconds(at) and works[_DATES] != "works":
            near, before = dates(at - 60_000, at + 60_000), dates(at - 7_200_000, at - 3_600_000)
            works["dates in milliseconds"] = _judge(questions, near, before, one)
    by_id = {"messages_outbox_id": str(one.outbox_id)}
    works["messages_outbox_id"] = _judge(questions, by_id, {"messages_outbox_id": "1"}, one)
    works["number"] = _judge(questions, {"number": line}, {"number": "+980000000"}, one)
    by_text = {"message": one.sent.partition(BAR)[0]}
    works["message"] = _judge(questions, by_text, {"message": "no such text was ever sent"}, one)
    works = {_DATES: "not asked, since records have no time", **works}
    odd = {name: shown for name, shown in works.items() if shown != "works"}
    named = "; ".join(f"{name}: {shown}" for name, shown in odd.items())
    return Finding(
        Result.DIFFERS if odd else Result.AS_DOCUMENTED,
        f"{named}." if odd else "All of them work.",
        _BY_DATE.get(works[_DATES], _UNPROVEN),
        values=works,
    )


def _judge(
    questions: Questions, fitting: Mapping[str, str], unfitting: Mapping[str, str], one: Sighting
) -> str:
    found = questions.insist(lambda: questions.page(fitting))
    if not found.is_ok:
        return found.problem
    if one.outbox_id not in _ids(found.records):
        total = parse_whole_number(found.meta.get("total")) or 0
        return "not clear, pages are too short" if total > len(found.records) else "does not find the message"
    other = questions.insist(lambda: questions.page(unfitting))
    if other.is_ok and one.outbox_id in _ids(other.records):
        return "is ignored"
    return "works"


def _ids(records: Iterable[Mapping[str, Any]]) -> list[int | None]:
    return [parse_whole_number(each.get("messages_outbox_id")) for each in records]


def _is_nested(name: str, value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return any(
        isinstance(each, Mapping) and (name in each or _is_nested(name, each)) for each in value.values()
    )
