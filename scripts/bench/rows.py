"""The rows of the bench: personal texts, Persian or English, each to a number of its own."""

import csv
from collections.abc import Iterator
from pathlib import Path

import xlsxwriter

TEXTS = {
    "en": "Dear customer {0}, your order {1} has shipped and will be with you on Monday.",
    "fa": "مشتری گرامی {0}، سفارش {1} ارسال شد و روز دوشنبه به دست شما می‌رسد.",
}


def personal_rows(count: int, language: str) -> Iterator[tuple[str, str]]:
    """Make rows; up to ten million have numbers of their own."""
    text = TEXTS[language]
    return ((f"+98912{at:07d}", text.format(at, at * 7)) for at in range(count))


def write_csv(folder: Path, count: int, language: str = "fa") -> Path:
    """Write a CSV, once."""
    path = folder / f"{count}-{language}.csv"
    if not path.exists():
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("recipient", "message"))
            rows.writerows(personal_rows(count, language))
    return path


def write_xlsx(folder: Path, count: int) -> Path:
    """Write a workbook."""
    path = folder / f"{count}.xlsx"
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate([("recipient", "message"), *personal_rows(count, "fa")]):
            sheet.write_row(at, 0, row)
    return path
