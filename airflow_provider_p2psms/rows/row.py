"""What travels from a source to the check: a row by its column names, a pair, a header, or what is wrong."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airflow_provider_p2psms.rows.invalid_value import InvalidValueError

GROUP = "recipients"  # the gateway's own name for the numbers of a group


@dataclass(frozen=True, slots=True)
class Header:
    """
    The columns of a table, ahead of its rows; it is no row itself and has no number.

    ``origin`` names the table in errors, ``columns`` are its names in order. ``coarse`` are those whose type
    (``Float32``) cannot hold the digits of a phone number. ``is_first_row`` says that they are
    the first row of a file, which perhaps is no header.
    """

    origin: str
    columns: tuple[str, ...] = field(repr=False)  # without a header row these are somebody's data
    coarse: frozenset[str] = field(default=frozenset(), repr=False)
    is_first_row: bool = False


# A dict by column names (a gateway-shaped group is one, too), a (recipient, message) pair, or what makes it
# none; and the header of the rows that follow. No class of our own around each row: there may be a million.
NumberedRow: TypeAlias = dict[Any, Any] | tuple[Any, Any] | InvalidValueError
Row: TypeAlias = NumberedRow | Header
