"""Workbooks written by hand, part by part: what no library writes, and what other programs do."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

NS = (
    'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"


def cell(reference: str, value: object) -> str:
    """Write one cell; a text that begins with ``<`` is XML already."""
    place = f' r="{reference}"' if reference else ""
    if isinstance(value, str) and value.startswith("<"):
        return value
    if isinstance(value, str):
        return f'<c{place} t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c{place}><v>{value}</v></c>"


def row(number: int, *values: object, attributes: str = "") -> str:
    """Write one row, its cells from column A on; ``None`` for no cell."""
    cells = (
        cell(f"{chr(ord('A') + place)}{number}", value)
        for place, value in enumerate(values)
        if value is not None
    )
    return f'<row r="{number}"{attributes}>{"".join(cells)}</row>'


LIST = row(1, "recipient", "message") + row(2, "09121234567", "hi")


def sheet_xml(rows: str, before: str = "", after: str = "") -> str:
    """Write the XML of a sheet around its rows."""
    return f"<worksheet {NS}>{before}<sheetData>{rows}</sheetData>{after}</worksheet>"


def relationships(*targets: tuple[str, str, str]) -> str:
    """Write relationships: an id, the last word of a type, and a target each."""
    inner = "".join(
        f'<Relationship Id="{name}" Type="{TYPE}/{kind}" Target="{target}"/>'
        for name, kind, target in targets
    )
    return f'<Relationships xmlns="{RELS}">{inner}</Relationships>'


def pack(parts: Mapping[str, str | bytes], **how: Any) -> bytes:
    """Zip parts into a file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def parts_of(*sheets: str | tuple[str, ...], inside: str = "", **more: str) -> dict[str, str]:
    """
    Give the parts of a workbook.

    :param sheets: the rows of each, or its name, rows, state and kind.
    :param inside: what else stands in the workbook's own part.
    """
    given = [("List", sheet) if isinstance(sheet, str) else sheet for sheet in sheets]
    tabs, related, parts = [], [], {}
    for number, (name, rows, *rest) in enumerate(given, 1):
        state, kind = (*rest, *("visible", "worksheet")[len(rest) :])
        tabs.append(f'<sheet name="{name}" sheetId="{number}" state="{state}" r:id="rId{number}"/>')
        related.append((f"rId{number}", kind, f"{kind}s/sheet{number}.xml"))
        whole = rows if rows.startswith("<?xml") or "<sheetData" in rows else sheet_xml(rows)
        parts[f"xl/{kind}s/sheet{number}.xml"] = whole
    return {
        "_rels/.rels": relationships(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f"<workbook {NS}><workbookPr/><sheets>{''.join(tabs)}</sheets>{inside}</workbook>",
        "xl/_rels/workbook.xml.rels": relationships(*related),
        **parts,
        **more,
    }


def build(*sheets: str | tuple[str, ...], inside: str = "", **more: str) -> bytes:
    """Write a workbook from the rows of its sheets."""
    return pack(parts_of(*sheets, inside=inside, **more))
