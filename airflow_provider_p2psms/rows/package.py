"""
The parts of a workbook: a zip archive of XML documents that name each other by relationships.

Parts are streamed and measured while they are unpacked, whatever the archive says about their size. Names are
taken as programs write them: with either slash, in any case.
"""

import copy
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from posixpath import dirname, join, normpath, split
from typing import BinaryIO
from xml.parsers import expat

from airflow_provider_p2psms.errors import InvalidMessageError

# Of one part, unpacked: a sheet of 1,048,576 rows has 1 GiB with 20 columns or more.
MAX_BYTES = 2 * 2**30
MAX_ALL_BYTES = 2 * MAX_BYTES
# Of a part that is held in memory as a whole: names and styles, a few kilobytes each.
MAX_SMALL_BYTES = 64 * 2**20
_CHUNK = 1 << 18
# No sheet packs so well: one of equal rows comes to a thirtieth.
_MOST_TIMES = 250
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_declares_encoding = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([^"']*)""").search

Attributes = Mapping[str, str]
OnStart = Callable[[str, Attributes], None]


@dataclass(frozen=True, slots=True)
class Relationship:
    """What one part says about another: its id, the last word of its type, and the part's name."""

    id: str
    kind: str
    target: str


class Package:
    """
    An open workbook file.

    :raises InvalidMessageError: it is cut short or damaged, or a part is larger than any spreadsheet needs.
    """

    def __init__(self, stream: BinaryIO, origin: str) -> None:
        self.origin = origin
        with self._reading():
            self._archive = zipfile.ZipFile(stream)
        self._unpacked = 0
        self._parts: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            if self._parts.setdefault(_fold(info.filename), info) is not info:
                raise self.damaged("two parts have the same name")

    def __contains__(self, part: str) -> bool:
        return _fold(part) in self._parts

    def damaged(self, why: str) -> InvalidMessageError:
        """Give the error of a workbook that no program should have written."""
        return InvalidMessageError(f"{self.origin} is a damaged workbook ({why}); save it again as .xlsx")

    def chunks(self, part: str, limit: int = MAX_BYTES) -> Iterator[bytes]:
        """Stream one part, a quarter of a megabyte at a time."""
        if part not in self:
            raise self.damaged("a part is missing")
        info = copy.copy(self._parts[_fold(part)])
        if info.compress_type not in _METHODS or info.flag_bits & 1:
            raise self.damaged("a part is packed in a way that no spreadsheet reads")
        limit = min(limit, max(MAX_SMALL_BYTES, _MOST_TIMES * info.compress_size))
        info.file_size = limit + 2 * _CHUNK  # so much is unpacked, whatever the archive says
        size = 0
        with self._reading(), self._archive.open(info) as opened:
            while chunk := opened.read(_CHUNK):
                size += len(chunk)
                self._unpacked += len(chunk)
                if size > limit or self._unpacked > MAX_ALL_BYTES:
                    raise InvalidMessageError(
                        f"{self.origin} unpacks to more than {limit // 2**20:,} MiB in one part, or "
                        f"{MAX_ALL_BYTES // 2**20:,} MiB in all; save the table as .csv"
                    )
                if size == len(chunk):
                    self._require_utf8(chunk)
                yield chunk

    def parse(self, part: str, on_start: OnStart) -> None:
        """Report the elements of a small part, by their names without a prefix."""
        parser = self.parser()
        parser.StartElementHandler = lambda name, attributes: on_start(local(name), attributes)
        with self.reading_xml():
            for chunk in self.chunks(part, MAX_SMALL_BYTES):
                parser.Parse(chunk)
            parser.Parse(b"", True)

    def parser(self) -> expat.XMLParserType:
        """Make a parser that takes no document type, and thus no entities that grow."""
        parser = expat.ParserCreate()

        def refuse(*_: object) -> None:
            raise self.damaged("it has a document type")

        parser.StartDoctypeDeclHandler = refuse
        return parser

    @contextmanager
    def reading_xml(self) -> Iterator[None]:
        """Make what the parser says of a broken document an error of the workbook."""
        try:
            yield
        except expat.ExpatError:
            raise self.damaged("its XML is broken") from None

    def relationships(self, part: str = "") -> list[Relationship]:
        """List what one part, or the package itself, says about others; outside targets are left out."""
        folder, name = split(part)
        document = join(folder, "_rels", f"{name}.rels")
        found: list[Relationship] = []

        def on_start(name: str, attributes: Attributes) -> None:
            if name == "Relationship" and attributes.get("TargetMode") != "External":
                target = normpath(join("/", dirname(part), attributes.get("Target", "").replace("\\", "/")))
                kind = attributes.get("Type", "").rpartition("/")[2]
                found.append(Relationship(attributes.get("Id", ""), kind, target.lstrip("/")))

        if document in self:
            self.parse(document, on_start)
        return found

    def _require_utf8(self, head: bytes) -> None:
        found = _declares_encoding(head[:200])
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") or (found and found[1].lower() not in (b"utf-8", b"utf8")):
            raise self.damaged("its XML is not in UTF-8")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError):
            raise InvalidMessageError(
                f"{self.origin} begins like a workbook but is cut short or damaged"
            ) from None


def local(name: str) -> str:
    """Give the name of an element without its prefix: some programs write ``x:row``."""
    return name.rpartition(":")[2]


def is_true(word: str | None) -> bool:
    """Read a truth value of XML."""
    return word in ("1", "true", "on")


def _fold(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").casefold()
