"""Template fields that Airflow stores and shows after rendering, without what they hold."""

from collections.abc import Mapping
from typing import Any


class Concealed:
    """
    A rendered value behind a description of it.

    Airflow writes rendered template fields into its database and shows them to everyone who may see the task:
    of rows that would be numbers and texts. It stores what ``serialize`` (Airflow 3) or ``str`` (2.11) gives.
    """

    __slots__ = ("_shown", "value")

    def __init__(self, value: Any, shown: str) -> None:
        self.value = value
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown

    def serialize(self) -> str:
        """Return the description."""
        return self._shown


def conceal_rows(rows: Any) -> Concealed:
    """Hide rows behind their number, where they have one."""
    count = (
        f"{len(rows):,} rows" if hasattr(rows, "__len__") and not isinstance(rows, str | bytes) else "rows"
    )
    return Concealed(rows, f"<{count}>")


def conceal_text(text: Any) -> Concealed:
    """Hide a text behind its length."""
    return Concealed(text, f"<text of {len(text):,} characters>" if isinstance(text, str) else "<text>")


def reveal(value: Any) -> Any:
    """Return what was hidden, or the value itself if nothing was."""
    return value.value if isinstance(value, Concealed) else value


def conceal_each(values: Any) -> Any:
    """Hide each of a function's arguments, or of a query's parameters, behind its type."""
    if isinstance(values, Mapping):
        return {name: _conceal_value(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_conceal_value(value) for value in values]
    return _conceal_value(values)


def reveal_each(values: Any) -> Any:
    """Return what ``conceal_each`` has hidden, or the values themselves if it has hidden nothing."""
    values = reveal(values)
    if isinstance(values, Mapping):
        return {name: reveal(value) for name, value in values.items()}
    return [reveal(value) for value in values] if isinstance(values, list | tuple) else values


def _conceal_value(value: Any) -> Any:
    from airflow_provider_p2psms.airflow_compat import Asset

    # Airflow itself looks among a function's arguments for assets, to note them as inlets.
    if value is None or isinstance(value, bool | Asset):
        return value
    return Concealed(value, f"<{type(value).__name__}>")
