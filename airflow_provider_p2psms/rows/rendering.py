"""
What Airflow's Jinja makes of a ``text`` before its columns are filled in, for those who check it elsewhere.

An operator's ``text`` is a Jinja template first. So ``{{``, ``{%`` and ``{#`` are Jinja's in every text, and
braces that are to be sent are written as Jinja can read them.
"""

from airflow_provider_p2psms.errors import InvalidMessageError

# One brace is sent for two: Jinja gives two of these, and they stand for one beside columns in single braces.
BRACES = "write {{ '{{' }} for an opening brace to be sent, {{ '}}' }} for a closing one, {name} for a column"
_BEGINS = ("{{", "{%", "{#")


def has_jinja(text: str) -> bool:
    """Tell whether a text has Jinja's syntax: ``{{``, ``{%`` or ``{#``."""
    return any(begin in text for begin in _BEGINS)


def render_text(text: str) -> str:
    """
    Render a text as an Airflow operator does, but without the values of a run; others come back as they are.

    :raises InvalidMessageError: Jinja cannot read it, it needs values of a run, or Jinja is not installed.
    """
    if not has_jinja(text):
        return text
    # Here and not above: only Airflow brings Jinja, and only such a text needs it.
    try:
        from jinja2 import StrictUndefined, TemplateError, UndefinedError  # noqa: PLC0415
        from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415
    except ImportError:
        raise InvalidMessageError(
            "text has {{, {% or {#, which Airflow renders by Jinja; to check it install jinja2, "
            "or give the text as it is after rendering"
        ) from None
    try:
        environment = SandboxedEnvironment(
            undefined=StrictUndefined, extensions=["jinja2.ext.do"], cache_size=0
        )
        return environment.from_string(text).render()
    except UndefinedError:
        raise InvalidMessageError(
            "text has a {{ … }} with a value that only a run in Airflow has; write the value itself in its "
            f"place; {BRACES}"
        ) from None
    except TemplateError:
        raise InvalidMessageError(
            f"text has {{{{, {{% or {{#, and Jinja, which renders it in Airflow, cannot read it; {BRACES}"
        ) from None
    except Exception:  # noqa: BLE001 - an expression of the text may raise anything, and quote the text
        raise InvalidMessageError("text has a {{ … }} that fails when Jinja renders it; correct it") from None
