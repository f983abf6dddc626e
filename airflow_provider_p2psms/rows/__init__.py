"""
Rows: where they come from, and what makes one a good message. Knows neither HTTP nor Airflow.

``read_rows`` and ``read_file`` open what was handed in, ``check_rows`` turns it into messages and problems;
all three stream. ``check_file`` does both with a file, and with a large one beside its caller. Names load
their modules on first use: a DAG file that has no more to do than to read a template does not pay for the
rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_p2psms.rows.check import Checked, check_rows
    from airflow_provider_p2psms.rows.files import read_file
    from airflow_provider_p2psms.rows.message import Message
    from airflow_provider_p2psms.rows.redaction import mask
    from airflow_provider_p2psms.rows.rendering import render_text
    from airflow_provider_p2psms.rows.row import Row
    from airflow_provider_p2psms.rows.rules import FileRules, RowRules
    from airflow_provider_p2psms.rows.sms_text import count_parts
    from airflow_provider_p2psms.rows.sources import read_rows
    from airflow_provider_p2psms.rows.template import Template, parse_template
    from airflow_provider_p2psms.rows.worker_process import check_file

_HOMES = {
    "Checked": "check",
    "FileRules": "rules",
    "Message": "message",
    "Row": "row",
    "RowRules": "rules",
    "Template": "template",
    "check_file": "worker_process",
    "check_rows": "check",
    "count_parts": "sms_text",
    "mask": "redaction",
    "parse_template": "template",
    "read_file": "files",
    "read_rows": "sources",
    "render_text": "rendering",
}


if not TYPE_CHECKING:  # to type checkers, the names above are all that there are

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "Checked",
    "FileRules",
    "Message",
    "Row",
    "RowRules",
    "Template",
    "check_file",
    "check_rows",
    "count_parts",
    "mask",
    "parse_template",
    "read_file",
    "read_rows",
    "render_text",
]
