"""
A large file to many tasks: its slices, to map a send over.

Cutting and reading are the work of ``rows``. Here is what a DAG file calls, and the task that it makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.airflow_compat import BaseOperator
from airflow_provider_p2psms.choices import HiddenRows
from airflow_provider_p2psms.operators import parameters
from airflow_provider_p2psms.operators.error_mapping import errors_for_airflow
from airflow_provider_p2psms.operators.files import open_rows
from airflow_provider_p2psms.operators.parameters import Parameter
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates

if TYPE_CHECKING:
    import os

    from airflow.sdk import Context

__all__ = ["ShardsOperator", "shards"]

ROWS = 100_000
# Airflow's own default of [core] max_map_length.
_MOST_SLICES = 1_024
# What each parameter may be; all are templated.
PARAMETERS: Mapping[str, Parameter] = {
    "file": parameters.text("a path", is_path=True),
    "rows": parameters.count(is_optional=False),
    "sheet": parameters.sheet(),
    "hidden_rows": parameters.choice(HiddenRows),
    "encoding": parameters.text("the name of an encoding", is_optional=True),
    "region": parameters.text("a country by two capital letters, such as IR"),
}


def shards(
    file: str | os.PathLike[str],
    rows: int | str = ROWS,
    *,
    sheet: str | int | None = None,
    hidden_rows: HiddenRows = "fail",
    encoding: str | None = None,
    region: str = "IR",
) -> Any:
    """
    Cut a CSV or XLSX file into slices, for ``.expand(file=shards(…))``; a slice stands where a path may.

    While a DAG is defined (in a function under ``@dag``, or in ``with DAG(…):``) this opens no file. It makes
    a task ``shards`` (``ShardsOperator``) that cuts the file when it runs, and returns the task's output; all
    parameters are templated then. Elsewhere, as in a function under ``@task``, the file is cut at once.

    The same file gives the same slices, and one that has grown gives the same ones first. A file whose header
    or rows have changed since is refused by the task that reads the slice, before anything of it is sent.

    :param file: a local path, or any ``ObjectStoragePath`` URI.
    :param rows: how many rows a slice has; the last one has what is left.
    :param sheet: as at the send task; all slices are read so. So are ``hidden_rows`` and ``encoding``.
    :param region: the country whose code page a CSV may be written in, as in the connection.
    :return: the slices, as JSON mappings without numbers, texts or names of columns; or the output of the
        task that will return them. An empty list for a file without rows: Airflow skips the mapped task.
    :raises InvalidMessageError: the file cannot be read to its end, or there would be more slices than
        Airflow maps over; names the number of rows to choose instead.
    :raises P2PSMSError: there is no such file, or it cannot be read.
    """
    if airflow_compat.is_dag_being_defined():
        task = ShardsOperator(
            task_id=airflow_compat.unique_task_id("shards"),
            file=file,
            rows=rows,
            sheet=sheet,
            hidden_rows=hidden_rows,
            encoding=encoding,
            region=region,
        )
        return task.output
    given = {
        "file": file,
        "rows": rows,
        "sheet": sheet,
        "hidden_rows": hidden_rows,
        "encoding": encoding,
        "region": region,
    }
    return _cut(**{name: PARAMETERS[name].parse(name, value) for name, value in given.items()})


class ShardsOperator(AuthorsTemplates, BaseOperator):
    """
    Return the slices of a file: the task that ``shards`` makes, with a name and options of its own.

    All parameters are those of ``shards``, and are templated.
    """

    _parameters: ClassVar[Mapping[str, Parameter]] = PARAMETERS
    template_fields: Sequence[str] = tuple(PARAMETERS)
    ui_color = "#e3edf7"

    def __init__(
        self,
        *,
        file: str | os.PathLike[str],
        rows: int | str = ROWS,
        sheet: str | int | None = None,
        hidden_rows: HiddenRows = "fail",
        encoding: str | None = None,
        region: str = "IR",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.file = file
        self.rows: Any = rows
        self.sheet = sheet
        self.hidden_rows = hidden_rows
        self.encoding = encoding
        self.region = region
        self._check_at_parse()

    def execute(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - Airflow hands it in
        """Cut the file, and return its slices."""
        with errors_for_airflow():
            found = _cut(**{name: getattr(self, name) for name in self._parameters})
        self.log.info("%s rows in %s slices.", f"{sum(each['rows'] for each in found):,}", f"{len(found):,}")
        return found


def _cut(
    *,
    file: str | os.PathLike[str],
    rows: int,
    sheet: str | int | None,
    hidden_rows: HiddenRows,
    encoding: str | None,
    region: str,
) -> list[dict[str, Any]]:
    from airflow_provider_p2psms.rows import FileRules, RowRules
    from airflow_provider_p2psms.rows.cutting import cut_file

    how = FileRules(sheet=sheet, hidden_rows=hidden_rows, encoding=encoding)
    region = RowRules(region=region).region  # an unknown one would have a code page, too
    with open_rows(file) as (stream, _):
        return cut_file(stream, file=str(file), rows=rows, most=most_slices(), how=how, region=region)


def most_slices() -> int:
    """Return how many values Airflow maps over at most."""
    most: int = airflow_compat.conf.getint("core", "max_map_length", fallback=_MOST_SLICES)
    return most
