"""What a test expects to have arrived, and what came close where it did not."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from airflow_provider_p2psms.sandbox.tables import Arrived

_SHOWN = 5
_ALIKE = 0.6


def spell_e164(recipient: str) -> str:
    """Return a number in E.164, whatever its digits, blanks and prefix; one without a country is Iran's."""
    number = re.sub(r"[^\d+]", "", recipient)
    digits = "".join(str(int(each)) for each in number.removeprefix("+"))
    if number.startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    return f"+98{digits.removeprefix('0')}" if len(digits) <= len("09120000000") else f"+{digits}"


def check_arrived(arrived: Sequence[Arrived], recipient: str, text: str) -> None:
    """
    Check that a text arrived at a number.

    :raises AssertionError: it did not; the error shows what came close, in full.
    """
    wanted = (spell_e164(recipient), text)
    if wanted not in {(each.recipient, each.text) for each in arrived}:
        raise AssertionError(f"did not arrive: {wanted[0]} {text!r}{_near_misses(arrived, *wanted)}")


def check_each_once(arrived: Sequence[Arrived], rows: Iterable[tuple[str, str]]) -> None:
    """
    Check that all rows of (recipient, text) arrived, each as often as it is given, and nothing else.

    :raises AssertionError: it is otherwise; the error shows each difference and what came close, in full.
    """
    wanted = Counter((spell_e164(recipient), text) for recipient, text in rows)
    there = Counter((each.recipient, each.text) for each in arrived)
    problems = [
        f"arrived {there[row]} times, not {wanted[row]}: {row[0]} {row[1]!r}"
        + ("" if there[row] else _near_misses(arrived, *row))
        for row in wanted | there
        if wanted[row] != there[row]
    ]
    if problems:
        more = f"\nand {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        raise AssertionError("\n".join(problems[:_SHOWN]) + more)


def _near_misses(arrived: Sequence[Arrived], recipient: str, text: str) -> str:
    same_text = [each for each in arrived if each.text == text]
    same_number = [each for each in arrived if each.recipient == recipient]
    alike = difflib.get_close_matches(text, {each.text for each in arrived} - {text}, _SHOWN, _ALIKE)
    lines = [f"the same text to another number: {each.recipient}" for each in same_text[:_SHOWN]]
    lines += [f"another text to that number: {each.text!r}" for each in same_number[:_SHOWN]]
    lines += [f"almost the same text: {each!r}" for each in alike]
    return "".join(f"\n  {line}" for line in lines or [f"nothing came close; {len(arrived):,} arrived"])
