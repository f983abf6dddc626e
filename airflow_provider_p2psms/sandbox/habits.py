"""
The habits that a gateway's reports may have, each off by default: what they show otherwise than it was sent.

The contract guarantees nothing about the reports, so a send has to come out right with every habit. The
fields of :class:`Habits` are the keywords of a sandbox, the options of ``p2psms sandbox`` and the names of
``/sandbox/habits``. ``showing.py`` and ``paging.py`` know how a habit changes what is shown, ``tables.py``
which records are listed. A wrong answer to a send is not a habit but a fault (``faults.py``).
Habits that change single messages can be those of one line (``by_line.py``); the others are those of a list
or of every answer.
"""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

# No number is greater: SQLite, the calendar and the wire can hold it.
MOST = 10**9


def _habit(
    default: Any,
    about: str,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = 0,
    per_line: bool = True,
) -> Any:
    """Declare a habit; ``per_line`` is whether it changes single messages, so that one line can have it."""
    metadata = {"about": about, "choices": choices, "least": least, "per_line": per_line}
    return field(default=default, metadata=metadata)


@dataclass(kw_only=True, eq=False)
class Habits:
    """
    What the reports are like; the defaults are those of a gateway that keeps the contract.

    :raises ValueError: a value is of another type than the default, too small, or not among its choices.
    """

    reports: bool = _habit(True, "False: every report page answers 404", per_line=False)
    report_lag_s: float = _habit(0.0, "seconds until the reports show a send")
    report_lag_most_s: float = _habit(
        0.0, "if greater than report_lag_s: each message has a lag of its own between the two"
    )
    scheduled_listed: str = _habit(
        "at_once",
        "when and under which time a scheduled message is listed",
        choices=("at_once", "when_sent", "by_send_time"),
    )
    report_limit_per_minute: int = _habit(
        0, "more questions within 60 seconds are answered 429; 0: no limit", per_line=False
    )
    filters_ignored: bool = _habit(
        False, "the list answers all records, whatever the filters", per_line=False
    )

    outbox_prefix: str = _habit("", "text put before every text")
    outbox_suffix: str = _habit("", "text put behind every text, such as an opt-out line")
    text_letters: str = _habit(
        "as_sent", "ya and kaf are shown in this form", choices=("as_sent", "persian", "arabic")
    )
    text_digits: str = _habit(
        "as_sent", "digits are shown in this form", choices=("as_sent", "persian", "arabic", "latin")
    )
    text_zwnj: str = _habit(
        "as_sent", "what becomes of zero-width non-joiners", choices=("as_sent", "dropped", "blanked")
    )
    text_line_ends: str = _habit(
        "as_sent", "what becomes of line ends", choices=("as_sent", "crlf", "blanked", "br")
    )
    text_blanks_collapsed: bool = _habit(
        False, "several blanks are shown as one, those at the ends not at all"
    )
    text_typographic: bool = _habit(False, "quotes, ellipses and dashes are shown in their typographic form")
    text_html_escaped: bool = _habit(False, "&, <, > and quotes are shown as HTML entities")
    text_shortened_to: int = _habit(0, "texts are cut after so many characters; 0: never")
    text_dots: str = _habit("", "text put behind a text that was cut, such as three dots")
    text_shown: str = _habit(
        "whole",
        "masked: asterisks behind the third character; digits_masked: asterisks for digits; null: no text",
        choices=("whole", "masked", "digits_masked", "null"),
    )

    line_shown: str = _habit(
        "as_sent",
        "the spelling of the sending line",
        choices=("as_sent", "no_plus", "no_98", "double_zero", "null"),
    )
    line_alias: str = _habit("", "a word shown in place of the sending line")
    recipients_shown: str = _habit(
        "e164",
        "the spelling of recipients",
        choices=("e164", "no_plus", "national", "masked", "masked_national"),
    )
    recipients_most: int = _habit(0, "so many recipients of a message are shown and no more; 0: all")
    recipient_left_out: bool = _habit(False, "the last of several recipients is not shown and not counted")
    recipient_added: bool = _habit(False, "a recipient of the gateway's own is shown and counted")
    rcpts_count: str = _habit("shown", "the count of recipients", choices=("shown", "absent", "0", "1"))

    clock_offset_s: float = _habit(
        0.0, "seconds by which the reports' times are ahead (less than 0: behind)", least=None
    )
    date_offset_s: float = _habit(
        0.0,
        "seconds by which the HTTP header Date is ahead (less than 0: behind)",
        least=None,
        per_line=False,
    )
    date_absent: bool = _habit(False, "no answer has the HTTP header Date", per_line=False)
    time_local: bool = _habit(False, "times are those of the clock in Tehran (+3:30)")
    time_shown: str = _habit(
        "seconds", "the form of times", choices=("seconds", "milliseconds", "text", "absent")
    )

    list_shape: str = _habit(
        "list",
        'the shape of data: null, or an object {"items": […]}',
        choices=("list", "null", "items"),
        per_line=False,
    )
    last_page: str = _habit(
        "shown", "what becomes of last_page", choices=("shown", "missing", "null", "nested"), per_line=False
    )
    last_page_counted_by: int = _habit(
        0, "last_page is counted for pages of this size; 0: of the size asked for", per_line=False
    )
    total: str = _habit(
        "shown",
        "what becomes of total; too_small: half of it",
        choices=("shown", "missing", "null", "nested", "too_small"),
        per_line=False,
    )
    page_size_most: int = _habit(
        0, "pages hold so many entries and no more, whatever is asked for; 0: no limit", per_line=False
    )
    page_number: str = _habit(
        "obeyed",
        "ignored: the first page, and says so; echoed: the first page under the number asked for",
        choices=("obeyed", "ignored", "echoed"),
        per_line=False,
    )
    page_empty: int = _habit(0, "the page of this number shows nothing; 0: none", per_line=False)
    pages_deepest: int = _habit(0, "the last page that can be asked for; 0: no limit", per_line=False)
    pages_deeper: str = _habit(
        "refused", "what pages beyond pages_deepest answer", choices=("refused", "empty"), per_line=False
    )
    order: str = _habit(
        "newest_first",
        "the order of the list; unstable: another one with each question",
        choices=("newest_first", "oldest_first", "unstable"),
        per_line=False,
    )

    def __post_init__(self) -> None:
        for habit in fields(Habits):
            _check(habit, getattr(self, habit.name))

    def habits(self) -> dict[str, Any]:
        """Return all habits by name."""
        return {habit.name: getattr(self, habit.name) for habit in fields(Habits)}

    def habits_turned(self) -> dict[str, Any]:
        """Return the habits that are not as the contract has them."""
        return {
            habit.name: shown
            for habit in fields(Habits)
            if (shown := getattr(self, habit.name)) != habit.default
        }

    def turn(self, given: Mapping[str, Any], *, keep_others: bool = True) -> None:
        """
        Set the habits that are given; the others stay, or are turned off.

        :param given: values by name, as JSON gives them.
        :raises ValueError: a name is unknown or a value is bad; nothing was changed.
        """
        for name in given:
            if name not in HABITS:
                raise ValueError(f"no habit {name!r}; known are {', '.join(HABITS)}")
        wanted = Habits(**{**(self.habits() if keep_others else {}), **given})
        for name, value in wanted.habits().items():
            setattr(self, name, value)

    def with_own(self, own: Mapping[str, Any]) -> "Habits":
        """
        Return these habits with those that one line has of its own; None is none of its own.

        :raises ValueError: a name is unknown, is no habit of one line, or a value is bad.
        """
        for name in own:
            if name not in HABITS:
                raise ValueError(f"no habit {name!r}; known are {', '.join(HABITS_PER_LINE)}")
            if name not in HABITS_PER_LINE:
                raise ValueError(
                    f"{name} cannot be a habit of one line: it changes a list or every answer, not single"
                    " messages. Order it without from_number"
                )
        given = {name: value for name, value in own.items() if value is not None}
        return Habits(**{**self.habits(), **given})


def _check(habit: Field[Any], value: object) -> None:
    choices, least = habit.metadata["choices"], habit.metadata["least"]
    if choices and value not in choices:
        raise ValueError(f"{habit.name} is one of {', '.join(choices)}, not {value!r}")
    match habit.default:
        case bool():
            kind, fits = "true or false", isinstance(value, bool)
        case str():
            kind, fits = "a text", isinstance(value, str)
        case int():
            kind, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
        case _:
            kind = "a number of seconds"
            fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits:
        raise ValueError(f"{habit.name} is {kind}, not {value!r}")
    if not isinstance(value, int | float):
        return
    if least is not None and value < least:
        raise ValueError(f"{habit.name} is {least} or more, not {value!r}")
    if abs(value) > MOST:
        raise ValueError(f"{habit.name} is {MOST:,} or less, not {value!r}")


HABITS = tuple(habit.name for habit in fields(Habits))
HABITS_PER_LINE = tuple(habit.name for habit in fields(Habits) if habit.metadata["per_line"])
