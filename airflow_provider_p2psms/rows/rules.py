"""What the caller says about the rows: their columns, the region of short numbers, the text."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import get_args

from airflow_provider_p2psms.choices import HiddenRows
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.template import parse_template


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """
    How a file is read. Checked when built.

    ``sheet`` is the name of a worksheet, or its number from 1; ``None`` takes the only visible one that has
    rows. ``hidden_rows`` says what is done with rows that are hidden in the sheet. ``encoding`` is that of a
    CSV, by a name that Python knows; ``None`` finds it out.

    :raises InvalidMessageError: one of them is none of these.
    """

    sheet: str | int | None = None
    hidden_rows: HiddenRows = "fail"
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.hidden_rows not in get_args(HiddenRows):
            raise InvalidMessageError(f"hidden_rows must be one of {', '.join(get_args(HiddenRows))}")
        if self.sheet is not None and (
            isinstance(self.sheet, bool) or not isinstance(self.sheet, str | int) or self.sheet in ("", 0)
        ):
            raise InvalidMessageError("sheet must be the name of a worksheet, or its number from 1")
        if self.encoding is not None:
            try:
                known = "".encode(self.encoding)
            except (LookupError, TypeError, ValueError):
                known = None
            if known is None:
                raise InvalidMessageError(
                    "encoding is not a text encoding that Python knows, such as 'utf-8' or 'cp1256'"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """
    How rows are read. Checked when built.

    ``region`` (ISO 3166, two capital letters) is the country of numbers without a country code. ``text`` is
    the template for rows without a text of their own. ``key_column`` names each row to its owner.
    ``trust_e164`` takes a full E.164 number that the metadata does not know. ``mobiles_only`` refuses numbers
    that are certainly no mobile number. ``text_values`` are words that programs write for no value (``NULL``,
    ``nan``) and that are meant as they are here: somebody's name.

    :raises InvalidMessageError: an unknown region, a bad template, or columns that cannot be told apart.
    """

    region: str = "IR"
    text: str | None = field(default=None, repr=False)
    recipient_column: str = "recipient"
    message_column: str = "message"
    key_column: str | None = None
    trust_e164: bool = False
    mobiles_only: bool = False
    text_values: Collection[str] = ()

    def __post_init__(self) -> None:
        # Here and not above: a DAG file that only imports this room does not pay for the metadata.
        from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415

        if self.region not in SUPPORTED_REGIONS:
            raise InvalidMessageError(
                "region is not a country known by two capital letters (ISO 3166), such as 'IR' or 'DE'"
            )
        if not self.recipient_column or not self.message_column or self.key_column == "":
            raise InvalidMessageError("a column has no name: recipient_column, message_column or key_column")
        if self.recipient_column == self.message_column:
            raise InvalidMessageError("recipient_column and message_column name the same column")
        if isinstance(self.text_values, str) or not all(isinstance(word, str) for word in self.text_values):
            raise InvalidMessageError("text_values must be a list of words, such as ['NULL', 'NA']")
        if self.text is not None:
            parse_template(self.text, self.text_values)
