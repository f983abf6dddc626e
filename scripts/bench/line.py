"""One line of the bench's table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A figure, what it is to be, and what it was made of."""

    what: str
    figure: str
    goal: str
    measured: str
