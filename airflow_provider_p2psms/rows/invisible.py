"""Characters that nobody sees. A text that holds nothing else is empty."""

import re
from collections.abc import Set as AbstractSet
from functools import cache

# White space, format characters, fillers and variation selectors: Unicode's `White_Space`, `Cf` and
# `Default_Ignorable_Code_Point`, and two blank symbols. Not the signs of `Cf` that are drawn around numbers
# (U+0600 and its like). A test holds this against the Unicode data of Python.
INVISIBLE = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d159"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# The bytes with which they begin in UTF-8. Arabic letters begin as U+061C does: its second byte tells.
_FIRST_BYTES = frozenset(b"\t\n\v\f\r\x1c\x1d\x1e\x1f \xc2\xcd\xe1\xe2\xe3\xef\xf0\xf3")
_ARABIC, _MARK = "\u061c".encode()
# Characters with which nearly all texts begin.
_SEEN = frozenset(
    map(chr, [*range(0x21, 0x7F), *range(0x620, 0x64B), *range(0x660, 0x6DD), *range(0x6EE, 0x700)])
)


def is_blank(text: str) -> bool:
    """Tell whether a text has nothing to be seen in it."""
    if not text:
        return True
    return text[0] not in _SEEN and (text.isspace() or bool(_blank().fullmatch(text)))


def may_be_blank(firsts: AbstractSet[int], joined: bytes) -> bool:
    """
    Tell whether one of many texts may be blank; false is certain.

    :param firsts: the first byte of each in UTF-8.
    :param joined: all of them in UTF-8.
    """
    return not _FIRST_BYTES.isdisjoint(firsts) or (_ARABIC in firsts and _MARK in joined)


@cache
def _blank() -> re.Pattern[str]:
    # Compiled when it is needed: a DAG file's parsing, which checks a text too, would take longer for it.
    return re.compile(f"[{INVISIBLE}]*+")
