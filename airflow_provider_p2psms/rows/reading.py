"""How rows were read: which sheet, encoding and delimiter, and where their texts came from."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Reading:
    """
    How the rows of one source were read. Filled in while they stream, complete after the last row.

    ``origin`` names the file ("" for rows in memory), ``sheet`` the worksheet of a workbook, ``encoding`` and
    ``delimiter`` belong to a CSV. ``hidden_rows`` counts the rows that are hidden in the sheet; they were
    skipped, or taken like the others if ``takes_hidden_rows``. ``texts_of_column`` and ``texts_of_template``
    count the texts by where they came from.
    """

    origin: str = ""
    sheet: str = ""
    encoding: str = ""
    delimiter: str = ""
    hidden_rows: int = 0
    takes_hidden_rows: bool = False
    texts_of_column: int = 0
    texts_of_template: int = 0

    def sentences(self) -> list[str]:
        """Say it to a person: how the file was read, and, where there was a choice, which texts were used."""
        told = []
        if self.origin:
            how = f'sheet "{self.sheet}"' if self.sheet else f"{self.encoding}, delimiter {self.delimiter!r}"
            told.append(f"Read {self.origin}: {how}{self._hidden()}.")
        if self.texts_of_column and self.texts_of_template:
            told.append(
                f"Texts: {self.texts_of_column:,} from the message column, "
                f"{self.texts_of_template:,} from the template (text)."
            )
        return told

    def _hidden(self) -> str:
        if not self.hidden_rows:
            return ""
        rows = "row" if self.hidden_rows == 1 else "rows"
        return f", {self.hidden_rows:,} hidden {rows} {'taken' if self.takes_hidden_rows else 'skipped'}"

    def count_texts(self, size: int, *, of_column: int) -> None:
        """Note where the texts of some more messages came from."""
        self.texts_of_column += of_column
        self.texts_of_template += size - of_column

    def become(self, other: "Reading") -> None:
        """Take over what another process noted."""
        for field in fields(self):
            setattr(self, field.name, getattr(other, field.name))
