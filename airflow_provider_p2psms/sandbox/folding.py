"""What the search takes for the same: digits, ya and kaf of either form; blanks and joiners are left out."""

import re
import unicodedata

# Persian and Arabic digits, ya and kaf; the tatweel only stretches a word.
_SAME = str.maketrans(
    {
        **{
            digit: str(unicodedata.decimal(digit))
            for digit in map(chr, [*range(0x6F0, 0x6FA), *range(0x660, 0x66A)])
        },
        "\u064a": "\u06cc",
        "\u0649": "\u06cc",
        "\u0643": "\u06a9",
        "\u0640": None,
        # What cannot be seen: joiners, marks of direction, the soft hyphen, the byte order mark.
        **dict.fromkeys(
            map(chr, [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])
        ),
    }
)
_NUMBER = re.compile(r"\+?[0-9]{3,}")


def fold(text: str) -> str:
    """Return a text as the search compares it."""
    return "".join(text.translate(_SAME).casefold().split())


def number_forms(query: str) -> tuple[str, ...]:
    """
    Return the pieces of E.164 that a query may mean: ``0912 …`` is looked for as ``0912…`` and ``+98912…``.

    None if it is no number.
    """
    number = re.sub(r"[-().]", "", fold(query))
    if not _NUMBER.fullmatch(number):
        return ()
    if number.startswith("00"):
        return number, f"+{number[2:]}"
    return (number, f"+98{number[1:]}") if number.startswith("0") else (number,)
