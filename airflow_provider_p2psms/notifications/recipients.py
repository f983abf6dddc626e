"""Whom to alert: recipients in every shape that a person writes or a template gives, as one list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# The names under which rows of `messages` have their recipients.
_NAMES = ("recipients", "recipient")
_BRACKETS = str.maketrans(dict.fromkeys("[]{}'\"", " "))


def read_recipients(given: object) -> list[Any]:
    """
    Return the recipients one by one, unchecked: a blank text is one that is no number.

    Lists, sets, columns of data frames and other iterables may be nested. A mapping or a data frame has them
    under ``recipients`` or ``recipient``. A text has numbers between commas, or is a list in JSON.
    """
    return [] if given is None else list(_read(given))


def _read(given: Any) -> Iterator[Any]:
    if isinstance(given, str):
        yield from _read_text(given)
    elif isinstance(given, Mapping) or hasattr(given, "columns"):  # a data frame
        names = [name for name in _NAMES if name in given]
        for name in names:
            yield from _read(given[name])
        if not names:
            yield ""
    elif isinstance(given, Iterable) and not isinstance(given, bytes):
        for each in given:
            yield from _read(each)
    else:
        yield given


def _read_text(text: str) -> Iterator[Any]:
    if "{{" in text or "{%" in text:  # a template that is not filled in yet
        yield text
        return
    if text.lstrip().startswith(("[", "{")):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            text = text.translate(_BRACKETS)  # a list as Python writes it
        else:
            yield from _read(parsed)
            return
    yield from [number for number in re.split(r"[,;،؛\n]", text) if number.strip()] or [""]
