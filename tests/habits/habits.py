"""The habits of reports that are tried: how each shows texts, lines, recipients, times, pages and counts."""

import html
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.habits.gateway import Entry, Habits, Page, honest_page

_PERSIAN, _ARABIC, _LATIN = "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩", "0123456789"
_ZWNJ = "\u200c"
LATE = 3_600.0

# --- texts


def _replacing(*pairs: tuple[str, str]) -> Callable[[str], str]:
    def show(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    return show


def _digits(alphabet: str) -> Callable[[str], str]:
    table = {
        ord(digit): alphabet[place]
        for each in (_PERSIAN, _ARABIC, _LATIN)
        for place, digit in enumerate(each)
    }
    return lambda text: text.translate(table)


TEXTS: dict[str, Callable[[str], str | None]] = {
    "suffix": lambda text: f"{text}\nلغو11",
    "suffix_at_once": lambda text: f"{text}لغو۱۱",
    "prefix": lambda text: f"تبلیغ: {text}",
    "arabic_letters": _replacing(("ی", "ي"), ("ک", "ك")),
    "persian_digits": _digits(_PERSIAN),
    "arabic_digits": _digits(_ARABIC),
    "latin_digits": _digits(_LATIN),
    "zwnj_blank": _replacing((_ZWNJ, " ")),
    "zwnj_dropped": _replacing((_ZWNJ, "")),
    "crlf": _replacing(("\n", "\r\n")),
    "line_end_blank": _replacing(("\n", " ")),
    "line_end_dropped": _replacing(("\n", "")),
    "br": _replacing(("\n", "<br>")),
    "br_closed": _replacing(("\n", "<br />\n")),
    "html": html.escape,
    "blanks": lambda text: " ".join(text.split()),
    "quotes": _replacing((' "', " “"), ('"', "”"), ("'", "’"), (" - ", " – "), ("...", "…")),
    "shortened": lambda text: text[:40],
    "shortened_with_dots": lambda text: f"{text[:40]}...",
    "shortened_to_10": lambda text: f"{text[:10]}…",
    "suffix_and_letters": lambda text: f"{text}\nلغو11".replace("ی", "ي").replace("\n", "\r\n"),
    "masked": lambda text: f"{text[:3]}*****",
    "stars": lambda text: "*" * 8,
    "null": lambda text: None,
    "empty": lambda text: "",
}

# --- pages


def _pages_with(**changed: Any) -> Callable[..., Page]:
    def show(records: list[dict[str, Any]], page: int, size: int) -> Page:
        data, meta = honest_page(records, page, size)
        return Page(data, {name: value for name, value in {**meta, **changed}.items() if value != "missing"})

    return show


def _nested(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page(data, {"pagination": meta})


def _other_size(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page(data, {**meta, "last_page": max(1, -(-len(records) // 100))})


def _empty_in_the_middle(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page([] if 1 < page < meta["last_page"] else data, meta)


def _empty_first(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page([] if page == 1 and meta["last_page"] > 1 else data, meta)


def _no_deep(records: list[dict[str, Any]], page: int, size: int) -> Page:
    return honest_page(records[:size], page, size)


def _no_deep_but_total(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page(data if page == 1 else [], meta)


def _number_ignored(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, 1, size)
    return Page(data, {**meta, "current_page": page})


def _unstable(records: list[dict[str, Any]], page: int, size: int) -> Page:
    mixed = list(records)
    random.shuffle(mixed)
    return honest_page(mixed, page, size)


def _oldest_first(records: list[dict[str, Any]], page: int, size: int) -> Page:
    return honest_page(records[::-1], page, size)


def _null(records: list[dict[str, Any]], page: int, size: int) -> Page:
    return Page(None, honest_page(records, page, size).meta)


def _null_and_none(records: list[dict[str, Any]], page: int, size: int) -> Page:
    return Page(None, {})


def _empty_and_none(records: list[dict[str, Any]], page: int, size: int) -> Page:
    return honest_page([], page, size)


def _items(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page({"items": data}, meta)


def _by_id(records: list[dict[str, Any]], page: int, size: int) -> Page:
    data, meta = honest_page(records, page, size)
    return Page({str(place): each for place, each in enumerate(data)}, meta)


PAGES: dict[str, Callable[[list[dict[str, Any]], int, int], Page]] = {
    "last_page_missing": _pages_with(last_page="missing"),
    "last_page_null": _pages_with(last_page=None),
    "last_page_one": _pages_with(last_page=1),
    "no_meta": _pages_with(
        **dict.fromkeys(("current_page", "from", "last_page", "per_page", "to", "total"), "missing")
    ),
    "total_missing": _pages_with(total="missing"),
    "total_null": _pages_with(total=None),
    "total_small": _pages_with(total=1),
    "total_zero": _pages_with(total=0),
    "total_large": _pages_with(total=10_000),
    "nested": _nested,
    "other_size": _other_size,
    "empty_in_the_middle": _empty_in_the_middle,
    "empty_first": _empty_first,
    "no_deep_but_total": _no_deep_but_total,
    "number_ignored": _number_ignored,
    "unstable": _unstable,
    "oldest_first": _oldest_first,
    "null": _null,
    "null_and_none": _null_and_none,
    "items": _items,
    "by_place": _by_id,
}
# What tells nothing of what it leaves out: only a witness shows that.
BLIND_PAGES: dict[str, Callable[[list[dict[str, Any]], int, int], Page]] = {
    "no_deep": _no_deep,
    "always_empty": _empty_and_none,
}

# --- recipients


def _national(number: str) -> str:
    return f"0{number.removeprefix('+98')}"


def _foreign_added(entries: Sequence[Entry]) -> Sequence[Entry]:
    return [*entries, Entry("+989900000001", entries[0].text)]


HABITS: dict[str, Habits] = {
    "contract": Habits(),
    **{f"text_{name}": Habits(text=show) for name, show in TEXTS.items()},
    **{f"pages_{name}": Habits(paging=show, page_size=4) for name, show in (PAGES | BLIND_PAGES).items()},
    "pages_of_four": Habits(page_size=4),
    "line_short": Habits(line=lambda line: line.removeprefix("+98")),
    "line_without_plus": Habits(line=lambda line: line.removeprefix("+")),
    "line_with_zeros": Habits(line=lambda line: f"00{line.removeprefix('+')}"),
    "line_alias": Habits(line=lambda line: "+98BANK"),
    "line_null": Habits(line=lambda line: None),
    "line_missing": Habits(without=("number",)),
    "recipient_national": Habits(recipient=_national),
    "recipient_without_plus": Habits(recipient=lambda number: number.removeprefix("+")),
    "recipient_with_zeros": Habits(recipient=lambda number: f"00{number.removeprefix('+')}"),
    "recipient_bare": Habits(recipient=lambda number: number.removeprefix("+98")),
    "recipient_masked": Habits(recipient=lambda number: f"{_national(number)[:4]}***{number[-4:]}"),
    "recipient_masked_intl": Habits(recipient=lambda number: f"{number[:6]}XXXX{number[-3:]}"),
    "recipient_masked_end": Habits(recipient=lambda number: f"{number[:8]}*****"),
    "time_local": Habits(report_clock_s=12_600),
    "time_behind_local": Habits(report_clock_s=-12_600),
    "time_milliseconds": Habits(time=lambda at: str(int(at * 1_000))),
    "time_integer": Habits(time=int),
    "time_ahead": Habits(report_clock_s=600),
    "time_behind": Habits(report_clock_s=-600),
    "clock_ahead": Habits(clock_s=600),
    "clock_behind": Habits(clock_s=-600),
    "time_missing": Habits(without=("time", "time_send")),
    "time_null": Habits(time=lambda _: None),
    "count_missing": Habits(without=("rcpts_count",)),
    "count_zero": Habits(count=lambda _: "0"),
    "count_one": Habits(count=lambda _: "1"),
    "four_shown": Habits(entries=lambda entries: entries[:4]),
    "four_shown_of_one": Habits(entries=lambda entries: entries[:4], count=lambda _: "1"),
    "four_shown_uncounted": Habits(entries=lambda entries: entries[:4], without=("rcpts_count",)),
    "four_shown_of_all": Habits(entries=lambda entries: entries[:4], entries_total=lambda _, true: true),
    "none_shown": Habits(entries=lambda entries: entries[:0]),
    "one_left_out": Habits(entries=lambda entries: entries[1:], count=lambda each: str(each - 1)),
    "one_added": Habits(entries=_foreign_added, count=lambda each: str(each + 1)),
    "recipients_uncounted": Habits(entries_total=lambda *_: None),
    "filters_ignored": Habits(filters=False),
    "an_hour_behind": Habits(lag_s=LATE),
    "lags_at_random": Habits(lag_s=(0.0, LATE, 0.3, 0.0)),
    "ids_by_request": Habits(records_by="request"),
    "ids_by_recipient": Habits(records_by="recipient"),
}
