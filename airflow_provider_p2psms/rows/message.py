"""What leaves this room: a checked message. Its number and text never show in a ``repr``."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """
    One text for one recipient, checked.

    ``row`` counts the rows handed in from 1; the recipients of one gateway-shaped group share their row.
    ``recipient`` is E.164 (``+989120000000``), ``text`` is never altered, ``parts`` is the number of SMS
    parts that it is estimated to take, and ``key`` is the value of the key column as text ("" without one).
    """

    row: int
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    parts: int
    key: str = field(default="", repr=False)
