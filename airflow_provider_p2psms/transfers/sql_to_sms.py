"""A query to the gateway: the rows of any ``common.sql`` connection, each to its own number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms.airflow_compat import BaseHook
from airflow_provider_p2psms.errors import InvalidMessageError, lay_out
from airflow_provider_p2psms.operators import parameters
from airflow_provider_p2psms.operators.parameters import Parameter
from airflow_provider_p2psms.operators.redacted_fields import conceal_each, reveal_each
from airflow_provider_p2psms.operators.sms import (
    LISTS,
    PARAMETERS,
    SOURCE_FIELDS,
    TEXT_FILES,
    PeerToPeerSMSOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_p2psms.rows import Row


class SQLToSMSOperator(PeerToPeerSMSOperator):
    """
    Send each row of a query its own text, without an XCom and without all rows in memory.

    The rows are read, checked and put by before the first request leaves; by then the database's connection
    is closed. A retry runs the query anew and sends what the ledger does not hold: it makes no difference if
    the rows come in another order, if some have gone, or if others have come. A row whose text has changed is
    another message, unless ``identity="key"``.

    :param sql: one query that gives rows, or a ``.sql`` file that holds it. It is never committed.
    :param conn_id: the database: any connection whose hook is a ``common.sql`` one.
    :param parameters: what the driver puts in the place of the query's placeholders: a mapping or a list, as
        it likes them. Airflow's pages show their names and types alone.
    :param hook_params: more parameters for the connection's hook: a mapping.

    All other parameters, the result and the failures are those of ``PeerToPeerSMSOperator``, except that
    there is neither ``messages`` nor ``file``. ``recipient_column``, ``message_column``, ``key_column`` and
    the names in ``text`` are columns of the query, in any case (databases differ in how they give them).
    """

    _parameters: ClassVar[Mapping[str, Parameter]] = {
        **PARAMETERS,
        "sql": parameters.text("one query as a text, or the name of a .sql file"),
        "conn_id": parameters.text("the name of a connection"),
        "parameters": parameters.mapping_or_list(),
        "hook_params": parameters.mapping_or_list(is_mapping=True),
    }
    template_fields: Sequence[str] = (
        "sql",
        "conn_id",
        "parameters",
        "hook_params",
        *(name for name in PeerToPeerSMSOperator.template_fields if name not in SOURCE_FIELDS),
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}

    _fields_of_values = frozenset({"parameters", "hook_params"}) | LISTS
    _file_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **TEXT_FILES,
        "sql": (".sql",),
    }

    def __init__(
        self,
        *,
        sql: str,
        conn_id: str,
        parameters: Mapping[str, Any] | Sequence[Any] | str | None = None,
        hook_params: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.conn_id = conn_id
        self.parameters: Any = parameters
        self.hook_params: Any = hook_params
        self._check_at_parse()

    def _check_source(self) -> None:
        if self.messages is not None or self.file is not None:
            raise InvalidMessageError("the rows come from sql. Remove messages and file.")

    def _open_source(self, context: Context, stack: ExitStack) -> Iterable[Row]:  # noqa: ARG002 - a query needs none
        from airflow_provider_p2psms.transfers.query import open_query

        self.log.info("Reading rows from the connection %s.", self.conn_id)
        parameters = None if self.parameters is None else reveal_each(self.parameters)
        sql = self.sql.strip().rstrip(";")
        return stack.enter_context(open_query(self._hook().get_conn(), sql, parameters))

    def _hook(self) -> Any:
        return database_hook(self.conn_id, reveal_each(self.hook_params or {}))

    def _conceal(self) -> None:
        super()._conceal()
        self.parameters = None if self.parameters is None else conceal_each(self.parameters)
        self.hook_params = None if self.hook_params is None else conceal_each(self.hook_params)


def database_hook(conn_id: str, hook_params: Any) -> Any:
    """
    Return the hook of a database.

    :raises InvalidMessageError: the connection's hook runs no SQL, or the extra ``sql`` is not installed.
    """
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ModuleNotFoundError:
        raise InvalidMessageError(
            lay_out(
                "SQLToSMSOperator needs apache-airflow-providers-common-sql.",
                options=["Install it on all workers: pip install 'airflow-provider-p2psms[sql]'"],
            )
        ) from None

    connection: Any = BaseHook.get_connection(conn_id)
    hook = connection.get_hook(hook_params=hook_params)
    if not isinstance(hook, DbApiHook):
        raise InvalidMessageError(
            f"The connection {conn_id} is not one of a database: {type(hook).__name__} runs no SQL. "
            "Use a connection whose provider is built on common.sql."
        )
    return hook
