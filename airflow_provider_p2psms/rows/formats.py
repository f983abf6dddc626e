"""Names files that are neither CSV nor XLSX for what they are, and says what to do with them."""

import re
import zipfile
from contextlib import suppress
from typing import BinaryIO

from airflow_provider_p2psms.errors import InvalidMessageError

_UNPACK = "unpack it first"
_SAVE = "save the table as .xlsx or as .csv (UTF-8)"
_READ = "read it into a DataFrame and hand that in as messages"
_PARSE = "read its rows and hand them in as messages"
_HEAD = 4096
_MOST_OF_A_PART = 1 << 20
_OLE_HEAD = 1 << 20

# By the bytes that a file begins with: what it is, and what to do.
_MAGICS = {
    b"\x1f\x8b": ("compressed with gzip", _UNPACK),
    b"\x1f\x9d": ("compressed with compress", _UNPACK),
    b"BZh[1-9]1AY&SY": ("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\0": ("compressed with xz", _UNPACK),
    b"\x5d\0\0.{2}\0\0|\x5d\0\0.{2}\xff\xff": ("compressed with lzma", _UNPACK),
    b"[\x28\x22-\x27]\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18": ("compressed with zstd", _UNPACK),
    b"\x04\x22\x4d\x18|\x02\x21\x4c\x18": ("compressed with lz4", _UNPACK),
    b"\xff\x06\0\0sNaPpY": ("compressed with snappy", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b".{257}ustar": ("a tar archive", _UNPACK),
    b"PAR1|PARE": ("a Parquet file", _READ),
    b"Obj\x01": ("an Avro file", _READ),
    b"ARROW1\0\0|FEA1|\xff\xff\xff\xff.{2}\0\0": ("an Arrow or Feather file", _READ),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", _READ),
    rb"\x93NUMPY": ("a NumPy file", _READ),
    b"\\$FL[23]@\\(#\\)": ("an SPSS file", _READ),
    b"<stata_dta>|[\x71-\x73][\x01\x02]\x01\0": ("a Stata file", _READ),
    b"\0{12}\xc2\xea\x81\x60|HEADER RECORD\\*{7}": ("a SAS file", _READ),
    b"RD[AX][23]\n": ("an R file", _READ),
    b"\x80[\x02-\x05]": ("a Python pickle", "load it and hand its rows in as messages"),
    b"SQLite format 3\0": ("an SQLite database", "read its rows with a query and hand them in as messages"),
    b"\0\x01\0\0Standard (Jet|ACE) DB": ("an Access database", "export the table as .csv (UTF-8) or .xlsx"),
    b"PGDMP": ("a PostgreSQL dump", "export the table as .csv (UTF-8)"),
    b"%PDF-": ("a PDF", _SAVE),
    rb"\{\\rtf": ("an RTF document", _SAVE),
    b"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\\*\0|MM\0\\*|RIFF.{4}WEBP|BM.{4}\0{4}": ("a picture", _SAVE),
    b"\x09[\0\x02\x04\x08].{2}[\0-\x06][\0-\x06]": ("an old .xls workbook", _SAVE),
    b"ID;P(WXL|;|\r|\n|SCALC)": ("a SYLK spreadsheet", _SAVE),
    b"TABLE\r?\n0,1": ("a DIF spreadsheet", _SAVE),
}
# By the text that a file begins with, in lower case and without a byte order mark.
_TEXTS = {
    r'\{".*\}[^\S\n]*\n\s*\{': ("JSON Lines", _PARSE),
    r'\{\s*["}]|\[\s*[\[{\]]|\[\s*"[^"]*"\s*,\s*"': ("JSON", _PARSE),
    r"<\?xml.*urn:schemas-microsoft-com:office:spreadsheet": ("an XML spreadsheet (2003)", _SAVE),
    r"<\?xml.*opendocument": ("an OpenDocument file", _SAVE),
    r"(<\?xml.*)?<(!doctype\s+html|(html|head|meta|body|table|div|style|script)\b)": (
        "a web page (HTML)",
        _SAVE,
    ),
    r"<(\?xml|!doctype|!--)|<[a-z][\w:.-]*(\s[^>]*)?>\s*<": ("XML", _PARSE),
    r"mime-version:|content-type:\s*multipart": ("a saved web page or a mail (MIME)", _SAVE),
    "begin:vcard": ("a vCard file", _PARSE),
    r"--\s*\n-- postgresql database dump|-- (mysql|mariadb) dump|pragma foreign_keys": (
        "an SQL dump",
        "export the table as .csv (UTF-8)",
    ),
    r"(--[^\n]*\n|/\*.*?\*/;?|\s)*(insert\s+into|create\s+table|drop\s+table|copy\s+\S+.*\sfrom\s+stdin)\b": (
        "an SQL dump",
        "export the table as .csv (UTF-8)",
    ),
}
# By the names in a zip archive, in lower case, one in a line.
_NAMES = {
    r"^word/": ("a Word document", _SAVE),
    r"^ppt/": ("a PowerPoint document", _SAVE),
    r"^(.*/)?index(/document\.iwa|\.zip)$": ("a document of Apple Numbers, Pages or Keynote", _SAVE),
    r"\.npy$": ("a NumPy archive", _READ),
    r"\.(csv|tsv|tab|txt)$": ("a zip archive with a text file", _UNPACK),
    r"\.(xls[xmb]?|ods)$": ("a zip archive with a workbook", _UNPACK),
    r"": ("a zip archive but no .xlsx workbook", _SAVE),
}


def is_workbook(stream: BinaryIO, origin: str) -> bool:
    """
    Tell a workbook (XLSX) from a text file, and rewind it.

    :raises InvalidMessageError: it is neither, with what it is and what to do.
    """
    head = stream.read(_HEAD)
    found = _name_bytes(stream, head)
    is_zip = head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))
    if is_zip:
        found = _name_zip(stream, origin)
    elif not found:
        found = _name_text(head)
    if found:
        raise InvalidMessageError(f"{origin} is {found[0]}; {found[1]}")
    stream.seek(0)
    return is_zip


def _name_bytes(stream: BinaryIO, head: bytes) -> tuple[str, str] | None:
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _name_ole(head + stream.read(_OLE_HEAD))
    for magic, found in _MAGICS.items():
        if re.match(magic, head, re.DOTALL):
            return found
    if head.startswith(b"ORC"):  # as a text may, too
        stream.seek(-4, 2)
        if stream.read(3) == b"ORC":
            return "an ORC file", _READ
    return None


def _name_ole(content: bytes) -> tuple[str, str]:
    """Name a file of the format that old and encrypted Office documents have."""
    kinds = {
        "EncryptedPackage": ("an encrypted workbook", "save it as .xlsx without a password"),
        "WordDocument": ("an old Word document", _SAVE),
        "Workbook": ("an old .xls workbook", "save it as .xlsx"),
        "Book": ("an old .xls workbook", "save it as .xlsx"),
    }
    other = ("an old .xls or an encrypted workbook", "save it as .xlsx without a password")
    return next((found for name, found in kinds.items() if name.encode("utf-16-le") in content), other)


def _name_text(head: bytes) -> tuple[str, str] | None:
    text = head.lstrip(b"\xef\xbb\xbf\xff\xfe").replace(b"\0", b"").decode("latin-1").lstrip().lower()
    return next((found for start, found in _TEXTS.items() if re.match(start, text, re.DOTALL)), None)


def _name_zip(stream: BinaryIO, origin: str) -> tuple[str, str] | None:
    """Name what is in a zip archive; ``None`` for a workbook, whatever the names of its parts."""
    try:
        with zipfile.ZipFile(stream) as archive:
            names = "\n".join(archive.namelist()).replace("\\", "/").lower()
            kind = _read_part(archive, "mimetype")
            types = _read_part(archive, "[Content_Types].xml")
    except zipfile.BadZipFile:
        raise InvalidMessageError(f"{origin} begins like a workbook but is cut short or damaged") from None
    if b"opendocument" in kind:
        return "an OpenDocument file (.ods)", _SAVE
    # SheetJS names the binary type as one that its workbooks may have, whatever they are.
    if re.search(r"^/?xl/workbook\.bin$", names, re.MULTILINE):
        return "a binary workbook (.xlsb)", _SAVE
    if re.search(rb"spreadsheetml\.(sheet|template)\.main|ms-excel\.(sheet|template|addin)\.macro", types):
        return None
    if b"ms-excel.sheet.binary" in types:
        return "a binary workbook (.xlsb)", _SAVE
    if re.search(r"^/?xl/.*\.xml$", names, re.MULTILINE):
        return None
    return next(found for pattern, found in _NAMES.items() if re.search(pattern, names, re.MULTILINE))


def _read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read the beginning of a part of an archive; nothing if it is not there or cannot be read."""
    for found in archive.namelist():
        if found.lower() == name.lower():
            with suppress(Exception), archive.open(found) as part:
                return part.read(_MOST_OF_A_PART)
    return b""
