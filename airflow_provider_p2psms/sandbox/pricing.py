"""Parts, operators and prices, counted by the sandbox itself and by nobody else's code."""

import re

# GSM 03.38: the basic alphabet takes one septet a character, its extension two.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM7 = _BASIC | _EXTENSION

_MCI = re.compile(r"\+989(?:1|9[0-4])")
_IRANCELL = re.compile(r"\+989(?:0|3|41)")

# Rial a part, as the page "Calculate Price" prints them.
_MCI_PRICE = 2370
_OTHER_PRICE = 2503


def is_gsm7(text: str) -> bool:
    """Say whether every character belongs to GSM-7; one that does not makes the whole text UCS-2."""
    return _GSM7.issuperset(text)


def count_units(text: str) -> tuple[int, int, int]:
    """Count septets or UTF-16 code units, and how many fit into one part alone and into each of several."""
    if is_gsm7(text):
        return len(text) + sum(map(_EXTENSION.__contains__, text)), 160, 153
    return len(text.encode("utf-16-le")) // 2, 70, 67


def count_parts(text: str) -> int:
    """Count SMS parts: GSM-7 160 alone and 153 each, UCS-2 70 alone and 67 each (UTF-16 code units)."""
    units, alone, each = count_units(text)
    return 1 if units <= alone else -(-units // each)


def operator_of(recipient: str) -> str:
    """Name the operator of an E.164 number: ``mci``, ``irancell`` or ``other``."""
    if _MCI.match(recipient):
        return "mci"
    return "irancell" if _IRANCELL.match(recipient) else "other"


def price_of(recipient: str, *, parts: int) -> int:
    """Price one message in rial."""
    return parts * (_MCI_PRICE if operator_of(recipient) == "mci" else _OTHER_PRICE)


def prices(parts: int) -> dict[str, int]:
    """Price a text as the page "Calculate Price" answers it."""
    return {"mci_price": parts * _MCI_PRICE, "other_price": parts * _OTHER_PRICE, "parts": parts}
