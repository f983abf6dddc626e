"""
Which of a task's values are templates: those that its author wrote into the DAG file, and no others.

What another task returned is data, however it gets here (``task.output``, ``.expand``, ``.expand_kwargs``, a
mapped task group): a customer called ``{{ var.value.secret }}`` is nobody's template. Airflow renders some of
it, and writes a field into the log whose template fails, with all that it holds. So these tasks render their
fields themselves.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_p2psms.airflow_compat import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    XComNotFound,
)
from airflow_provider_p2psms.errors import InvalidMessageError, fold_lines, lay_out
from airflow_provider_p2psms.operators.parameters import Parameter, has_iterator
from airflow_provider_p2psms.operators.redacted_fields import Concealed, reveal
from airflow_provider_p2psms.operators.templates import (
    NoValueError,
    Renderer,
    describe_fault,
    is_template,
)
from airflow_provider_p2psms.operators.upstream import is_output, names_from_upstream

if TYPE_CHECKING:
    from jinja2 import Environment

# A function's arguments, which may hold objects with templates of their own.
_ARGUMENTS = frozenset({"op_args", "op_kwargs"})
# The combination of all parameters, where a single one is not at fault.
TOGETHER = ""


class AuthorsTemplates:
    """Renders a task's fields and reads its parameters; a part of operators, before Airflow's base class."""

    task_id: str
    # What each parameter may be: checked at parse where the DAG file has its value, and else after rendering.
    _parameters: ClassVar[Mapping[str, Parameter]] = {}
    # Fields that hold more than one text: rows, arguments, ids.
    _fields_of_values: ClassVar[frozenset[str]] = frozenset({"message_outbox_ids"})
    # Fields whose template may also be a file of such a name.
    _file_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Fields of values in which a template that gives None, or an output that is not there, is no value.
    _may_be_none: ClassVar[frozenset[str]] = frozenset()

    _made_with: Mapping[str, int] | None = None
    # What is wrong with the templates, for those who raise it later.
    _fault: Exception | None = None

    def __new__(cls, *_: Any, **kwargs: Any) -> Any:
        """Make a task, and note what Airflow makes one of a mapped task from."""
        made = super().__new__(cls)
        if kwargs.get("_airflow_from_mapped"):
            # Which values, and not the values: they would be among the attributes that lineage notes.
            object.__setattr__(made, "_made_with", {name: id(value) for name, value in kwargs.items()})
        return made

    def __init__(self, **kwargs: Any) -> None:
        """
        Hand everything on to Airflow's base class.

        :raises TypeError: a parameter that there is not; named alone, since Airflow shows its value, too, and
            rows given to ``.expand_kwargs`` by mistake are parameters.
        """
        unknown: set[str] = set()
        try:
            super().__init__(**kwargs)
        except (TypeError, AirflowException):
            unknown = kwargs.keys() - _parameters(type(self))
            if not unknown:
                raise
        if unknown:
            names = ", ".join(sorted(unknown))
            # A mapped task is made when it runs, and another try cannot help.
            kind = TypeError if self._made_with is None else AirflowFailException
            raise kind(f"{type(self).__name__}: there are no parameters {names}.")

    def _check_at_parse(self) -> None:
        """
        Refuse what cannot work whatever templates and other tasks give; the last call of ``__init__``.

        A mapped task is made when it runs. Its parameters are all checked after rendering.

        :raises ValueError: names the task, the parameter, what came and what is wanted.
        """
        if self._made_with is not None:
            return
        try:
            for name in self._fields_of_values:
                _refuse_iterator(name, getattr(self, name, None))
            self._read_parameters(
                name for name in self._parameters if not is_rendered_later(vars(self).get(name))
            )
            self._check_together()
        except InvalidMessageError as err:
            raise ValueError(f"{self.task_id}: {err}") from None

    def _read_parameters(self, names: Iterable[str]) -> None:
        """
        Replace values by those of their parameters' types.

        :raises InvalidMessageError: a value is of another type, or out of range.
        """
        for name in names:
            if name in vars(self):
                value = reveal(getattr(self, name))
                found = self._parameters[name].parse(name, value)
                if found is not value:
                    setattr(self, name, found)

    def _check_together(self) -> None:
        """Refuse parameters that exclude each other; some may still be templates."""

    def resolve_template_files(self) -> None:
        """Read no file while the DAG is parsed: the rendering knows which fields may name one."""
        task: Any = self
        task.prepare_template()

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Any,
        jinja_env: Environment,
        seen_oids: set[int],
    ) -> None:
        # Mapped tasks are rendered through this method alone, so it is the one place that sees every task.
        is_own = parent is self
        names = names_from_upstream(self, self._made_with, context) if is_own else frozenset()
        fields = _Fields(self, Renderer(context, jinja_env), context, seen_oids, names)
        faults = {name: fault for name in template_fields if (fault := fields.render(parent, name))}
        if is_own:
            faults |= self._read_rendered(faults)
            self._conceal()
        self._fault = _worst(faults.values())
        # Raised out here: what is raised within has the first error in it, and Airflow logs what that says.
        if self._fault and (not is_own or self._fails_at_once(faults.keys())):
            raise self._fault

    def _read_rendered(self, failed: Collection[str]) -> dict[str, Exception]:
        """Read the parameters whose templates have not failed; return what is wrong with them."""
        faults: dict[str, Exception] = {}
        for name in [name for name in self._parameters if name not in failed]:
            try:
                self._read_parameters([name])
            except InvalidMessageError as err:
                faults[name] = AirflowFailException(str(err))
                value = getattr(self, name)
                # Rows may have come as this parameter, and Airflow shows it.
                setattr(self, name, Concealed(value, f"<{type(value).__name__}>"))
        if not faults and not failed:
            try:
                self._check_together()
            except InvalidMessageError as err:
                faults[TOGETHER] = AirflowFailException(str(err))
        return faults

    def _fails_at_once(self, fields: Collection[str]) -> bool:  # noqa: ARG002 - for subclasses
        """Whether faults in these fields are raised now; ``execute`` raises them otherwise."""
        return True

    def _conceal(self) -> None:
        """Hide what Airflow would show of the rendered fields."""


class _Fields:
    """Renders the fields of one task with one context."""

    def __init__(
        self,
        task: AuthorsTemplates,
        renderer: Renderer,
        context: Any,
        seen_oids: Collection[int],
        names: frozenset[str],
    ) -> None:
        self._task = task
        self._renderer = renderer
        self._context = context
        self._seen = seen_oids
        self._names = names

    def render(self, parent: Any, name: str) -> Exception | None:
        """Render a field; return what is wrong with it."""
        try:
            setattr(parent, name, self._field(name, getattr(parent, name)))
        except Exception as err:  # noqa: BLE001 - a template may raise anything
            return _fault_of(name, err)
        return None

    def _field(self, name: str, value: Any) -> Any:
        if name == "op_kwargs" and isinstance(value, Mapping):
            given = {key: each for key, each in value.items() if key in self._names}
            return {key: given[key] if key in given else self._fill(name, value[key]) for key in value}
        if name in self._names or id(value) in self._seen or is_output(value):
            return self._given(name, value)
        if callable(value):  # as Airflow does
            return value(context=self._context, jinja_env=self._renderer.environment)
        if name in self._task._fields_of_values:  # noqa: SLF001 - this is a part of it
            _refuse_iterator(name, value)
            if isinstance(value, str) and self._is_optional(name):
                return self._renderer.value(value)
            return self._fill(name, value)
        return self._text(name, value) if isinstance(value, str) else self._path(value)

    def _given(self, name: str, value: Any) -> Any:
        """Return what another task gave, as it is; a text that looks like a template is none that can be."""
        found = self._resolve(name, value) if is_output(value) else value
        is_text = isinstance(found, str) and name not in self._task._fields_of_values  # noqa: SLF001
        # Airflow's own `literal()` is the author's word that it is no template.
        if is_text and type(value).__name__ != "LiteralValue" and is_template(found):
            raise _UnrenderedError
        parameter = self._task._parameters.get(name)  # noqa: SLF001
        if found is None and parameter is not None and parameter.is_guard:
            raise InvalidMessageError(
                f"{name} comes from another task, which returned None. It must be a number."
            )
        return found

    def _text(self, name: str, source: str) -> str | None:
        optional = self._is_optional(name)
        suffixes = self._task._file_suffixes.get(name, ())  # noqa: SLF001
        text = self._renderer.text(source, none_fails=not optional, file_suffixes=suffixes)
        is_none = text.strip() == "None"
        if is_none and not optional:
            raise NoValueError
        if optional and not is_none and "None" in text:  # not where a part of it is None
            self._renderer.text(source, none_fails=True)
        return text

    def _is_optional(self, name: str) -> bool:
        parameter = self._task._parameters.get(name)  # noqa: SLF001 - this is a part of it
        return parameter is not None and parameter.is_optional

    def _path(self, value: Any) -> Any:
        # A path in object storage may be a template; a local one is taken as it is, as Airflow does.
        if not (hasattr(value, "deserialize") and hasattr(value, "path")):
            return value
        told = value.serialize()
        told["path"] = self._renderer.text(told["path"], none_fails=True)
        return value.deserialize(told, value.__version__)

    def _fill(self, name: str, value: Any) -> Any:
        """Render what stands in a list or a mapping of the author's; what is from another task stays."""
        if id(value) in self._seen:
            return value
        if is_output(value):
            return self._resolve(name, value)
        if isinstance(value, str):
            # A function's arguments are its author's to judge, None and all.
            none_fails = name not in _ARGUMENTS and not self._may_be_none(name)
            return self._renderer.value(value, none_fails=none_fails)
        if isinstance(value, dict):
            return {key: self._fill(name, each) for key, each in value.items()}
        if isinstance(value, list | tuple | set):
            return self._fill_items(name, value)
        return self._fill_object(name, value) if name in _ARGUMENTS else value

    def _fill_items(self, name: str, values: Any) -> Any:
        filled = (self._fill(name, each) for each in values)
        if isinstance(values, tuple) and hasattr(values, "_fields"):
            return values.__class__(*filled)
        return next(kind for kind in (list, tuple, set) if isinstance(values, kind))(filled)

    def _fill_object(self, name: str, value: Any) -> Any:
        """Render an object among a function's arguments, in a copy; rows have no templates of their own."""
        fields = getattr(type(value), "template_fields", ())
        filled = copy.copy(value) if fields else value
        for each in fields:
            setattr(filled, each, self._fill(name, getattr(value, each)))
        return filled

    def _may_be_none(self, name: str) -> bool:
        return name in self._task._may_be_none  # noqa: SLF001 - this is a part of it

    def _resolve(self, name: str, value: Any) -> Any:
        fault = ""
        try:
            return value.resolve(self._context)
        except AirflowSkipException:
            raise
        except XComNotFound as err:
            if self._may_be_none(name):
                return None
            fault = str(err)
        except Exception as err:  # noqa: BLE001 - a backend may raise anything, and quote what it has read
            fault = str(err) if isinstance(err, AirflowException) else type(err).__name__
        raise _UnreadableError(fault)


class _UnrenderedError(Exception):
    """A text of another task that looks like a template."""


class _UnreadableError(Exception):
    """What another task returned cannot be had; says why."""


def is_rendered_later(value: Any) -> bool:
    """Whether a value is, or holds, a template or another task's output: known when the task runs."""
    if isinstance(value, str):
        return is_template(value)
    if isinstance(value, Mapping):
        return any(map(is_rendered_later, value.values()))
    if isinstance(value, list | tuple | set):
        return any(map(is_rendered_later, value))
    return is_output(value) or callable(value)


def _refuse_iterator(name: str, value: Any) -> None:
    if has_iterator(value):
        raise InvalidMessageError(
            f"{name} holds a generator or another iterator. It is empty once it was read, so a retry would "
            "find nothing. Use a list or a file, or return the rows from a task: a function under "
            "@task.p2psms may yield them."
        )


def _fault_of(name: str, err: Exception) -> Exception:
    """Say what is wrong with a field, as the error that Airflow is to see."""
    from jinja2 import TemplateError

    if isinstance(err, _UnrenderedError):
        return AirflowFailException(
            lay_out(
                f'"{name}" comes from another task and holds {{{{, {{% or {{#.',
                "What other tasks return is never rendered.",
                options=(
                    "Write the template into the DAG file.",
                    "Or let that task return the finished text.",
                ),
            )
        )
    if isinstance(err, _UnreadableError):
        return AirflowException(fold_lines(f'What another task returned for "{name}" cannot be read:\n{err}'))
    if isinstance(err, AirflowSkipException):  # a macro of the author's, who wants just that
        return AirflowSkipException(f'The template in "{name}" skips this task.')
    if isinstance(err, InvalidMessageError):
        return AirflowFailException(str(err))
    reason, _, hint = describe_fault(err, has_columns=name == "text").partition("; ")
    options = [f"{hint[0].upper()}{hint[1:]}."] if hint else []
    told = lay_out(f'The template in "{name}" fails: {reason}.', options=options)
    is_final = isinstance(err, TemplateError | NoValueError | AirflowFailException)
    return AirflowFailException(told) if is_final else AirflowException(told)


def _parameters(kind: type) -> set[str]:
    makers = (vars(each).get("__init__") for each in kind.__mro__)
    return {name for maker in makers if maker for name in inspect.signature(maker).parameters}


def _worst(faults: Collection[Exception]) -> Exception | None:
    """Make one error of all: skip if one skips; fail for good if another try cannot help."""
    for kind in (AirflowSkipException, AirflowFailException, AirflowException):
        if any(isinstance(fault, kind) for fault in faults):
            return kind("\n".join(map(str, faults)))
    return None
