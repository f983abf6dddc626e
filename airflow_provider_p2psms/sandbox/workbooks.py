"""
Checks an uploaded XLSX before it is parsed, so that no workbook can exhaust the memory of the sandbox.

calamine inflates all that a ZIP entry holds, whatever size the archive states, and allocates every cell up to
the last row and the last column. Here each entry is inflated up to the size that it states, and packed anew.
"""

import io
import re
import zipfile
import zlib

MAX_INFLATED_BYTES = 128 * 1024 * 1024
MAX_CELLS = 1_000_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")


class HostileWorkbookError(Exception):
    """It is no ZIP archive, is damaged, or is too large when unpacked."""


def unpack(content: bytes) -> io.BytesIO:
    """
    Return the same workbook, stored without compression.

    :raises HostileWorkbookError: it is damaged, or too large when unpacked.
    """
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book, zipfile.ZipFile(packed, "w") as stored:
            entries = {entry.filename: entry for entry in book.infolist()}
            if any(entry.compress_type not in _METHODS for entry in entries.values()):
                raise HostileWorkbookError
            if sum(entry.file_size for entry in entries.values()) > MAX_INFLATED_BYTES:
                raise HostileWorkbookError
            for name, entry in entries.items():
                inflated = book.read(entry)
                _check_cells(inflated)
                stored.writestr(name, inflated)
    # A damaged archive can fail in each of these ways; RuntimeError is a password.
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError) as err:
        raise HostileWorkbookError from err
    packed.seek(0)
    return packed


def _check_cells(xml: bytes) -> None:
    rows = columns = 1
    for letters, digits in _REFERENCE.findall(xml):
        rows = max(rows, int(digits[:10]))
        columns = max(columns, _column_number(letters[:10].upper()))
    if rows * columns > MAX_CELLS:
        raise HostileWorkbookError


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
