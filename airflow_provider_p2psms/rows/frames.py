"""Rows of pandas and polars data frames, known by their methods alone."""

from typing import Any, TypeGuard

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.rows.chunked import in_chunks
from airflow_provider_p2psms.rows.headers import build_header
from airflow_provider_p2psms.rows.rounding import is_coarse
from airflow_provider_p2psms.rows.table import Table


def is_frame(value: object) -> TypeGuard[Any]:
    """Tell whether a value is a pandas or polars DataFrame."""
    # The methods first: a LazyFrame has neither, and to ask for its columns costs a query plan.
    return (hasattr(value, "iter_rows") or hasattr(value, "itertuples")) and hasattr(value, "columns")


def read_frame(frame: Any) -> Table:
    """
    Stream the rows of a DataFrame behind its header; its index is not a column.

    :raises InvalidMessageError: two columns have the same name, or there are rows and no columns.
    """
    if len(frame) and not len(frame.columns):
        raise InvalidMessageError("the DataFrame has rows but no columns")
    header = build_header("the DataFrame", frame.columns, coarse=map(is_coarse, frame.dtypes))
    is_polars = hasattr(frame, "iter_rows")
    return Table(
        header, in_chunks(frame.iter_rows() if is_polars else frame.itertuples(index=False, name=None))
    )
