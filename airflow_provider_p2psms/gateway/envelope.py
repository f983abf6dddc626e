"""
The envelope around every answer of the gateway, read from its bytes.

What an answer means is decided in ``response``.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airflow_provider_p2psms.gateway.values import parse_whole_number


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back whole: the status, the decoded body, and the two headers that are read."""

    http_status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether its status is 2xx: 201 is among the documented success codes."""
        return 200 <= self.http_status < 300

    @property
    def retry_after_s(self) -> float | None:
        """``Retry-After`` in seconds. Its other form, a date, would need trust in another machine's clock."""
        seconds = parse_whole_number(self.retry_after)
        return None if seconds is None else float(seconds)


@dataclass(frozen=True, slots=True)
class Envelope:
    """``data`` and ``meta`` of an answer; ``ok`` is ``meta.status``, ``None`` where that is missing."""

    data: Any
    meta: Mapping[str, Any]
    ok: bool | None
    message: str | None
    code: str | None
    errors: Mapping[str, tuple[str, ...]]


def parse_json(body: bytes) -> Any:
    """
    Read an answer's body as JSON; ``None`` if it is none.

    A BOM before the JSON is skipped, as RFC 8259 (section 8.1) allows: it changes no word of the answer.
    """
    try:
        return msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def parse_envelope(body: bytes) -> Envelope | None:
    """
    Take an answer's body apart; ``None`` if it is no JSON object with ``data`` or ``meta``.

    Source: gateway docs, all pages, "Success Response" and "Error Responses".
    """
    document = parse_json(body)
    if not isinstance(document, dict) or not document.keys() & {"data", "meta"}:
        return None
    meta = as_record(document.get("meta"))
    status, message, code = (meta.get(name) for name in ("status", "message", "message_code"))
    return Envelope(
        data=document.get("data"),
        meta=meta,
        ok=status if isinstance(status, bool) else None,
        message=message if isinstance(message, str) else None,
        code=str(code) if code else None,
        errors={str(name): _texts(texts) for name, texts in as_record(meta.get("errors")).items()},
    )


def as_record(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in (value if isinstance(value, list) else [value]))
