"""
An Airflow connection as it stands in an environment variable, read without Airflow.

For the command line, which works on a machine that has no Airflow; tasks ask Airflow for theirs.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.gateway.settings import GatewaySettings, parse_settings

CONN_TYPE = "p2psms"


def parse_connection(text: str) -> GatewaySettings:
    """
    Read a connection: ``p2psms://:TOKEN@host/v1?from_number=…``, or Airflow's JSON of it.

    :raises InvalidMessageError: it is neither, or what it says is unusable. The text shows no value of it.
    """
    try:
        fields = _read_json(text) if text.lstrip().startswith("{") else _read_uri(text)
        conn_type = fields.pop("conn_type")
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError):
        raise InvalidMessageError(
            "The connection is neither a URI (p2psms://:TOKEN@host/v1) nor Airflow's JSON of one."
        ) from None
    if conn_type != CONN_TYPE:
        raise InvalidMessageError("The connection is not of type p2psms.")
    return parse_settings(**fields)


def _read_json(text: str) -> dict[str, Any]:
    document = msgspec.json.decode(text, type=dict[str, Any])
    names = "conn_type", "host", "password", "login", "schema", "port"
    extra = document.get("extra") or {}
    port = document.get("port")
    return {
        **{name: document.get(name) for name in names},
        "port": int(port) if port else None,
        "extra": _as_mapping(msgspec.json.decode(extra) if isinstance(extra, str) else extra),
    }


def _read_uri(text: str) -> dict[str, Any]:
    conn_type, mark, rest = text.strip().partition("://")
    if not mark:
        raise ValueError
    # A second scheme is the host's: p2psms://https://:TOKEN@host/v1.
    url = urlsplit(rest if "://" in rest.partition("?")[0] else f"//{rest}")
    host = unquote(url.hostname or "")
    host = f"[{host}]" if ":" in host and "//" not in host else host
    extra = dict(parse_qsl(url.query, keep_blank_values=True))
    whole = extra.pop("__extra__", None)
    return {
        "conn_type": conn_type,
        "host": f"{url.scheme}://{host}" if url.scheme else host,
        "password": unquote(url.password or ""),
        "login": unquote(url.username or ""),
        "schema": unquote(url.path.removeprefix("/")),
        "port": url.port,
        "extra": _as_mapping(msgspec.json.decode(whole)) if whole else extra,
    }


def _as_mapping(value: Any) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value
