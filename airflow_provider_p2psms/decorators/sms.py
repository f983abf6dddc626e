"""``@task.p2psms``: a function returns rows, and the task sends them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, overload

from airflow_provider_p2psms.airflow_compat import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from airflow_provider_p2psms.choices import (
    Identity,
    OnBackfill,
    OnEmpty,
    OnInDoubt,
    OnInvalid,
    OnLate,
    OnStale,
)
from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.operators.redacted_fields import conceal_each, reveal_each
from airflow_provider_p2psms.operators.sms import LIST_IDS_UP_TO, LISTS, SOURCE_FIELDS, PeerToPeerSMSOperator

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import Task

    from airflow_provider_p2psms.rows import Row

P = ParamSpec("P")
R = TypeVar("R")


class P2PSMSDecoratedOperator(DecoratedOperator, PeerToPeerSMSOperator):
    """
    Call a function, and send the rows that it returns.

    What it returns goes to the gateway alone: it is no XCom, and no rendered field. Of the function's
    arguments Airflow's pages show the types. A retry calls it anew, and the ledger keeps what was sent from
    being sent again, whatever it returns then.
    """

    custom_operator_name = "@task.p2psms"
    xcom_push: Any = None  # Airflow 3.0 reads it from an operator that does not have it, and does not use it
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in PeerToPeerSMSOperator.template_fields if name not in SOURCE_FIELDS),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "json", "op_kwargs": "json"}

    _fields_of_values = frozenset({"op_args", "op_kwargs"}) | LISTS

    def __init__(self, *, python_callable: Callable[..., Any], task_id: str, **kwargs: Any) -> None:
        if inspect.iscoroutinefunction(python_callable) or inspect.isasyncgenfunction(python_callable):
            raise TypeError(f"{task_id}: @task.p2psms takes a plain function or generator, not an async one.")
        super().__init__(python_callable=python_callable, task_id=task_id, **kwargs)

    def _check_source(self) -> None:
        if self.messages is not None or self.file is not None:
            raise InvalidMessageError("the rows come from the function. Remove messages and file.")

    def _open_source(self, context: Context, stack: ExitStack) -> Iterable[Row]:  # noqa: ARG002 - nothing to close
        from airflow_provider_p2psms.rows import read_rows

        args, given = reveal_each(self.op_args), reveal_each(self.op_kwargs)
        context_merge(context, given)  # as Airflow's own decorators do, so that arguments may name both
        rows = self.python_callable(*args, **determine_kwargs(self.python_callable, args, context))
        if rows is None:
            name = self.python_callable.__name__
            raise InvalidMessageError(f"{name} returned None. It must return rows, or an empty list.")
        return read_rows(rows)

    def _conceal(self) -> None:
        super()._conceal()
        self.op_args = conceal_each(self.op_args)
        self.op_kwargs = conceal_each(self.op_kwargs)


@overload
def p2psms_task(python_callable: Callable[P, R], /) -> Task[P, R]: ...


@overload
def p2psms_task(
    *,
    text: str | None = None,
    text_values: Collection[str] = (),
    recipient_column: str = "recipient",
    message_column: str = "message",
    key_column: str | None = None,
    trust_e164: bool | str = False,
    mobiles_only: bool | str = False,
    from_number: str | None = None,
    send_time: datetime | str | None = None,
    send_window: tuple[str, str, str] | str | None = None,
    on_late: OnLate = "fail",
    on_invalid: OnInvalid = "fail",
    on_empty: OnEmpty = "skip",
    on_backfill: OnBackfill = "skip",
    max_age: timedelta | float | str | None = None,
    on_stale: OnStale = "skip",
    on_in_doubt: OnInDoubt = "reconcile",
    resend: str | None = None,
    report_lag: float | str | None = None,
    identity: Identity = "text",
    drop_duplicates: bool | str = True,
    max_recipients: int | str | None = None,
    max_parts: int | str | None = None,
    max_cost: float | str | None = None,
    batch_size: int | str | None = None,
    max_in_flight: int | str = 4,
    requests_per_second: float | str | None = None,
    list_ids_up_to: int | str = LIST_IDS_UP_TO,
    outcomes: str | os.PathLike[str] | None = None,
    p2psms_conn_id: str = "p2psms_default",
    multiple_outputs: bool | None = None,
    **kwargs: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def p2psms_task(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool | None = None,
    **kwargs: Any,
) -> Any:
    """
    Make a task of a function that returns rows; ``@task.p2psms`` in a DAG.

    The function takes arguments and the names of Airflow's context as that of ``@task`` does, and returns
    anything that ``messages`` of ``PeerToPeerSMSOperator`` takes, or yields its rows one by one. All the
    operator's other parameters are the decorator's, and so is its result.

    :param python_callable: the function.
    :param kwargs: parameters of ``PeerToPeerSMSOperator``, and of any Airflow task.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=bool(multiple_outputs),
        decorated_operator_class=P2PSMSDecoratedOperator,
        **kwargs,
    )
