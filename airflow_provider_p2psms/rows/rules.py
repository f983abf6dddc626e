"""What the caller says about the rows: their columns, the region of short numbers, the text."""

from dataclasses import dataclass, field

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.template import parse_template


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """
    How rows are read. Checked when built.

    ``region`` (ISO 3166, two capital letters) is the country of numbers without a country code. ``text`` is
    the template for rows without a text of their own. ``key_column`` names each row to its owner.

    :raises InvalidMessageError: an unknown region, a bad template, or columns that cannot be told apart.
    """

    region: str = "IR"
    text: str | None = field(default=None, repr=False)
    recipient_column: str = "recipient"
    message_column: str = "message"
    key_column: str | None = None

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
        if self.text is not None:
            parse_template(self.text)
