"""
Words that stand in the place of a value: what a program writes for none, or for one that it cannot compute.

Only a whole cell or value is such a word. An error value of a spreadsheet is one within a text, too.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import cast

from airflow_provider_p2psms.rows.invisible import INVISIBLE

# As programs write them; a person's name is "Null" or "Nan", and an answer is "none".
_MISSING = frozenset(
    (
        # Python, pandas, NumPy, R, spreadsheets
        "None nan NaN NAN -nan -NaN NaT <NA> NA N/A n/a #NA inf -inf +inf "
        # databases and their tools
        r"NULL null \N (null) (NULL) <null> <NULL> [null] [NULL] .NULL. "
        # JavaScript, Go, C
        "undefined <nil> (nil)"
    ).split()
) | {"[object Object]", "Invalid Date", "Invalid date"}
# Excel's error values in the languages that it speaks, without their "#".
_ERRORS_IN_TEXTS = (
    "N/A NAME? REF! VALUE! DIV/0! NULL! NUM! SPILL! CALC! GETTING_DATA ERROR! "
    # German, French, Spanish, Portuguese, Italian, Dutch
    "BEZUG! WERT! ZAHL! ÜBERLAUF! NOM? VALEUR! NUL! NOMBRE! N/D ¿NOMBRE? ¡REF! ¡VALOR! ¡DIV/0! ¡NULO! "
    "¡NUM! ¡DESBORDAMIENTO! ¡CALC! NOME? VALOR! NULO! DESPEJAR! RIF! VALORE! NULLO! ESPANSIONE! N/B NAAM? "
    "NÚM! VERW! WAARDE! DEEL/0! LEEG! GETAL! OVERLOOP! "
    # Danish, Norwegian, Swedish, Finnish
    "I/T NAVN? REFERENCE! VÆRDI! DIVISION/0! VERDI! SAKNAS! NAMN? REFERENS! VÄRDEFEL! SKÄRNING! OGILTIGT! "
    "PUUTTUU! NIMI? VIITTAUS! ARVO! JAKO/0! TYHJÄ! LUKU! "
    # Russian, Polish, Czech, Hungarian, Turkish
    "Н/Д ИМЯ? ССЫЛКА! ЗНАЧ! ДЕЛ/0! ПУСТО! ЧИСЛО! ПЕРЕНОС! N/D! NAZWA? ADR! ARG! DZIEL/0! LICZBA! ROZLANIE! "
    "NENÍ_K_DISPOZICI NÁZEV? ODKAZ! HODNOTA! DĚLENÍ_NULOU! ČÍSLO! HIÁNYZIK NÉV? HIV! ÉRTÉK! ZÉRÓOSZTÓ! "
    "NULLA! SZÁM! AD? BAŞV! DEĞER! SAYI/0! BOŞ! SAYI! TAŞMA!"
).split()
# Within a text these may be hashtags.
_ERRORS_ALONE = (
    "#NV #YOK #FIELD! #BLOCKED! #CONNECT! #BUSY! #UNKNOWN! #EXTERNAL! #PYTHON! #TIMEOUT! #FELD! #ZERO! "
    # LibreOffice, Google
    "#MACRO? #FMT Loading... Loading…"
).split()
# A cell with "###" is too narrow for its value; a column has at most 255 characters.
_ERRORS = frozenset(
    {f"#{word}" for word in _ERRORS_IN_TEXTS}
    | {*_ERRORS_ALONE}
    | {f"Err:{code}" for code in range(501, 541)}
    | {"#" * width for width in range(3, 256)}
)
# What begins like an error value within a text. Of its characters only "?" means something else in a pattern.
ERROR_BEGINS = "#(?:" + "|".join(_ERRORS_IN_TEXTS).replace("?", r"\?") + ")"
ERROR = rf"(?<![\w&]){ERROR_BEGINS}(?!\w)"
_STAND_INS = _MISSING | _ERRORS
# No longer text is taken for a stand-in, though with white space around it one may be longer.
LONGEST = 32

IS_ERROR = "holds an error value of a spreadsheet (such as #N/A or #REF!); correct the formula"
_IS_MISSING = (
    "holds a word that programs write for no value (such as NULL or nan); leave it empty, "
    "or name it in text_values if it is meant"
)


def find_stand_in(text: str, text_values: Collection[str] = ()) -> str:
    """
    Say what is wrong with a cell or value that is only a stand-in, and what to do; "" if it is none.

    :param text_values: words for no value that are meant as they are.
    """
    word = text.strip()
    if word in _ERRORS:
        return IS_ERROR
    return _IS_MISSING if word in _MISSING and word not in text_values else ""


def have_stand_in(texts: Iterable[str]) -> bool:
    """Tell whether one of many texts is a stand-in, of which some may be meant; false is certain."""
    return not _STAND_INS.isdisjoint(map(str.strip, texts))


class Words(list[str]):
    """Values of which each is a text with something to be seen, and neither a stand-in nor lost letters."""

    __slots__ = ()


def as_words(values: Sequence[object]) -> Words | None:
    """Give many values back as words if all of them certainly are; some may be, even so."""
    if type(values) is Words:
        return values
    if set(map(type, values)) != {str}:
        return None
    words = Words(cast("Sequence[str]", values))
    joined = "\0".join(["", *words, ""])
    return None if ("?" in joined and "??" in joined) or _alone().search(joined) else words


@cache
def _alone() -> re.Pattern[str]:
    """Give the pattern of a value that is blank or a stand-in, between NULs, which no good one holds."""
    words = [re.escape(word) for word in sorted(_STAND_INS, reverse=True) if word.strip("#")]
    begin = "".join(sorted({re.escape(word[0]) for word in _STAND_INS}))
    return re.compile(rf"\0(?=[{INVISIBLE}{begin}\0])[{INVISIBLE}]*+(?:{'|'.join(words)}|##+)?\s*(?=\0)")
