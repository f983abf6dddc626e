"""What a text is made of: its direction, its encoding, and characters that a reader does not see."""

import unicodedata
from dataclasses import dataclass

from airflow_provider_p2psms.sandbox.pricing import count_parts, count_units, is_gsm7

_UNSEEN = ("Cc", "Cf", "Co", "Cn", "Zl", "Zp")
# Line ends and tabs are seen as space; Persian words are spelled with the zero-width non-joiner.
_EXPECTED = "\n\r\t\u200c"


@dataclass(frozen=True, slots=True)
class Anatomy:
    """
    How a text fares as an SMS.

    ``units`` are septets or UTF-16 code units, ``each`` how many fit into one of the ``parts``. ``culprit``
    is the first character outside of GSM-7; ``unseen`` those that a reader does not see.
    """

    direction: str
    encoding: str
    units: int
    each: int
    parts: int
    culprit: str | None
    unseen: tuple[str, ...]

    @property
    def fill(self) -> list[int]:
        """The units in each part."""
        return [min(self.each, self.units - self.each * place) for place in range(self.parts)]


def dissect(text: str) -> Anatomy:
    """Say what a text is made of."""
    culprit = next((each for each in text if not is_gsm7(each)), None)
    units, alone, each = count_units(text)
    parts = count_parts(text)
    unseen = dict.fromkeys(
        each for each in text if unicodedata.category(each) in _UNSEEN and each not in _EXPECTED
    )
    return Anatomy(
        direction=direction_of(text),
        encoding="UCS-2" if culprit else "GSM-7",
        units=units,
        each=alone if parts == 1 else each,
        parts=parts,
        culprit=culprit and name_of(culprit),
        unseen=tuple(name_of(each) for each in unseen),
    )


def direction_of(text: str) -> str:
    """Return ``rtl`` or ``ltr``: the direction of the first letter that has one."""
    for each in text:
        bidirectional = unicodedata.bidirectional(each)
        if bidirectional in ("R", "AL"):
            return "rtl"
        if bidirectional == "L":
            return "ltr"
    return "ltr"


def name_of(character: str) -> str:
    """Name a character: ``“é” U+00E9 LATIN SMALL LETTER E WITH ACUTE``."""
    shown = f"“{character}” " if unicodedata.category(character) not in _UNSEEN else ""
    return f"{shown}U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
