"""The second table: habits of the reports, and what becomes of a lost request under each of them."""

from dataclasses import dataclass, field
from typing import Any

from scripts.faults.measure import Message

LONG_S = 3_600.0
SHARED_TEXT = "سفارش شما آماده‌ی تحویل است:\n«کد پیگیری ۱۲۳۴»  <b>سپاس</b> & بدرود"
# The lost batch: a text of its own, and one that three share.
LOST: tuple[Message, ...] = (
    ("+989120000001", "مشتری گرامی، سفارش ۴۲ ارسال شد.\nکد: ۵۶۷۸ & 'سپاس'"),
    ("+989120000002", SHARED_TEXT),
    ("+989120000003", SHARED_TEXT),
    ("+989120000004", SHARED_TEXT),
)
# A batch before it and one behind it, each with a group of its own.
EARLIER: tuple[Message, ...] = tuple((f"+98912000001{place}", "سفارش‌های پیشین") for place in range(4))
LATER: tuple[Message, ...] = tuple((f"+98912000002{place}", "سفارش‌های پسین") for place in range(4))


@dataclass(frozen=True)
class HabitRow:
    """One row of the second table."""

    words: str
    habits: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class HabitColumn:
    """
    One column of it: the fault of the second of three batches, and who else sends.

    :param text: what others send to their own recipients; "" where nobody does.
    """

    head: str
    fault: str
    text: str = ""
    report_lag: float | None = None


HABIT_ROWS = (
    HabitRow("none: as documented", {}),
    HabitRow("an hour late", {"report_lag_s": LONG_S}),
    HabitRow("opt-out line behind each text", {"outbox_suffix": "\nلغو11"}),
    HabitRow("sender's name before each text", {"outbox_prefix": "فروشگاه: "}),
    HabitRow("Arabic ya and kaf", {"text_letters": "arabic"}),
    HabitRow("digits in another script", {"text_digits": "latin"}),
    HabitRow("half-spaces dropped", {"text_zwnj": "dropped"}),
    HabitRow("half-spaces as blanks", {"text_zwnj": "blanked"}),
    HabitRow("line ends as CRLF", {"text_line_ends": "crlf"}),
    HabitRow("line ends as `<br>`", {"text_line_ends": "br"}),
    HabitRow("blanks collapsed", {"text_blanks_collapsed": True}),
    HabitRow("typographic quotes", {"text_typographic": True}),
    HabitRow("HTML escapes", {"text_html_escaped": True}),
    HabitRow("texts shortened, with dots", {"text_shortened_to": 20, "text_dots": "..."}),
    HabitRow("texts masked", {"text_shown": "masked"}),
    HabitRow("digits in texts masked", {"text_shown": "digits_masked"}),
    HabitRow("no texts", {"text_shown": "null"}),
    HabitRow("line without +98", {"line_shown": "no_98"}),
    HabitRow("line as a word", {"line_alias": "SHOP"}),
    HabitRow("no line", {"line_shown": "null"}),
    HabitRow("recipients as 09…", {"recipients_shown": "national"}),
    HabitRow("recipients masked", {"recipients_shown": "masked"}),
    HabitRow("one recipient of each message", {"recipients_most": 1}),
    HabitRow("the last recipient left out", {"recipient_left_out": True}),
    HabitRow("a recipient of the gateway's own", {"recipient_added": True}),
    HabitRow("no `rcpts_count`", {"rcpts_count": "absent"}),
    HabitRow("`rcpts_count` 1", {"rcpts_count": "1"}),
    HabitRow("clock 10 minutes ahead", {"clock_offset_s": 600.0}),
    HabitRow("clock 10 minutes behind", {"clock_offset_s": -600.0}),
    HabitRow("no `Date` header", {"date_absent": True}),
    HabitRow("`Date` 10 minutes ahead", {"date_offset_s": 600.0}),
    HabitRow("local times", {"time_local": True}),
    HabitRow("milliseconds", {"time_shown": "milliseconds"}),
    HabitRow("times as text", {"time_shown": "text"}),
    HabitRow("no times", {"time_shown": "absent"}),
    HabitRow("`data` null", {"list_shape": "null"}),
    HabitRow("`data` of another shape", {"list_shape": "items"}),
    HabitRow("no `last_page`", {"last_page": "missing"}),
    HabitRow("no `total`", {"total": "missing"}),
    HabitRow("`total` too small", {"total": "too_small"}),
    HabitRow("2 records a page", {"page_size_most": 2}),
    HabitRow("2 records a page, page number ignored", {"page_size_most": 2, "page_number": "ignored"}),
    HabitRow("2 records a page, the second empty", {"page_size_most": 2, "page_empty": 2}),
    HabitRow("2 records a page, no second page", {"page_size_most": 2, "pages_deepest": 1}),
    HabitRow("the oldest first", {"order": "oldest_first"}),
    HabitRow("2 records a page, in no order", {"page_size_most": 2, "order": "unstable"}),
    HabitRow("filters ignored", {"filters_ignored": True}),
)

HABIT_COLUMNS = (
    HabitColumn("taken", "cut_before_answer"),
    HabitColumn("not taken", "cut_before_taken"),
    HabitColumn("taken,<br>others send", "cut_before_answer", text="Alert"),
    HabitColumn("not taken,<br>others send<br>our text", "cut_before_taken", text=SHARED_TEXT),
    HabitColumn("taken,<br>`report_lag`", "cut_before_answer", report_lag=1.0),
    HabitColumn("not taken,<br>`report_lag`", "cut_before_taken", report_lag=1.0),
)


def may_give_word(row: HabitRow) -> bool:
    """Whether a user may say of such reports that they show everything soon."""
    return not {"report_lag_s", "recipients_most", "recipient_left_out"} & set(row.habits)
