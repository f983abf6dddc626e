"""A large query to many tasks: the ranges of its keys, to map a send over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms import airflow_compat
from airflow_provider_p2psms.airflow_compat import BaseOperator
from airflow_provider_p2psms.errors import InvalidMessageError, lay_out
from airflow_provider_p2psms.operators import parameters as kinds
from airflow_provider_p2psms.operators.error_mapping import errors_for_airflow
from airflow_provider_p2psms.operators.parameters import Parameter
from airflow_provider_p2psms.operators.redacted_fields import conceal_each, reveal_each
from airflow_provider_p2psms.operators.rendering import AuthorsTemplates
from airflow_provider_p2psms.transfers.shards import ROWS, most_slices

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["QueryShardsOperator", "query_shards"]

# What each parameter may be; all are templated.
PARAMETERS: Mapping[str, Parameter] = {
    "sql": kinds.text("one query as a text, or the name of a .sql file"),
    "rows": kinds.count(is_optional=False),
    "conn_id": kinds.text("the name of a connection"),
    "parameters": kinds.mapping_or_list(),
    "hook_params": kinds.mapping_or_list(is_mapping=True),
}

Parameters = Mapping[str, Any] | Sequence[Any]


def query_shards(
    sql: str,
    rows: int | str = ROWS,
    *,
    conn_id: str,
    parameters: Parameters | str | None = None,
    hook_params: Mapping[str, Any] | str | None = None,
) -> Any:
    """
    Cut the keys of a query into ranges: ``SQLToSMSOperator.partial(…).expand(parameters=query_shards(…))``.

    While a DAG is defined this asks no database. It makes a task ``query_shards`` (``QueryShardsOperator``)
    that asks when it runs, and returns the task's output. Elsewhere, as in a function under ``@task``, the
    database is asked at once.

    :param sql: a query whose first column is the key: whole numbers, each once, in ascending order.
    :param rows: how many keys a range has; the last one has what is left.
    :param conn_id: the database, as at ``SQLToSMSOperator``; so is ``hook_params``.
    :param parameters: what the driver puts in the place of the query's placeholders. They stand in each
        range, too, and thus in Airflow's XCom.
    :return: for each range these parameters with its ``first`` and ``last`` key; of a list, with both behind
        the others. Or the output of the task that will return that. An empty list of a query without rows.
    :raises InvalidMessageError: a key is no whole number, or not greater than the one before it; or there
        would be more ranges than Airflow maps over.
    """
    if airflow_compat.is_dag_being_defined():
        task = QueryShardsOperator(
            task_id=airflow_compat.unique_task_id("query_shards"),
            sql=sql,
            rows=rows,
            conn_id=conn_id,
            parameters=parameters,
            hook_params=hook_params,
        )
        return task.output
    given = {
        "sql": sql,
        "rows": rows,
        "conn_id": conn_id,
        "parameters": parameters,
        "hook_params": hook_params,
    }
    return _cut(**{name: PARAMETERS[name].parse(name, value) for name, value in given.items()})


class QueryShardsOperator(AuthorsTemplates, BaseOperator):
    """
    Return the ranges of a query's keys: the task that ``query_shards`` makes, with options of its own.

    All parameters are those of ``query_shards``, and are templated.
    """

    _parameters: ClassVar[Mapping[str, Parameter]] = PARAMETERS
    template_fields: Sequence[str] = tuple(PARAMETERS)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}
    ui_color = "#e3edf7"

    _fields_of_values = frozenset({"parameters", "hook_params"})
    _file_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = {"sql": (".sql",)}

    def __init__(
        self,
        *,
        sql: str,
        conn_id: str,
        rows: int | str = ROWS,
        parameters: Parameters | str | None = None,
        hook_params: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.rows: Any = rows
        self.conn_id = conn_id
        self.parameters: Any = parameters
        self.hook_params: Any = hook_params
        self._check_at_parse()

    def execute(self, context: Context) -> list[Any]:  # noqa: ARG002 - Airflow hands it in
        """Ask for the keys, and return their ranges."""
        with errors_for_airflow():
            return _cut(
                sql=self.sql,
                rows=self.rows,
                conn_id=self.conn_id,
                parameters=None if self.parameters is None else reveal_each(self.parameters),
                hook_params=None if self.hook_params is None else reveal_each(self.hook_params),
            )

    def _conceal(self) -> None:
        self.parameters = None if self.parameters is None else conceal_each(self.parameters)
        self.hook_params = None if self.hook_params is None else conceal_each(self.hook_params)


def _cut(
    *, sql: str, rows: int, conn_id: str, parameters: Parameters | None, hook_params: Mapping[str, Any] | None
) -> list[Any]:
    from airflow_provider_p2psms.transfers.query import open_query
    from airflow_provider_p2psms.transfers.sql_to_sms import database_hook

    connection = database_hook(conn_id, hook_params or {}).get_conn()
    with open_query(connection, sql.strip().rstrip(";"), parameters) as table:
        ranges = _cut_keys((record[0] for record in table.records), rows, most_slices())
    if parameters is None or isinstance(parameters, Mapping):
        return [{**(parameters or {}), "first": first, "last": last} for first, last in ranges]
    return [[*parameters, first, last] for first, last in ranges]


def _cut_keys(keys: Iterable[object], rows: int, most: int) -> list[list[int]]:
    from airflow_provider_p2psms.rows.cutting import too_many

    ranges, total, last = list[list[int]](), 0, None
    for key in map(_read_key, keys):
        if last is not None and key <= last:
            raise InvalidMessageError(
                lay_out(
                    "The keys of the query are not in ascending order, or one of them is there twice.",
                    options=("Select the primary key as the first column, and add ORDER BY 1.",),
                )
            )
        place = total // rows
        if place < len(ranges):
            ranges[place][1] = key
        elif place <= most:  # one too many shows that there are too many
            ranges.append([key, key])
        total, last = total + 1, key
    if len(ranges) > most:
        raise too_many("The query", total, rows, most)
    return ranges


def _read_key(key: object) -> int:
    """Read a key; some databases give whole numbers as decimals."""
    if isinstance(key, Decimal) and key.is_finite() and key == int(key):
        return int(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    raise InvalidMessageError(
        lay_out(
            f"The first column of the query is no key: one of its values is a {type(key).__name__}.",
            options=("Select a whole number that each row has once, such as the primary key.",),
        )
    )
