"""
What makes a text one that the gateway takes, and how many SMS parts it is. Texts are never altered.

Limits: the gateway's contract, 1,400 characters or 20 parts. Parts: 3GPP TS 23.038, GSM-7 or UCS-2.
Lengths decide first, then what looks at characters in C; only doubles in a long text are sought.
"""

import re

from airflow_provider_p2psms.rows.damage import find_damage
from airflow_provider_p2psms.rows.invalid_value import InvalidValueError
from airflow_provider_p2psms.rows.invisible import is_blank
from airflow_provider_p2psms.rows.redaction import measure

MAX_CHARACTERS = 1_400
MAX_PARTS = 20

GSM_ESCAPED = "\f^{}\\[~]|€"
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_SINGLES_OF_ASCII = GSM_BASIC.encode("ascii", "ignore")
# Compiled when they are needed: a DAG file's parsing, which checks a text too, would take longer for them.
_ESCAPED = f"[{re.escape(GSM_ESCAPED)}]"
_GSM = f"[{re.escape(GSM_BASIC + GSM_ESCAPED)}]*+"
_BEYOND_THE_BMP = "[\U00010000-\U0010ffff]"


def check_text(text: str) -> int:
    """
    Count the parts of a text that can be sent as it is.

    :raises InvalidValueError: it is empty or too long, damaged, or holds what no SMS can carry.
    """
    if is_blank(text):
        raise InvalidValueError("the text is empty, or has nothing to be seen in it")
    if len(text) > MAX_CHARACTERS:
        raise InvalidValueError(
            f"longer than the gateway takes: {MAX_CHARACTERS:,} characters", shape=measure(text)
        )
    if reason := find_damage(text):
        raise InvalidValueError(reason, shape=measure(text))
    parts = count_parts(text)
    if parts > MAX_PARTS:
        raise InvalidValueError(
            f"takes {parts} SMS parts, the gateway takes {MAX_PARTS}; shorten it", shape=measure(text)
        )
    return parts


def count_parts(text: str) -> int:
    r"""
    Estimate the SMS parts of a text; the gateway decides, and lines with 66-character parts count otherwise.

    GSM-7 has 160 characters in one part and 153 in each of several (``^{}[]~|\€`` count twice), any other
    character makes the whole text UCS-2: 70 and 67 UTF-16 units. No character is split between two parts.
    """
    length = len(text)
    if length <= 35:  # in any alphabet, with all characters counting twice
        return 1
    in_bmp = text.isascii() or len(text.encode("utf-16-le", "surrogatepass")) == 2 * length
    if in_bmp and length <= 70:
        return 1
    if text.isascii() and not text.encode().translate(None, GSM_SINGLES_OF_ASCII):
        return count_singles(length, single=160, several=153)
    if re.fullmatch(_GSM, text):
        return _count(text, single=160, several=153, double=_ESCAPED)
    if in_bmp:
        return count_singles(length, single=70, several=67)
    return _count(text, single=70, several=67, double=_BEYOND_THE_BMP)


def count_singles(length: int, *, single: int, several: int) -> int:
    """Count the parts of a text in which every character counts once."""
    return 1 if length <= single else -(-length // several)


def _count(text: str, *, single: int, several: int, double: str) -> int:
    doubles = [match.start() for match in re.finditer(double, text)]
    if len(text) + len(doubles) <= single:
        return 1
    full_parts, used, last = 0, 0, 0
    for place in doubles:
        # Singles fill up whatever room there is; only a double can leave a unit unused.
        ahead = used + place - last
        full_parts, used = full_parts + ahead // several, ahead % several
        if used == several - 1:
            full_parts, used = full_parts + 1, 0
        used, last = used + 2, place + 1
    return full_parts + -(-(used + len(text) - last) // several)
