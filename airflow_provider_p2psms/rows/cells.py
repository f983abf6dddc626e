"""Cells of a file that look filled and hold no value that could be sent."""


class CellError:
    """
    Replaces such a cell. Each consumer refuses it with this reason.

    It is never blank: a text that failed to be computed must not give way to another one.

    No dataclass: to make one takes long where a DAG file is parsed.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __str__(self) -> str:
        return "(formula without a value)"
