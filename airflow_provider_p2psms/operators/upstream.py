"""Tells what another task gave from what the DAG's author wrote, in a task that was mapped or not."""

from collections.abc import Mapping, Sequence
from typing import Any


def is_output(value: Any) -> bool:
    """Whether a value stands for what another task returns: an XComArg, or an argument of a mapped group."""
    return hasattr(value, "iter_references") and hasattr(value, "resolve") and not isinstance(value, type)


def names_from_upstream(task: Any, made_with: Mapping[str, int] | None, context: Any) -> frozenset[str]:
    """
    Name the parameters of a mapped task (of a function: its arguments) that another task gave.

    In ``.expand`` and ``.expand_kwargs`` the author may write values, too, or a list of some of both.

    :param made_with: which values (``id``) Airflow made the task from, by their names; ``None`` if it is no
        mapped one.
    """
    if made_with is None:
        return frozenset()
    mapped = context["dag"].get_task(task.task_id)
    given, written = made_with, mapped.partial_kwargs
    if mapped._expand_input_attr == "op_kwargs_expand_input":  # noqa: SLF001 - the same from 2.11 to 3.3
        given = {name: id(value) for name, value in task.op_kwargs.items()}
        written = written["op_kwargs"]
    mapped_over = {name for name, which in given.items() if name not in written or id(written[name]) != which}
    source = mapped._get_specified_expand_input().value  # noqa: SLF001
    if isinstance(source, Mapping):
        return frozenset(name for name in mapped_over & set(source) if is_output(source[name]))
    if isinstance(source, Sequence) and isinstance(source[context["ti"].map_index], Mapping):
        return frozenset()
    return frozenset(mapped_over)


def is_given_by_index(task: Any, name: str, made_with: Mapping[str, int] | None, context: Any) -> bool:
    """Whether ``.expand``, of the task or of its group, gives each map index its own value."""
    if made_with is None:
        return type(getattr(task, name)).__name__ == "MappedArgument"
    written = context["dag"].get_task(task.task_id).partial_kwargs
    return name in made_with and not (name in written and id(written[name]) == made_with[name])
