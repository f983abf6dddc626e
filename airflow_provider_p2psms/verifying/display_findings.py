"""How the reports show a message: its text, line, recipients and time, and how soon. Pure."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_provider_p2psms.gateway.values import parse_amount
from airflow_provider_p2psms.verifying.asking import Reply
from airflow_provider_p2psms.verifying.findings import Finding, Result
from airflow_provider_p2psms.verifying.texts import BAR, FEATURES, Shown, ascii_of, describe_part, read_shown
from airflow_provider_p2psms.verifying.watching import Sighting, in_seconds, is_milliseconds

_IN_STEP_S = 5.0
_UNKNOWN = "Nothing is known about it."
_RECOGNISED = "A message whose answer was lost is recognised all the same: texts are compared without this."
_NOT_RECOGNISED = (
    "A message whose answer was lost may not be recognised. It then stays in doubt, for a person: it is not "
    "sent again."
)
_CERTAIN = "It is no problem: a message whose answer was lost is recognised by its text."


def find_lag(seconds: Sequence[float | None], *, wait_s: float, is_list: bool) -> Finding:
    """Say how soon a page shows messages; ``None`` stands for one that it did not show."""
    shown = [each for each in seconds if each is not None]
    if not seconds:
        return Finding(Result.NOT_OBSERVED, "No message was taken.", _UNKNOWN)
    values = {
        "shown": len(shown),
        "of": len(seconds),
        "seconds": [None if each is None else round(each, 1) for each in seconds],
    }
    page = "new_list" if is_list else "by_bulk"
    if not shown:
        return Finding(
            Result.OBSERVED,
            f"{page} shows none of {len(seconds)} messages within {wait_s:.0f} s.",
            "After a lost answer the package cannot settle by itself before the reports show messages. Use "
            "retries that last longer than the lag, or run again with a longer --wait.",
            "nothing; do not set report_lag to less than the lag" if is_list else "nothing",
            values=values,
        )
    longest = max(shown)
    some = (
        ""
        if len(shown) == len(seconds)
        else f" Not shown within {wait_s:.0f} s: {len(seconds) - len(shown)}."
    )
    observed = (
        f"{page} shows {len(shown)} of {len(seconds)} messages, within {longest:.1f} s at most "
        f"(median {statistics.median(shown):.1f} s).{some}"
    )
    if not is_list:
        return Finding(Result.OBSERVED, observed, "An id can be looked up after that time.", values=values)
    at_least = None if some else max(900, 20 * round(longest))
    return Finding(
        Result.OBSERVED,
        observed,
        "This is one measurement, no promise. The package believes that a message is absent only after the "
        "reports have shown a later one. report_lag is your own word that this list shows everything after "
        "so many seconds; if it is once slower, people get a second copy.",
        "nothing; do not set report_lag"
        if at_least is None
        else f"nothing; if you set report_lag, at least {at_least}",
        values=values | {"report_lag_at_least": at_least},
    )


def find_clock(offsets: Sequence[float]) -> Finding:
    """Compare the ``Date`` header with our clock."""
    if not offsets:
        return Finding(
            Result.NOT_OBSERVED,
            "The answers have no Date header.",
            "The package cannot compare the worker's clock with the gateway's. Keep the worker's clock in "
            "step (NTP).",
        )
    offset = statistics.median(offsets) + 0.5  # the header has whole seconds, rounded down
    values = {"offset_s": round(offset, 1)}
    if abs(offset) <= _IN_STEP_S:
        return Finding(
            Result.OBSERVED, f"{_ahead(offset)} by its Date header.", "Clocks agree.", values=values
        )
    return Finding(
        Result.OBSERVED,
        f"{_ahead(offset)} by its Date header.",
        "One of the two clocks is wrong. Check this machine's clock (NTP). The package measures the "
        "difference and allows for it.",
        values=values,
    )


def find_time(sightings: Sequence[Sighting], *, date_offset_s: float | None) -> Finding:
    """Compare ``time`` of the records with the moments of the sends."""
    seen = [each for each in sightings if each.any is not None and not each.is_scheduled]
    times = [(each.time, (each.left_at + each.answered_at) / 2) for each in seen]
    known = [(shown, at) for shown, at in times if shown is not None]
    if not seen:
        return Finding(Result.NOT_OBSERVED, "No record was shown.", _UNKNOWN)
    if not known:
        return Finding(
            Result.DIFFERS,
            "The records have no time.",
            "A message whose answer was lost cannot be told from an earlier one of the same text. It stays "
            "in doubt, for a person.",
        )
    has_ms = any(is_milliseconds(shown) for shown, _ in known)
    is_text = any(parse_amount((each.any or {}).get("time")) is None for each in seen)
    offset = statistics.median(in_seconds(shown) - at for shown, at in known)
    values = {"offset_s": round(offset, 1), "milliseconds": has_ms, "text": is_text}
    to_date = "" if date_offset_s is None else f" It is {_differs(offset - date_offset_s)} the Date header."
    unit = "text" if is_text else "milliseconds" if has_ms else "seconds"
    clock = _ahead(offset, who="The records' clock")
    observed = f"Times are {unit}. {clock}.{to_date}"
    if is_text:
        meaning = "The package reads such times as UTC and measures the difference, like other times."
    elif abs(offset) > _IN_STEP_S or has_ms:
        meaning = "The package measures the difference on messages whose ids it knows, and allows for it."
    else:
        meaning = "Records can be compared with the time of a send as they are."
    result = (
        Result.AS_DOCUMENTED if not has_ms and not is_text and abs(offset) <= _IN_STEP_S else Result.DIFFERS
    )
    return Finding(result, observed, meaning, values=values)


def find_line(sightings: Sequence[Sighting], *, line: str) -> Finding:
    """Compare ``number`` of the records with the line that sent."""
    shown = [str(each.any.get("number") or "") for each in sightings if each.any is not None]
    if not shown:
        return Finding(Result.NOT_OBSERVED, "No record was shown.", _UNKNOWN)
    spellings = sorted(set(shown))
    values = {"spellings": spellings}
    if spellings == [line]:
        return Finding(Result.AS_DOCUMENTED, "As sent.", "Nothing to do.", values=values)
    named = ", ".join(each or "no line" for each in spellings)
    known = {line, line.lstrip("+"), line.lstrip("+").removeprefix("98"), f"00{line.lstrip('+')}"}
    if set(spellings) <= known:
        meaning = "The package takes these spellings of a line for the same."
    else:
        meaning = (
            "The line is shown under another name. The package learns the name from messages whose ids it "
            "knows; until then it recognises a lost message only by its exact text and recipients."
        )
    return Finding(Result.DIFFERS, f"Shown as {named}.", meaning, values=values)


def find_recipients(
    replies: Sequence[tuple[Sighting, Reply]], *, recipient: str, clean: Callable[[str], str]
) -> Finding:
    """Compare what the page of recipients shows with the one recipient that there is; shows no number."""
    good = [(each, reply) for each, reply in replies if reply.is_ok]
    if not good:
        why = replies[0][1].problem if replies else "No record was shown."
        return Finding(
            Result.DIFFERS if replies else Result.NOT_OBSERVED,
            f"The page of recipients does not answer: {why}." if replies else why,
            "Without recipients a message whose answer was lost stays in doubt, for a person."
            if replies
            else _UNKNOWN,
        )
    counts = sorted({str((each.any or {}).get("rcpts_count")) for each, _ in good})
    shown = [str(record.get("recipient")) for _, reply in good for record in reply.records]
    numbers = [len(reply.records) for _, reply in good]
    spellings = sorted({_spelling(each, recipient) for each in shown})
    named = ", ".join(spellings) or "none"
    is_plain = spellings == ["in E.164"] and set(numbers) == {1} and counts == ["1"]
    observed = (
        f"Recipients are shown {named}; {_range(numbers)} for each message of one; rcpts_count is "
        f"{', '.join(map(clean, counts))}."
    )
    if is_plain:
        meaning = "A message whose answer was lost is recognised by its recipient."
    elif set(spellings) <= {"in E.164", "without +", "in national form", "masked"} and set(numbers) == {1}:
        meaning = "The package compares what is shown of a number, and does not rely on rcpts_count."
    else:
        meaning = _NOT_RECOGNISED
    values = {"spellings": spellings, "shown": numbers, "rcpts_count": counts}
    return Finding(Result.AS_DOCUMENTED if is_plain else Result.DIFFERS, observed, meaning, values=values)


def find_texts(sightings: Sequence[Sighting]) -> dict[str, Finding]:
    """Compare each kind of character, the long text, and what was put around the texts."""
    by_letter = {
        each.sent.partition(BAR)[0][-1:]: read_shown(each.sent, each.any.get("message"))
        for each in sightings
        if each.any is not None
    }
    found = {f"report.text.{name}": _find_part(by_letter, name) for name in FEATURES}
    found["report.text.long"] = _find_long(by_letter.get("D"))
    found["report.text.added"] = _find_added(list(by_letter.values()))
    return found


def find_text_pages(replies: Sequence[tuple[Sighting, Reply]]) -> Finding:
    """Tell whether the three pages show the same text."""
    differing: set[str] = set()
    compared = 0
    for sighting, reply in replies:
        texts: Mapping[str, Any] = {
            "by_bulk": (sighting.record or {}).get("message"),
            "new_list": (sighting.listed or {}).get("message"),
            "recipients": next((record.get("message") for record in reply.records), None),
        }
        known = {page: text for page, text in texts.items() if text is not None}
        compared += len(known) > 1
        differing |= {page for page, text in known.items() if text != next(iter(known.values()))}
    if not compared:
        return Finding(Result.NOT_OBSERVED, "No two pages show a text.", _UNKNOWN)
    if differing:
        return Finding(
            Result.DIFFERS,
            f"Another text than on the other pages is shown by {' and '.join(sorted(differing))}.",
            "The package compares the text of the list first, and that of the recipients where they have "
            "their own.",
            values={"differing": sorted(differing)},
        )
    return Finding(
        Result.AS_DOCUMENTED, "All show the same text.", "Nothing to do.", values={"differing": []}
    )


def _find_part(by_letter: Mapping[str, Shown], name: str) -> Finding:
    letter, place, sent = FEATURES[name]
    shown = by_letter.get(letter)
    if shown is None:
        return Finding(Result.NOT_OBSERVED, "No record was shown.", _UNKNOWN)
    if shown.parts is None:
        meaning = _UNKNOWN if shown.is_ours else _NOT_RECOGNISED
        return Finding(Result.DIFFERS, f"The text is {shown.what}.", meaning, values={"as_sent": None})
    what = describe_part(sent, shown.parts[place])
    if not what:
        return Finding(Result.OBSERVED, "As sent.", _CERTAIN, values={"as_sent": True})
    meaning = _NOT_RECOGNISED if what.startswith("shown as") else _RECOGNISED
    return Finding(Result.DIFFERS, f"{what[0].upper()}{what[1:]}.", meaning, values={"as_sent": False})


def _find_long(shown: Shown | None) -> Finding:
    if shown is None:
        return Finding(Result.NOT_OBSERVED, "No record was shown.", _UNKNOWN)
    if shown.kept is not None:
        return Finding(
            Result.DIFFERS,
            f"The text is {shown.what}.",
            "Messages that begin alike cannot be told apart by the report. One whose answer was lost is "
            "recognised only if its recipients are the same, too; else it stays in doubt.",
            values={"kept": shown.kept, "dots": shown.has_dots},
        )
    if shown.parts is None:
        return Finding(Result.DIFFERS, f"The text is {shown.what}.", _NOT_RECOGNISED, values={"kept": None})
    return Finding(Result.OBSERVED, "Shown whole, 290 characters.", _CERTAIN, values={"kept": None})


def _find_added(shown: Sequence[Shown]) -> Finding:
    ours = [each for each in shown if each.is_ours]
    if not ours:
        return Finding(Result.NOT_OBSERVED, "No text of ours was shown.", _UNKNOWN)
    before = sorted({each.before for each in ours if each.before})
    after = sorted({each.after for each in ours if each.after})
    values = {"before": before, "after": after}
    if not before and not after:
        return Finding(Result.OBSERVED, "Nothing is added.", _CERTAIN, values=values)
    words = [f"{ascii_of(each)} before the text" for each in before]
    words += [f"{ascii_of(each)} behind the text" for each in after]
    return Finding(
        Result.DIFFERS,
        f"Added: {', '.join(words)}.",
        "A message whose answer was lost is recognised all the same: the record contains its text. People "
        "may get this line, too; it may add a part.",
        values=values,
    )


def _ahead(offset: float, *, who: str = "The gateway's clock") -> str:
    if abs(offset) <= _IN_STEP_S:
        return f"{who} agrees with ours within {_IN_STEP_S:.0f} s"
    side = "ahead of" if offset > 0 else "behind"
    half_hours = round(offset / 1800)
    zone = ""
    if half_hours and abs(offset - half_hours * 1800) <= 60:
        zone = f": perhaps local time, UTC{half_hours / 2:+.1f} h"
    return f"{who} is {abs(offset):,.0f} s {side} ours{zone}"


def _differs(offset: float) -> str:
    if abs(offset) <= _IN_STEP_S:
        return f"within {_IN_STEP_S:.0f} s of"
    return f"{abs(offset):,.0f} s {'ahead of' if offset > 0 else 'behind'}"


def _spelling(shown: str, recipient: str) -> str:
    digits = recipient.lstrip("+")
    if shown == recipient:
        return "in E.164"
    if shown == digits:
        return "without +"
    if shown == f"0{digits[2:]}":
        return "in national form"
    if any(mark in shown for mark in "*xX•#"):
        return "masked"
    return "in another form or another number"


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else f"{min(numbers)} to {max(numbers)}"
