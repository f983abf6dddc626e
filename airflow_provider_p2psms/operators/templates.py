"""
Jinja templates, filled in one by one; whatever goes wrong is told without what a template or a value holds.

Knows Jinja and a context. Which templates there are, and what an error means to Airflow, is their task's to
know.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template

# Jinja's words on a name that is not there. A name is code; a key or an attribute may be anybody's name.
_SAYS_WHICH_NAME = r"(?!.*\d{5})'\w{1,40}' is undefined"
_COLUMNS = "for a column of the rows write single braces, as in {name}"
_NOTHING = "give the value; where nothing is right in a text, write {{ value or '' }}"
_UNDEFINED = "give it a value, or write {{ value | default('') }}"


class NoValueError(Exception):
    """A part of a template gave ``None``, where a text is wanted."""


class Renderer:
    """
    Fills in templates with one context.

    Also where the DAG renders native objects, a value keeps the type that its expression has: a text that
    looks like a number stays a text, or a phone number would lose its plus, and a code its leading zeros.
    """

    def __init__(self, context: Any, environment: Environment) -> None:
        self._context = context
        self.environment = environment

    @cached_property
    def _strict(self) -> Environment:
        # A `finalize` of the DAG's own has the last word on None.
        given = self.environment
        return given if given.finalize else given.overlay(finalize=_refuse_none)

    def text(self, source: str, *, none_fails: bool = False, file_suffixes: tuple[str, ...] = ()) -> str:
        """
        Fill in a template whose result is a text.

        :param none_fails: raise ``NoValueError`` where Jinja would write None.
        :param file_suffixes: a source that is a name with such an ending is that of the template's file.
        """
        environment = self._strict if none_fails else self.environment
        is_file = is_file_name(source, file_suffixes)
        template = environment.get_template(source) if is_file else environment.from_string(source)
        return "".join(map(str, self._nodes(template)))

    def value(self, source: str, *, none_fails: bool = False) -> Any:
        """
        Fill in a template; where the DAG renders native objects, give its one expression's value as it is.

        :param none_fails: raise ``NoValueError`` where None would be written into a text.
        """
        from jinja2.nativetypes import NativeCodeGenerator

        if not issubclass(self.environment.code_generator_class, NativeCodeGenerator):
            return self.text(source, none_fails=none_fails)
        nodes = list(map(_require_defined, self._nodes(self.environment.from_string(source))))
        told = [node for node in nodes if not isinstance(node, str) or node.strip()]
        if len(told) == 1 and not isinstance(told[0], str):
            return told[0]
        if none_fails and any(node is None for node in told):
            raise NoValueError
        return "".join(map(str, nodes))

    def as_native(self) -> Renderer:
        """Return one whose ``value`` keeps types, also where the DAG renders texts."""
        from jinja2.nativetypes import NativeCodeGenerator

        environment = self.environment.overlay()
        environment.code_generator_class = NativeCodeGenerator
        return Renderer(self._context, environment)

    def _nodes(self, template: Template) -> Iterator[Any]:
        # Not `template.render`: it makes a dict of Airflow's context, and asks for everything in it.
        context = copy.copy(self._context)
        context.update((name, each) for name, each in template.globals.items() if name not in context)
        environment = template.environment
        made: Any = environment.context_class(environment, context, template.name, template.blocks)
        return iter(template.root_render_func(made))


def is_template(text: str) -> bool:
    """Whether a text has Jinja's syntax."""
    return "{{" in text or "{%" in text or "{#" in text


def is_file_name(source: str, suffixes: tuple[str, ...]) -> bool:
    """
    Whether a text is the name of a template's file: it ends so, and is no address.

    The name of a query's file may have blanks, as in Airflow. The name of a message's file is one word, as a
    message may end with the name of a file.
    """
    is_other = re.compile(r"[\r\n]|://" if suffixes == (".sql",) else r"\s|://").search
    return bool(suffixes) and source.endswith(suffixes) and not is_other(source)


def describe_fault(err: Exception, *, has_columns: bool = False) -> str:
    """
    Say why a template cannot be rendered, in which line, and what to do, without what it holds.

    A semicolon stands between what is wrong and what to do.

    :param has_columns: whether columns of rows may stand in the template, too, between single braces.
    """
    from jinja2 import TemplateNotFound, UndefinedError

    if isinstance(err, TemplateNotFound):
        return "there is no file of that name; put it beside the DAG's file or into its template_searchpath"
    if isinstance(err, NoValueError):
        return f"a value in it is None{_place(err)}; {_NOTHING}"
    if not isinstance(err, UndefinedError):
        return f"{type(err).__name__}{_place(err)}"
    if not re.fullmatch(_SAYS_WHICH_NAME, str(err), re.ASCII):
        return f"{type(err).__name__}{_place(err)}; {_UNDEFINED}"
    return f"{err}{_place(err)}; {_COLUMNS if has_columns else _UNDEFINED}"


def _refuse_none(value: Any) -> Any:
    if value is None:
        raise NoValueError
    return value


def _require_defined(node: Any) -> Any:
    from jinja2 import Undefined

    # A native environment gives it out without asking what the DAG says of such names.
    return str(node) if isinstance(node, Undefined) else node


def _place(err: Exception) -> str:
    line, step = getattr(err, "lineno", None), err.__traceback__
    while step:
        template: Any = step.tb_frame.f_globals.get("__jinja_template__")
        line = template.get_corresponding_lineno(step.tb_lineno) if template else line
        step = step.tb_next
    return f" (line {line})" if isinstance(line, int) else ""
