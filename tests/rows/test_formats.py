"""Files that are neither CSV nor XLSX are named for what they are."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from contextlib import closing

import numpy as np
import pandas as pd
import polars as pl
import pytest

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows import Message, RowRules, check_rows, read_file

CSV = b"recipient,message\n09121234567,hi\n"
PANDAS = pd.DataFrame({"recipient": ["09121234567"], "message": ["hi"]})
FRAME = pl.DataFrame({"recipient": ["09121234567"], "message": ["hi"]})


def check(content):
    return list(check_rows(read_file(io.BytesIO(content), name="folder/rows.xls"), RowRules()))


def zipped(*names, **contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, contents.get("content", "x"))
    return file.getvalue()


def written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("rows.csv"))
    return file.getvalue()


def database():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE rows (recipient)")
        return connection.serialize()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
TYPES = "[Content_Types].xml"
MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(CSV), "compressed with gzip; unpack it first"),
        (bz2.compress(CSV), "compressed with bzip2; unpack it first"),
        (lzma.compress(CSV), "compressed with xz; unpack it first"),
        (lzma.compress(CSV, lzma.FORMAT_ALONE), "compressed with lzma; unpack it first"),
        (b"\x28\xb5\x2f\xfd\x24\x20", "compressed with zstd; unpack it first"),
        (b"\x04\x22\x4d\x18\x64\x40", "compressed with lz4; unpack it first"),
        (b"\xff\x06\0\0sNaPpY", "compressed with snappy; unpack it first"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it first"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive; unpack it first"),
        (tarred(), "a tar archive; unpack it first"),
        (zipped("rows.csv"), "a zip archive with a text file; unpack it first"),
        (zipped("a/rows.TXT", "readme"), "a zip archive with a text file; unpack it first"),
        (zipped("rows.xlsx"), "a zip archive with a workbook; unpack it first"),
        (zipped("photo.jpg"), "a zip archive but no .xlsx workbook; save the table as .xlsx"),
        (zipped(), "a zip archive but no .xlsx workbook"),
        (
            zipped("mimetype", "content.xml", content="application/vnd.oasis.opendocument.spreadsheet"),
            r"an OpenDocument file \(.ods\); save the table as .xlsx or as .csv \(UTF-8\)",
        ),
        (zipped(TYPES, "xl/workbook.bin"), r"a binary workbook \(.xlsb\); save"),
        (zipped(TYPES, content="application/vnd.ms-excel.sheet.binary.macroEnabled"), "a binary workbook"),
        (zipped(TYPES, "word/document.xml"), "a Word document; save the table"),
        (zipped(TYPES, "ppt\\presentation.xml"), "a PowerPoint document; save the table"),
        (zipped("Index/Document.iwa"), "a document of Apple Numbers, Pages or Keynote; save"),
        (written(lambda file: np.savez(file, a=np.arange(3))), "a NumPy archive; read it"),
        (written(lambda file: np.save(file, np.arange(3))), "a NumPy file; read it"),
        (b"PK\x03\x04" + bytes(99), "begins like a workbook but is cut short or damaged"),
        (zipped("xl/workbook.xml")[:-30], "begins like a workbook but is cut short or damaged"),
        (OLE, "an old .xls or an encrypted workbook; save it as .xlsx without a password"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "an encrypted workbook; save it"),
        (OLE + "Workbook".encode("utf-16-le"), "an old .xls workbook; save it as .xlsx"),
        (OLE + "Book".encode("utf-16-le"), "an old .xls workbook; save it as .xlsx"),
        (OLE + "WordDocument".encode("utf-16-le"), "an old Word document; save the table"),
        (b"\x09\x08\x10\0\0\x06\x05\0", "an old .xls workbook; save the table"),
        (written(FRAME.write_parquet), "a Parquet file; read it into a DataFrame"),
        (written(FRAME.write_avro), "an Avro file; read it into a DataFrame"),
        (written(FRAME.write_ipc), "an Arrow or Feather file; read it into a DataFrame"),
        (written(FRAME.write_ipc_stream), "an Arrow or Feather file; read it into a DataFrame"),
        (b"ORC\x0a\x03\x00" + bytes(40) + b"\x08\x03ORC\x17", "an ORC file; read it into a DataFrame"),
        (written(PANDAS.to_stata), "a Stata file"),
        (b"$FL2@(#) SPSS DATA FILE", "an SPSS file"),
        (bytes(12) + b"\xc2\xea\x81\x60" + bytes(9), "a SAS file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"RDX3\nX\n", "an R file"),
        (pickle.dumps([1]), "a Python pickle; load it and hand its rows in"),
        (database(), "an SQLite database; read its rows with a query"),
        (b"\0\1\0\0Standard ACE DB\0", "an Access database"),
        (b"PGDMP\x01\x0e", "a PostgreSQL dump"),
        (b"%PDF-1.7\n", r"a PDF; save the table as .xlsx or as .csv \(UTF-8\)"),
        (rb"{\rtf1\ansi", "an RTF document; save"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
        (b"GIF89a", "a picture"),
        (b"ID;PWXL;N;E\r\n", "a SYLK spreadsheet; save"),
        (b"TABLE\r\n0,1\r\n", "a DIF spreadsheet; save"),
        (FRAME.write_json().encode(), "JSON; read its rows and hand them in as messages"),
        (PANDAS.to_json().encode(), "JSON; read its rows and hand them in as messages"),
        (PANDAS.to_json(orient="table").encode("utf-8-sig"), "JSON; read"),
        (b'\r\n[\r\n  {"recipient": 1}]', "JSON; read"),
        (b'["a", "b"]', "JSON; read"),
        (b"[]", "JSON; read"),
        ('[{"a": 1}]'.encode("utf-16"), "JSON; read"),
        (b'{"a": 1}\n{"a": 2}\n', "JSON Lines; read its rows and hand them in as messages"),
        (b'{"a": 1}\r\n{"a": 2}', "JSON Lines; read"),
        (b"<table><tr><td>1</td></tr></table>", r"a web page \(HTML\); save the table as .xlsx or as .csv"),
        (b'\xef\xbb\xbf<html xmlns:x="urn:schemas-microsoft-com:office:excel">', r"a web page \(HTML\)"),
        ("<!DOCTYPE html>\n<html>".encode("utf-16"), r"a web page \(HTML\); save"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html><html>', r"a web page \(HTML\); save"),
        (
            b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
            r"an XML spreadsheet \(2003\); save the table as .xlsx or as .csv \(UTF-8\)",
        ),
        (b'<?xml version="1.0"?><office:document xmlns="urn:oasis:opendocument">', "an OpenDocument file"),
        (b'<?xml version="1.0"?><rows><row/></rows>', "XML; read its rows and hand them in as messages"),
        (b"<rows>\n <row>", "XML; read"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart", "a saved web page or a mail"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "a vCard file; read its rows"),
        (b"-- MySQL dump 10.13\n\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `a`;", "an SQL dump"),
        (b"INSERT INTO a (b) VALUES (1);", "an SQL dump; export the table"),
        (b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.a (b) FROM stdin;\n", "an SQL dump"),
    ],
    ids=range(74),
)  # fmt: skip
def test_a_file_of_another_kind(content, reason):
    """The error says what it is and what to do, by its content and not by its name."""
    with pytest.raises(InvalidMessageError, match=rf"^rows.xls (is )?{reason}") as caught:
        check(content)

    assert "folder" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        "PK,recipient,message",
        "ORCID,recipient,message",
        "ID;Phone;recipient;message",
        "{name},recipient,message",
        "[name],recipient,message",
        "<DATE>,recipient,message",
        "<b>,recipient,message",
        "Table,recipient,message",
        "BMW,recipient,message",
        "insert,recipient,message",
        "MM,recipient,message",
        "Book,recipient,message",
        "RDX,recipient,message",
        "BZh,recipient,message",
        "-- name,recipient,message",
        "Obj,recipient,message",
        "%PDF,recipient,message",
    ],
)
def test_a_csv_that_begins_like_another_file(header):
    """Names of columns may look like the beginning of another format."""
    delimiter = ";" if ";" in header else ","
    row = dict.fromkeys(header.split(delimiter), "") | {"recipient": "09121234567", "message": "hi"}

    assert [Message(1, "+989121234567", "hi", 1)] == check(
        f"{header}\n{delimiter.join(row.values())}\n".encode()
    )


@pytest.mark.parametrize("types", ["x", MAIN])
@pytest.mark.parametrize(
    "names",
    [
        (TYPES, "xl/workbook.xml"),
        (TYPES, "xl\\workbook.xml"),
        (TYPES, "XL/Workbook2.xml"),
        (TYPES, "/xl/sheets.xml"),
        ("xl/styles.xml",),
    ],
)
def test_a_workbook_whatever_the_names_of_its_parts(names, types):
    """Its reader decides what it makes of it."""
    from airflow_provider_p2psms.rows.formats import is_workbook

    assert is_workbook(io.BytesIO(zipped(*names, content=types)), "rows.xlsx")
    assert is_workbook(io.BytesIO(zipped(TYPES, "other/book.xml", content=MAIN)), "rows.xlsx")


def test_an_archive_that_cannot_be_read_in_part():
    """It is named by what is there."""
    content = zipped("[content_types].xml", "word/document.xml").replace(b"PK\x03\x04\x14", b"PK\x03\x04\x99")
    encrypted = bytearray(content)
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(InvalidMessageError, match="a Word document"):
        check(bytes(encrypted))
