"""
Tells words from what another code page makes of them.

The letters of a language stand beside each other in ways that those of a wrong code page do not: no Arabic
letter within a Latin word, no sign of a currency between two letters, no capital behind a small letter.
"""

# ruff: noqa: RUF001 - look-alikes of common signs are what this is about

import re
from functools import cache

_MOST_CHARACTERS = 100_000
# The plain form of a page, and the first byte of its last common character.
_EAST_ASIAN = {
    "cp932": ("shift_jis", 0x97),
    "cp949": ("euc_kr", 0xC8),
    "cp950": ("big5", 0xC6),
    "gb18030": ("gb2312", 0xD7),
}
# Another encoding, and the letters that the page's own texts seldom become in it.
_RIVALS = {"cp932": ("euc_jp", "\u3041", "\u3093", 10), "gb18030": ("euc_kr", "\uac00", "\ud7a3", 80)}
_LATIN = frozenset({"cp1250", "cp1252", "cp1254", "cp1257", "cp1258"})
_WITH_CASE = frozenset({"cp1251", "cp1253"})

_LETTER = r"[^\W\d_ªº¹²³¼½¾ƒ]"
_ARABIC = (
    r"\u0621-\u063a\u0641-\u064a\u0679\u067e\u0686\u0688\u0691\u0698\u06a9\u06af\u06ba\u06be\u06c1\u06d2"
)
_MARKS = r"\u064b-\u0652"
_ACCENTED = "À-ÖØ-öø-ÿŒœ"
# Each begins with a character that few texts have: it is sought first, and then what stands beside it.
# Signs that stand between letters, behind one, or in front of one only if they are a letter of another page.
_EVERYWHERE = (
    rf"[€‚„†‡ˆ‰‹›˜¡¢£¤¥¦§¨©¬®¯°±¶¸¹²³¼½¾¿÷ƒˇ˘˙˛˝\u0384\u0385](?<={_LETTER}.)(?={_LETTER})",
    rf"[‚„ˆ˜¡¿¢¤¦¨¬¯¶¸±ˇ˘˙˛˝§£](?<={_LETTER}.)(?!\d)",
    rf"[ˆ˜™®¦¨¬¯¶£ˇ˘\u0385](?={_LETTER})",
    "¤",  # the euro sign of ISO-8859-15; nobody writes it
)
_IN_LATIN = (
    rf"[“”•](?<={_LETTER}.)(?={_LETTER})",
    "[ŠŒŽŸ](?<=[a-zß-öø-ÿ].)",
    "Ÿ(?=[a-z])",
    "[À-ÖØ-Þ](?<=[a-zß-öø-ÿ]{2}.)",
)
# Latin words may stand beside Arabic ones without a space, and behind "and": but not within them.
_IN_ARABIC = (
    rf"[{_ACCENTED}](?:(?=[{_ARABIC}{_MARKS}])|(?<=[{_ARABIC}{_MARKS}].))",
    rf"[{_MARKS}](?<![{_ARABIC}{_MARKS}\u0640\s\u200c\u200d].)",
    rf"[A-Za-z](?=[{_ARABIC}])(?!\u0648[A-Za-z])(?=.[{_ARABIC}]{{0,2}}[a-z])",
    rf"[a-z](?<=[{_ARABIC}].)(?<![{_ARABIC}{_MARKS}]..)(?<![\u0648\u0628\u0644\u0641\u0643\u06a9].)",
    rf"[a-z](?=[{_ARABIC}])(?![\u064a\u0647\u0645\u0634\u0627\u062a\u0648])(?!.[{_ARABIC}{_MARKS}])",
)
# A vowel in front of its consonant, one behind or above it, and signs that begin or end a verse.
_IN_THAI = (
    r"[\u0e40-\u0e44](?![\u0e01-\u0e2e])",
    r"[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e](?<![\u0e01-\u0e4e].)",
    r"[\u0e4f\u0e5a\u0e5b](?:(?=[\u0e01-\u0e4e])|(?<=[\u0e01-\u0e4e].))",
)
_IN_EAST_ASIA = (r"[\ue000-\uf8ff\ufffd]", r"[\u3400-\u9fff\uac00-\ud7a3\uff66-\uff9f](?<=[a-z].)(?=.?[a-z])")
# Letters beyond ASCII that the languages of a region have; elsewhere all of a code page may be met.
_WESTERN = "àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÿ"
_ALPHABETS = {
    "CZ": "áčďéěíňóřšťúůýž",
    "SK": "áäčďéíĺľňóôŕšťúýž",
    "PL": "ąćęłńóśźż",
    "HU": "áéíóöőúüű",
    "MD RO": "ăâîşţ",
    "BA HR ME MK RS SI": "čćđšž",
    "AL XK": "çë",
    "TM": "çäňöşüýž",
    "TR": "âçğıîöşûüi̇",
    "LV": "āčēģīķļņŗšūž",
    "LT": "ąčęėįšųūž",
    "EE": "äõöüšž",
    "FI": "äåöšž",
    "FO IS": _WESTERN + "ðþý",
}
_NEIGHBOURS = "äöüßéáó"  # in names, also where the language has none
_words = re.compile(rf"{_LETTER}+")


class Sample:
    """Some of a file's text: what is beyond ASCII in it, and all that stands in between."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.size = 0

    def add(self, text: str) -> None:
        """Take a text in, up to the size of a sample."""
        if self.size < _MOST_CHARACTERS:
            self.texts.append(text)
            self.size += len(text)

    def words(self) -> list[str]:
        """Give the words that are not ASCII."""
        return [word for text in self.texts for word in _words.findall(text) if not word.isascii()]


def may_be_odd(block: bytes, page: str) -> bool:
    """Tell in a moment whether text in a code page is worth a look of ``find_odd``: most is not."""
    if page in _EAST_ASIAN or page == "cp874":
        return True
    kinds = block.translate(_kinds(page))
    if b"S" in kinds or page != "cp1256":
        return b"S" in kinds or b"lU" in kinds
    pairs = [b"LA", b"AL"]  # to look for one byte that is rare is much faster
    pairs += [b"XA", b"AX"] if b"X" in kinds else []
    pairs += [b"LM", b"XM", b"DM"] if b"M" in kinds else []
    return any(pair in kinds for pair in pairs)


# Kinds of characters: a Sign, a Latin letter, an eXtra one, an Arabic one, a Mark on one, a Digit or so; in
# other code pages a lower and an Upper letter.
_SIGNS = "€‚„†‡ˆ‰‹›˜¡¢£¤¥¦§¨©¬®¯°±¶¸¹²³¼½¾¿÷ƒˇ˘˙˛˝\u0384\u0385™“”•ŠŒŽŸ"


@cache
def _kinds(page: str) -> bytes:
    return "".join(_kind(bytes([byte]).decode(page, "ignore"), page) for byte in range(256)).encode()


def _kind(char: str, page: str) -> str:
    if not char or char.isspace():
        return " "
    if page == "cp1256":
        kinds = {
            "L": "[A-Za-z]",
            "X": f"[{_ACCENTED}]",
            "A": f"[{_ARABIC}\u0640\u200c\u200d]",
            "M": f"[{_MARKS}]",
        }
        found = next((kind for kind, pattern in kinds.items() if re.match(pattern, char)), "")
        return found or ("S" if char in _SIGNS and char not in "“”•" else "D")
    if char in _SIGNS:
        return "S"
    return "l" if char.islower() else "U" if "À" <= char <= "Þ" else "D"


def find_odd(text: str, page: str) -> int | None:
    """Find the first place where characters stand together as they do in no word of a code page."""
    found = _odd(page).search(text)
    return found.start() if found else None


@cache
def _odd(page: str) -> re.Pattern[str]:
    own: tuple[str, ...] = ()
    if page in _LATIN:
        own = _IN_LATIN
    elif page == "cp1256":
        own = _IN_ARABIC
    elif page == "cp874":
        own = _IN_THAI
    elif page in _EAST_ASIAN:
        return re.compile("|".join(_IN_EAST_ASIA))
    return re.compile("|".join((*_EVERYWHERE, *own)))


def why_no_words(sample: Sample, page: str, region: str) -> str:
    """Say why the words of a sample, taken together, are none of a code page; "" if they are."""
    if page in _EAST_ASIAN:
        return _why_not_east_asian("".join(sample.texts), page)
    words = sample.words()
    if page in _LATIN:
        pure = sum(len(word) > 2 and not any(map(str.isascii, word)) for word in words)
        if pure * 3 > len(words):
            return "makes words without any common letter"
        return _why_no_alphabet("".join(words).lower(), page, region)
    return _why_no_script(words, page)


def _why_no_script(words: list[str], page: str) -> str:
    """Look at words that have no letter of ASCII: by scripts, by capitals, by length."""
    foreign = [word for word in words if any(char > "\u024f" for char in word)]
    faults = (
        (sum(len(word) == 1 for word in words) * 5 > len(words) * 3, "makes single letters"),
        (sum(map(_holds_latin, foreign)) * 5 > len(foreign), "puts letters of two scripts into one word"),
        (
            page in _WITH_CASE and sum(map(_is_odd_case, foreign)) * 5 > len(foreign),
            "puts capital letters behind small ones",
        ),
    )
    return next((reason for is_so, reason in faults if is_so), "")


def _why_no_alphabet(letters: str, page: str, region: str) -> str:
    """Compare the letters beyond ASCII with those of the region's languages: most of them are known there."""
    own = next((own for regions, own in _ALPHABETS.items() if region in regions.split()), "")
    if not own and page != "cp1252":
        return ""
    beyond = [letter for letter in letters if not letter.isascii()]
    unknown = sum(letter not in (own or _WESTERN) + _NEIGHBOURS for letter in beyond)
    return "makes letters that its languages do not have" if unknown * 4 > len(beyond) else ""


def _holds_latin(word: str) -> bool:
    return any(char <= "\u024f" for char in word)


def _is_odd_case(word: str) -> bool:
    return not (word.islower() or word.isupper() or (word[0].isupper() and word[1:].islower()))


def _why_not_east_asian(text: str, page: str) -> str:
    """Tell common characters from the rare ones that the texts of other encodings become."""
    beyond = [char for char in text if not char.isascii()]
    if page == "gb18030" and sum("\u3041" <= char <= "\u30f6" for char in beyond) * 10 > len(beyond):
        return "makes Japanese of it"
    if sum(_is_common(char, page) for char in beyond) * 5 < len(beyond) * 4:
        return "makes mostly rare characters"
    if page in _RIVALS:
        other, first, last, percent = _RIVALS[page]
        read = [char for char in text.encode(page).decode(other, "replace") if not char.isascii()]
        if "\ufffd" not in read and sum(first <= char <= last for char in read) * 100 > len(read) * percent:
            return f"is in doubt: {other} makes words of it, too"
    return ""


def _is_common(char: str, page: str) -> bool:
    plain, last = _EAST_ASIAN[page]
    code = char.encode(plain, "ignore")
    return len(code) == 1 or (len(code) == 2 and code[0] <= last)
