"""Reads a request whole, before anything is decided on it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.envelope import wrong_fields
from airflow_provider_p2psms.sandbox.faults import SEND_PATH, Takes


@dataclass(slots=True)
class Form:
    """The fields of a multipart form, and its ``files[]`` as (name, content)."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """
    One request. ``path`` begins with ``/api/``, whatever the base address.

    ``form`` is there for multipart alone, ``takes`` is how much of it may be taken, ``request_id`` the id
    under which it was noted.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    media_type: str
    form: Form | None
    now: float
    takes: Takes = Takes.ALL
    request_id: int = 0

    @property
    def kind(self) -> str:
        """The sending type meant by the content type, or what stands behind ``/api/``."""
        if self.path == SEND_PATH:
            return "peer_to_peer_file" if self.media_type == "multipart/form-data" else "peer_to_peer"
        return self.path.removeprefix("/api/")

    def json(self) -> dict[str, Any]:
        """
        Return the JSON object of the body; an empty one for another content type or no body.

        :raises Refused: 422 for a body that is no JSON object in UTF-8.
        """
        if self.media_type != "application/json" or not self.body:
            return {}
        try:
            read = json.loads(self.body.decode(), parse_constant=_refuse_constant)
            if b"\\ud" in self.body.lower():  # JSON can spell half of a surrogate pair; nobody can send it
                json.dumps(read, ensure_ascii=False).encode()
        except ValueError as err:
            raise wrong_fields({"body": [phrases.NOT_JSON]}) from err
        if not isinstance(read, dict):
            raise wrong_fields({"body": [phrases.NOT_JSON]})
        return read


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


async def read_call(request: Request, *, clock: Callable[[], float]) -> Call:
    """
    Read a request to its end, which is the time it has arrived.

    :raises ClientDisconnect: the client left before.
    """
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Call(
        method=request.method,
        path=str(request.scope["path"]).removeprefix("/v1"),
        query=request.query_params,
        body=body,
        media_type=media_type,
        form=await _read_form(request) if media_type == "multipart/form-data" else None,
        now=clock(),
    )


async def _read_form(request: Request) -> Form:
    form = Form()
    try:
        async with request.form() as parts:
            for name, part in parts.multi_items():
                if not isinstance(part, UploadFile):
                    form.fields[name] = part
                elif name == "files[]":
                    form.files.append((part.filename or "", await part.read()))
    except HTTPException:  # what cannot be parsed has no fields, and is refused for their want
        return Form()
    return form
