"""How the reports show a text, a line, a recipient and a time: pure functions of what was sent."""

import html
import re
from datetime import UTC, datetime

from airflow_provider_p2psms.sandbox.habits import Habits
from airflow_provider_p2psms.sandbox.statuses import DELIVERED

IRAN_OFFSET_S = 3.5 * 3600
# The gateway's own number, shown among the recipients by the habit `recipient_added`.
ADDED_RECIPIENT = "+989990000000"

_ZWNJ = "\u200c"
_ARABIC_YA, _PERSIAN_YA, _ARABIC_KAF, _PERSIAN_KAF = "\u064a", "\u06cc", "\u0643", "\u06a9"
_LETTERS = {
    "as_sent": {},
    "persian": str.maketrans(_ARABIC_YA + _ARABIC_KAF, _PERSIAN_YA + _PERSIAN_KAF),
    "arabic": str.maketrans(_PERSIAN_YA + _PERSIAN_KAF, _ARABIC_YA + _ARABIC_KAF),
}
_DIGITS = {
    "latin": "0123456789",
    "persian": "".join(map(chr, range(0x6F0, 0x6FA))),
    "arabic": "".join(map(chr, range(0x660, 0x66A))),
}
_LINE_END = re.compile(r"\r\n|\r|\n")
_MASKED_AFTER = 3


def show_text(text: str, habits: Habits) -> str | None:
    """Return a text as the reports show it; ``None`` where they show none."""
    if habits.text_shown == "null":
        return None
    text = habits.outbox_prefix + _fold(text, habits) + habits.outbox_suffix
    if 0 < habits.text_shortened_to < len(text):
        text = text[: habits.text_shortened_to] + habits.text_dots
    if habits.text_html_escaped:
        text = html.escape(text).replace("&#x27;", "&#039;")  # as PHP writes it
    text = _show_line_ends(text, habits)
    if habits.text_shown == "masked":
        return text[:_MASKED_AFTER] + re.sub(r"\S", "*", text[_MASKED_AFTER:])
    return re.sub(r"\d", "*", text) if habits.text_shown == "digits_masked" else text


def _fold(text: str, habits: Habits) -> str:
    text = text.translate(_LETTERS[habits.text_letters])
    if habits.text_digits != "as_sent":
        shown = _DIGITS[habits.text_digits]
        text = text.translate(
            {ord(digit): shown[n] for form in _DIGITS.values() for n, digit in enumerate(form)}
        )
    if habits.text_zwnj != "as_sent":
        text = text.replace(_ZWNJ, "" if habits.text_zwnj == "dropped" else " ")
    if habits.text_typographic:
        text = _set_type(text)
    if habits.text_line_ends == "blanked":
        text = _LINE_END.sub(" ", text)
    if habits.text_blanks_collapsed:
        text = re.sub(r"[ \t]+", " ", text).strip()
    return text


def _set_type(text: str) -> str:
    text = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", text)
    return text.replace("'", "\u2019").replace("...", "\u2026").replace(" - ", " \u2013 ")


def _show_line_ends(text: str, habits: Habits) -> str:
    shown = {"crlf": "\r\n", "br": "<br>"}.get(habits.text_line_ends)
    return text if shown is None else _LINE_END.sub(shown, text)


def show_line(number: str, habits: Habits) -> str | None:
    """Return a sending line as the reports show it; ``None`` where they show none."""
    if habits.line_alias:
        return habits.line_alias
    bare = number.removeprefix("+")
    match habits.line_shown:
        case "no_plus":
            return bare
        case "no_98":
            return bare.removeprefix("98")
        case "double_zero":
            return f"00{bare}" if number.startswith("+") else number
        case "null":
            return None
        case _:
            return number


def show_recipient(number: str, habits: Habits) -> str:
    """Return a recipient (E.164) as the reports show it; a national form is there for +98 alone."""
    national = f"0{number[3:]}" if number.startswith("+98") else number
    match habits.recipients_shown:
        case "no_plus":
            return number.removeprefix("+")
        case "national":
            return national
        case "masked":
            return f"{number[:6]}***{number[-4:]}"
        case "masked_national":
            return f"{national[:4]}***{national[-4:]}"
        case _:
            return number


def show_recipients(entries: list[tuple[str, str, int]], habits: Habits) -> list[tuple[str, str, int]]:
    """Return the recipients that the reports show, each with its text and its ending; spelled as sent."""
    shown = entries[:-1] if habits.recipient_left_out and len(entries) > 1 else entries
    if habits.recipient_added:
        shown = [*shown, (ADDED_RECIPIENT, entries[0][1], DELIVERED)]
    return shown[: habits.recipients_most] if habits.recipients_most else shown


def count_recipients(count: int, habits: Habits) -> str | None:
    """Return ``rcpts_count`` of a message with so many recipients; ``None`` where a record has none."""
    if habits.rcpts_count != "shown":
        return None if habits.rcpts_count == "absent" else habits.rcpts_count
    return str(count - (habits.recipient_left_out and count > 1) + habits.recipient_added)


def clock_offset_s(habits: Habits) -> float:
    """Return by how many seconds the times that the reports show, and filter by, are ahead."""
    return habits.clock_offset_s + (IRAN_OFFSET_S if habits.time_local else 0)


def show_time(at: float, habits: Habits) -> str | None:
    """Return a Unix time as the reports show it; ``None`` where a record has none."""
    at += clock_offset_s(habits)
    match habits.time_shown:
        case "milliseconds":
            return str(int(at * 1000))
        case "text":
            return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        case "absent":
            return None
        case _:
            return str(int(at))
