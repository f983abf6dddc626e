"""What travels from a source to the check: a row by its column names, a pair, a header, or what is wrong."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem

GROUP = "recipients"  # the gateway's own name for the numbers of a group


@dataclass(frozen=True, slots=True)
class Header:
    """
    The columns of a table, ahead of its rows; it is no row itself and has no number.

    ``origin`` names the table in errors, ``columns`` are its names in order. ``coarse`` are those whose type
    (``Float32``) cannot hold the digits of a phone number.
    """

    origin: str
    columns: tuple[str, ...] = field(repr=False)  # without a header row these are somebody's data
    coarse: frozenset[str] = field(default=frozenset(), repr=False)


class UnfitError(InvalidMessageError):
    """
    Why one value, or one row as a whole, cannot be sent; ``check_rows`` makes a ``RowProblem`` of it.

    ``column`` is the column at fault ("" where only the caller knows it), ``shape`` the masked value.
    A source that meets a row which is none hands it on *in the stream*, so that it keeps its number.
    """

    def __init__(self, reason: str, *, column: str = "", shape: str = "") -> None:
        super().__init__(reason)
        self.column = column
        self.shape = shape

    def as_problem(self, row: int, *, key: str = "", column: str = "the whole row") -> RowProblem:
        """Name the row that it was found in, and the column where it did not know it itself."""
        return RowProblem(row, self.column or column, self.shape, str(self), key)


# A dict by column names (a gateway-shaped group is one, too), a (recipient, message) pair, or what makes it
# none; and the header of the rows that follow. No class of our own around each row: there may be a million.
NumberedRow: TypeAlias = dict[Any, Any] | tuple[Any, Any] | UnfitError
Row: TypeAlias = NumberedRow | Header
