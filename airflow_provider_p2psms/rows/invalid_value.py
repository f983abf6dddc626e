"""Why a value or a row cannot be sent, as long as nobody has said which row it is."""

from airflow_provider_p2psms.errors import InvalidMessageError, RowProblem


class InvalidValueError(InvalidMessageError):
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
