"""
Rows: where they come from, and what makes one a good message. Knows neither HTTP nor Airflow.

``read_rows`` and ``read_file`` open what was handed in, ``check_rows`` turns it into messages and problems;
all three stream. Importing this room is cheap: phone number metadata and the XLSX reader load on first use.
"""

from airflow_provider_p2psms.rows.check import check_rows
from airflow_provider_p2psms.rows.files import read_file
from airflow_provider_p2psms.rows.masking import mask
from airflow_provider_p2psms.rows.message import Message
from airflow_provider_p2psms.rows.row import Row
from airflow_provider_p2psms.rows.rules import RowRules
from airflow_provider_p2psms.rows.sources import read_rows
from airflow_provider_p2psms.rows.template import Template, parse_template
from airflow_provider_p2psms.rows.texts import count_parts

__all__ = [
    "Message",
    "Row",
    "RowRules",
    "Template",
    "check_rows",
    "count_parts",
    "mask",
    "parse_template",
    "read_file",
    "read_rows",
]
