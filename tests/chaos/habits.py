"""What the reports of a trial's gateway are like: habits drawn at random, one of a kind."""

import random
from dataclasses import dataclass
from typing import Any, Self

Habit = dict[str, Any]

# The user's word where it is given, and how late the reports are at most then.
WORD_S, MOST_LAG_S = 0.4, 0.25
# So late that a trial is over before they show anything.
NEVER_S = 3_600.0

# One of each kind is drawn: two habits of a kind may add up to a lie that nobody can see, such as half of the
# pages and a total that is halved.
TEXTS: list[Habit] = [
    {"outbox_suffix": "لغو11"},
    {"outbox_suffix": "\nلغو۱۱"},
    {"outbox_prefix": "[Shop] "},
    {"text_letters": "arabic"},
    {"text_letters": "persian", "text_digits": "persian"},
    {"text_digits": "latin"},
    {"text_zwnj": "dropped"},
    {"text_zwnj": "blanked", "text_line_ends": "blanked"},
    {"text_line_ends": "crlf"},
    {"text_line_ends": "br", "text_html_escaped": True},
    {"text_blanks_collapsed": True},
    {"text_typographic": True},
    {"text_shortened_to": 30},
    {"text_shortened_to": 12, "text_dots": "..."},
    {"text_shown": "masked"},
    {"text_shown": "digits_masked"},
    {"text_shown": "null"},
]
LINES: list[Habit] = [
    {"line_shown": "no_plus"},
    {"line_shown": "no_98"},
    {"line_shown": "double_zero"},
    {"line_shown": "null"},
    {"line_alias": "BANK"},
]
RECIPIENTS: list[Habit] = [
    {"recipients_shown": "no_plus"},
    {"recipients_shown": "national"},
    {"recipients_shown": "masked"},
    {"recipients_shown": "masked_national"},
    {"recipients_most": 1},
    {"recipients_most": 4},
    {"recipient_left_out": True},
    {"recipient_added": True},
    {"rcpts_count": "absent"},
    {"rcpts_count": "0"},
    {"rcpts_count": "1"},
]
TIMES: list[Habit] = [
    {"clock_offset_s": 600.0},
    {"clock_offset_s": -600.0},
    {"clock_offset_s": 4.0},
    {"date_offset_s": 600.0},
    {"date_offset_s": -40.0},
    {"date_offset_s": -600.0, "clock_offset_s": -600.0},
    {"date_absent": True},
    {"time_local": True},
    {"time_shown": "milliseconds"},
    {"time_shown": "text"},
    {"time_shown": "absent"},
]
PAGES: list[Habit] = [
    {"list_shape": "null"},
    {"list_shape": "items"},
    {"last_page": "missing"},
    {"last_page": "null"},
    {"last_page": "nested"},
    {"last_page_counted_by": 1_000},
    {"last_page_counted_by": 10},
    {"total": "missing"},
    {"total": "null"},
    {"total": "nested"},
    {"total": "too_small"},
    {"page_size_most": 10},
    {"page_size_most": 50, "order": "oldest_first"},
    {"page_number": "ignored"},
    {"page_number": "echoed"},
    {"page_empty": 2},
    {"pages_deepest": 1},
    {"pages_deepest": 3, "pages_deeper": "empty"},
    {"order": "oldest_first"},
    {"order": "unstable"},
    {"filters_ignored": True},
    {"report_limit_per_minute": 30},
]
LATE: list[Habit] = [{"report_lag_s": 2.0}, {"report_lag_s": NEVER_S}]
# Where one of these is turned, the reports never show everything: nobody may give the word that they do.
NEVER_WHOLE = ({"recipient_left_out": True}, {"recipients_most": 1}, {"recipients_most": 4})


@dataclass(frozen=True, slots=True)
class Reports:
    """
    What the reports are like.

    ``word_s`` is what the user says of their lag; ``None``: nothing.
    """

    kind: str
    habits: Habit
    word_s: float | None = None

    @classmethod
    def none(cls) -> Self:
        """Return those of a gateway that has none."""
        return cls("none", {"reports": False})


def draw_reports(dice: random.Random, *, has_any: bool) -> Reports:
    """Draw what the reports are like; two in five keep the contract."""
    if not has_any:
        return Reports.none()
    habits: Habit = {"report_lag_s": dice.uniform(0, MOST_LAG_S)}
    drawn: list[Habit] = []
    if dice.random() > 0.4:
        kinds = dice.sample([TEXTS, LINES, RECIPIENTS, TIMES, PAGES, LATE], dice.randint(1, 3))
        drawn = [dice.choice(kind) for kind in kinds]
    for habit in drawn:
        habits |= habit
    may_give_word = habits["report_lag_s"] <= MOST_LAG_S and not any(each in drawn for each in NEVER_WHOLE)
    word_s = WORD_S if dice.random() < 0.4 and may_give_word else None
    kind = f"{'habits' if drawn else 'as documented'}{'' if word_s is None else ', report_lag'}"
    return Reports(kind, habits, word_s)
