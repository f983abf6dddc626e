"""A workbook: its sheets as the tabs stand, and whether its formulas were computed."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_p2psms.errors import InvalidMessageError, name_some
from airflow_provider_p2psms.rows.package import Attributes, Package, Relationship, is_true

# With so many digits a name may be somebody's number; a date has eight.
_DIGITS_OF_A_NUMBER = 9
_LONGEST_NAME = 40
_MOST_NAMES = 10
_WORKSHEET = "worksheet"
_OTHER_KINDS = {
    "chartsheet": "a chart",
    "dialogsheet": "a dialog",
    "xlMacrosheet": "a macro sheet",
    "xlIntlMacrosheet": "a macro sheet",
}
_ONE_LETTER = str.maketrans("\u064a\u0643", "\u06cc\u06a9", "\u200c")


@dataclass(frozen=True, slots=True)
class Tab:
    """One sheet of a workbook: its name, the kind of its part, the part itself, and who can see it."""

    name: str
    kind: str
    part: str
    is_hidden: bool

    @property
    def is_worksheet(self) -> bool:
        """Tell whether it holds cells: a chart, a dialog or a macro sheet has none to be sent."""
        return self.kind == _WORKSHEET

    @property
    def shown(self) -> str:
        """The name as errors show it."""
        return show_name(self.name)


@dataclass(slots=True)
class Workbook:
    """
    What a workbook says of itself.

    ``recalculates`` is true if the program that wrote it left its formulas to the next one, ``is_stale`` if
    it says that even what they hold now is old, and ``is_of_poi`` if it is one that never computes by itself.
    """

    tabs: list[Tab] = field(default_factory=list)
    has_1904_dates: bool = False
    recalculates: bool = False
    is_stale: bool = False
    is_of_poi: bool = False
    strings: str | None = None
    styles: str | None = None


def open_workbook(package: Package) -> Workbook:
    """
    Read what a workbook says of itself.

    :raises InvalidMessageError: the archive is no .xlsx workbook, or a damaged one.
    """
    top = {relationship.kind: relationship.target for relationship in package.relationships()}
    main = top.get("officeDocument", "xl/workbook.xml")
    if main.endswith(".bin") or main not in package:
        raise InvalidMessageError(
            f"{package.origin} is a zip archive but no .xlsx workbook; save the table as .xlsx"
        )
    book = Workbook()
    parts = package.relationships(main)
    kinds = {relationship.kind: relationship.target for relationship in parts}
    book.strings, book.styles = kinds.get("sharedStrings"), kinds.get("styles")
    _read_main(package, main, {relationship.id: relationship for relationship in parts}, book)
    book.is_of_poi = "POI" in _application(package, top.get("extended-properties", ""))
    return book


def _read_main(package: Package, main: str, parts: Mapping[str, Relationship], book: Workbook) -> None:
    def on_start(name: str, attributes: Attributes) -> None:
        if name == "sheet":
            wanted = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            if wanted not in parts:
                raise package.damaged("a sheet has no part")
            is_hidden = attributes.get("state", "visible") != "visible"
            part = parts[wanted]
            book.tabs.append(Tab(attributes.get("name", ""), part.kind, part.target, is_hidden))
        elif name == "workbookPr":
            book.has_1904_dates = is_true(attributes.get("date1904"))
        elif name == "calcPr":
            book.is_stale = attributes.get("calcId") == "0"
            book.recalculates = book.is_stale or is_true(attributes.get("fullCalcOnLoad"))

    package.parse(main, on_start)
    if not book.tabs:
        raise package.damaged("it has no sheets")


def find_tab(book: Workbook, sheet: str | int, origin: str) -> Tab:
    """
    Find the worksheet that a name or a number from 1 stands for; a hidden one only by its name.

    Some count all tabs, some only those that they see, some without the charts. A number is taken if all
    ways of counting that find a worksheet find the same.

    :raises InvalidMessageError: there is none, several are meant, or it is no worksheet.
    """
    if isinstance(sheet, str):
        for same in (str, _fold):
            found = [tab for tab in book.tabs if same(tab.name) == same(sheet)]
            if len(found) == 1:
                return _require_worksheet(found[0], origin)
        if found or not sheet.strip().isdecimal():
            problem = "several sheets" if found else "no sheet"
            name = show_name(sheet)
            raise InvalidMessageError(f'{origin} has {problem} of the name "{name}"; {describe(book.tabs)}')
        sheet = int(sheet)
    return _find_by_number(book.tabs, sheet, origin)


def show_name(name: str) -> str:
    """Write the name of a sheet for an error: without digits where they may be somebody's number."""
    if sum(map(str.isdecimal, name)) >= _DIGITS_OF_A_NUMBER:
        name = "".join("•" if char.isdecimal() else char for char in name)
    return " ".join(name.split())[:_LONGEST_NAME]


def describe(tabs: Sequence[Tab]) -> str:
    """List the sheets of a workbook for an error."""
    names = [f'"{tab.shown}"{" (hidden)" if tab.is_hidden else ""}' for tab in tabs]
    return f"its sheets: {name_some(names, most=_MOST_NAMES)}"


def _find_by_number(tabs: Sequence[Tab], number: int, origin: str) -> Tab:
    visible = [tab for tab in tabs if not tab.is_hidden]
    countings = [tabs, visible, *([tab for tab in some if tab.is_worksheet] for some in (tabs, visible))]
    found = {id(some[number - 1]): some[number - 1] for some in countings if 0 < number <= len(some)}
    sheets = [tab for tab in found.values() if tab.is_worksheet]
    if len(sheets) == 1 and not sheets[0].is_hidden:
        return sheets[0]
    if not sheets:
        raise InvalidMessageError(f"{origin} has no worksheet number {number:,}; {describe(tabs)}")
    raise InvalidMessageError(
        f"{origin}: sheet number {number:,} is not clear, since some sheets are hidden or charts; set sheet "
        f"to a name; {describe(tabs)}"
    )


def _require_worksheet(tab: Tab, origin: str) -> Tab:
    if not tab.is_worksheet:
        kind = _OTHER_KINDS.get(tab.kind, "no worksheet")
        raise InvalidMessageError(f'{origin}: the sheet "{tab.shown}" is {kind}; name a sheet with rows')
    return tab


def _application(package: Package, part: str) -> str:
    """Name the program that wrote a workbook, "" if it does not say so."""
    if part not in package:
        return ""
    head = next(package.chunks(part), b"").decode("utf-8", "replace")
    return head.partition("Application>")[2].partition("<")[0]


def _fold(name: str) -> str:
    """Take the differences off that nobody sees: case, composition, spaces, the two yehs and kafs."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().translate(_ONE_LETTER).split())
