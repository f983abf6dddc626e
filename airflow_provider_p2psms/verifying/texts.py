"""
The texts that are sent, and how a report's text differs from the one that was sent.

Pure. Each text begins with a marker of Latin capitals, which no known gateway alters, and is cut into parts
by bars, so that each kind of character is compared by itself.
"""

import html
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

BAR = "|"
_LONG = 290  # characters: two parts of GSM-7 with the marker
_SHOWN = 40

LETTERS, DIGITS, ZWNJ = "علي كريم", "۱۲۳ ٤٥٦ 789", "می\N{ZERO WIDTH NON-JOINER}شود"
LINE_END, BLANKS, QUOTES, MARKUP = "one\ntwo", "a  b", "\"q\" 'q'", "a&b<c>"


@dataclass(frozen=True, slots=True)
class Texts:
    """
    The texts of one run, by purpose. ``tag`` makes them differ from those of every other run.

    ``short`` is sent twice; ``groups`` in one request; ``rows`` in one file, twice; ``scheduled`` is
    cancelled.
    """

    tag: str

    @property
    def short(self) -> str:
        """A plain text."""
        return f"{self.tag}A{BAR}p2psms verify"

    @property
    def groups(self) -> tuple[str, str, str]:
        """Letters, marks, and a long text."""
        numbers = " ".join(f"{number:03}" for number in range(1, 100))
        return (
            BAR.join((f"{self.tag}B", LETTERS, DIGITS, ZWNJ, "")),
            BAR.join((f"{self.tag}C", LINE_END, BLANKS, QUOTES, MARKUP, "")),
            f"{self.tag}D{BAR}{numbers}"[:_LONG],
        )

    @property
    def rows(self) -> tuple[str, str]:
        """A text that a CSV has to quote, and a plain one."""
        return BAR.join(
            (f"{self.tag}E", 'p2psms verify, "by file"', LINE_END, "")
        ), f"{self.tag}F{BAR}by file"

    @property
    def scheduled(self) -> str:
        """The text that is scheduled and cancelled."""
        return f"{self.tag}G{BAR}p2psms verify: scheduled, to be cancelled"


# Which part of which text shows a habit: (letter of the marker, place between the bars, what was sent).
FEATURES: Mapping[str, tuple[str, int, str]] = MappingProxyType(
    {
        "letters": ("B", 1, LETTERS),
        "digits": ("B", 2, DIGITS),
        "zwnj": ("B", 3, ZWNJ),
        "line_end": ("C", 1, LINE_END),
        "blanks": ("C", 2, BLANKS),
        "quotes": ("C", 3, QUOTES),
        "markup": ("C", 4, MARKUP),
    }
)

_PERSIAN = str.maketrans("يك", "یک")
_PERSIAN_DIGITS = "۰۱۲۳۴۵۶۷۸۹"
_TYPOGRAPHIC = frozenset(
    "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a\u2032\u2033"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """
    A text of ours as a report shows it.

    ``parts`` are what stands between the bars, ``None`` where the bars are not those that were sent.
    ``kept`` is how many characters of the sent text stand at its beginning, if it is shortened.
    """

    is_ours: bool
    before: str = ""
    after: str = ""
    parts: tuple[str, ...] | None = field(default=None, repr=False)
    kept: int | None = None
    has_dots: bool = False
    what: str = "as sent"


def read_shown(sent: str, shown: object) -> Shown:
    """
    Compare a text with what a report shows of it.

    ``what`` says in words how it is shown where it cannot be compared part by part.
    """
    if not isinstance(shown, str):
        return Shown(is_ours=False, what="not shown (null)" if shown is None else "not shown as a text")
    stripped = shown.rstrip(".… ")
    if stripped and len(stripped) < len(sent) and sent.startswith(stripped):
        has_dots = stripped != shown.rstrip()
        dots = " with dots at the end" if has_dots else ""
        what = f"shortened to {len(stripped)} of {len(sent)} characters{dots}"
        return Shown(is_ours=True, kept=len(stripped), has_dots=has_dots, what=what)
    marker = sent.partition(BAR)[0]
    before, found, rest = shown.partition(marker)
    if not found:
        what = "empty" if not shown.strip() else "without its first word: masked or replaced"
        return Shown(is_ours=False, what=what)
    rest = marker + rest
    if rest.startswith(sent):
        return Shown(is_ours=True, before=before, after=rest[len(sent) :], parts=tuple(sent.split(BAR)))
    parts = tuple(rest.split(BAR))
    if len(parts) != sent.count(BAR) + 1:
        return Shown(is_ours=True, before=before, what="changed, and not part by part")
    after = parts[-1] if sent.endswith(BAR) else ""
    return Shown(is_ours=True, before=before, after=after, parts=parts, what="changed")


def describe_part(sent: str, shown: str) -> str:
    """Say in words how a part of a text is shown; an empty text if it is as sent."""
    if shown == sent:
        return ""
    known = {
        sent.translate(_PERSIAN): "Arabic ya and kaf are shown as Persian ya and kaf",
        _to_latin(sent): "all digits are shown as Latin digits",
        _to_persian(sent): "all digits are shown as Persian digits",
        sent.replace("\N{ZERO WIDTH NON-JOINER}", ""): "zero-width non-joiners are left out",
        sent.replace("\N{ZERO WIDTH NON-JOINER}", " "): "zero-width non-joiners are shown as blanks",
        sent.replace("\n", "\r\n"): "line ends are shown as CR LF",
        sent.replace("\n", "\r"): "line ends are shown as CR",
        sent.replace("\n", " "): "line ends are shown as blanks",
        sent.replace("\n", ""): "line ends are left out",
        sent.replace("\n", "<br>"): "line ends are shown as <br>",
        sent.replace("\n", "\\n"): "line ends are shown as \\n",
        sent.replace("  ", " "): "two blanks are shown as one",
    }
    if shown in known:
        return known[shown]
    if html.unescape(shown) == sent:
        return "HTML escapes are shown"
    if _TYPOGRAPHIC & set(shown) and len(shown) == len(sent):
        return "straight quotes are shown as typographic quotes"
    return f"shown as {ascii_of(shown)}"


def ascii_of(text: str) -> str:
    """Return at most 40 characters of a text in quotes, with what does not print as escapes."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    printed = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)
    return f'"{printed}"'


def _to_latin(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def _to_persian(text: str) -> str:
    return "".join(_PERSIAN_DIGITS[unicodedata.decimal(char)] if char.isdecimal() else char for char in text)
