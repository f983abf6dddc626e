"""
What is ordered for one line (sender) alone: its habits, the latency of its sends, its credit.

It outranks what holds for all lines. Lines are compared in canonical form: ``3000505`` is ``+983000505``.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_p2psms.identity import canonical_line


@dataclass(frozen=True, slots=True)
class Credit:
    """
    An amount in rial that pays for the messages of ``line``, or of all lines but ``other_lines``.

    Lines are in canonical form.
    """

    amount: float
    line: str | None = None
    other_lines: frozenset[str] = frozenset()

    def pays_for(self, line: str) -> bool:
        """Whether the messages of this line are paid with it."""
        return line not in self.other_lines if self.line is None else line == self.line


class ByLine:
    """Values by line and by name; may be read and set from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Replaced as a whole, never changed: a reader sees all of an order or nothing of it.
        self._values: Mapping[str, Mapping[str, Any]] = {}
        self._spelled: dict[str, str] = {}

    def of(self, from_number: str) -> Mapping[str, Any]:
        """Return the values that a line has of its own."""
        return self._values.get(canonical_line(from_number), {}) if self._values else {}

    def all(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the values of each line by its canonical form."""
        return self._values

    def set(self, from_number: str, values: Mapping[str, Any], *, others_off: Iterable[str] = ()) -> None:
        """
        Set values of a line.

        :param values: ``None`` takes a value off: the line then has that of all lines.
        :param others_off: the names whose values are taken off, but for those in ``values``.
        """
        line = canonical_line(check_line(from_number))
        with self._lock:
            kept = {name: value for name, value in self.of(line).items() if name not in others_off}
            own = {name: value for name, value in {**kept, **values}.items() if value is not None}
            self._spelled[line] = from_number
            others = {each: its for each, its in self._values.items() if each != line}
            self._values = {**others, line: own} if own else others

    def show(self) -> dict[str, dict[str, Any]]:
        """Return the values of each line, under the spelling in which it was named last."""
        return {self._spelled[line]: dict(values) for line, values in self._values.items()}

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values = {}


def check_line(given: object) -> str:
    """
    Return ``given`` if it names a line or is an empty text, which means all lines.

    :raises ValueError: it does not.
    """
    if not isinstance(given, str) or (given and not canonical_line(given)):
        raise ValueError(f"from_number is a line or an empty text, not {given!r}")
    return given
