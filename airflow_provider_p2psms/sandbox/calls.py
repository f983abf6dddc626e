"""Reads a request whole, before anything is decided on it; of a body, no more than the limit."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Any, NoReturn

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.access import has_token, media_type_of
from airflow_provider_p2psms.sandbox.envelope import Refused, wrong_fields
from airflow_provider_p2psms.sandbox.faults import SEND_PATH, Order, Takes
from airflow_provider_p2psms.sandbox.origin import read_origin
from airflow_provider_p2psms.sandbox.settings import Settings

# A greater body waits on disk until it has arrived whole. starlette does the same for uploaded files.
SPOOLED_BYTES = 1024 * 1024
MULTIPART = "multipart/form-data"


class BodyTooLargeError(Exception):
    """The body is larger than the limit; its rest was not read."""


@dataclass(slots=True)
class Form:
    """The fields of a multipart form, and its ``files[]`` as (name, content)."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """
    One request. ``path`` begins with ``/api/``, whatever the base address.

    ``authorised`` is whether it has the token; without it, no body is read. ``body`` is empty for multipart,
    which has a ``form``. ``too_large`` is whether the body was larger than the limit; then none is kept.
    ``order`` is the fault that hits it, ``request_id`` the id under which it was noted, ``messages`` how
    many messages a good send has, ``origin`` the DAG, run and task that it says it came from.
    """

    method: str
    path: str
    query: Mapping[str, str]
    media_type: str
    authorised: bool
    now: float
    body: bytes = b""
    body_size: int = 0
    too_large: bool = False
    form: Form | None = None
    order: Order | None = None
    request_id: int = 0
    messages: int = 0
    origin: tuple[str | None, ...] = ()
    _read: dict[str, Any] | None = None

    @property
    def kind(self) -> str:
        """The sending type meant by the content type, or what stands behind ``/api/``."""
        if self.path == SEND_PATH:
            return "peer_to_peer_file" if self.media_type == MULTIPART else "peer_to_peer"
        return self.path.removeprefix("/api/")

    @property
    def takes(self) -> Takes:
        """How much of it may be taken."""
        return self.order.meant.takes if self.order else Takes.ALL

    def sender(self) -> str:
        """Return the line that a send names, before anything of it is checked; an empty text if none."""
        if self.path != SEND_PATH:
            return ""
        try:
            line = self.form.fields.get("from_number") if self.form else self.json().get("from_number")
        except Refused:
            return ""
        return line if isinstance(line, str) else ""

    def json(self) -> dict[str, Any]:
        """
        Return the JSON object of the body; an empty one for another content type or no body.

        :raises Refused: 422 for a body that is no JSON object in UTF-8.
        """
        if self.media_type != "application/json" or not self.body:
            return {}
        if self._read is None:
            self._read = self._read_json()
        return self._read

    def _read_json(self) -> dict[str, Any]:
        try:
            read = parse_json(self.body)
        except ValueError as err:
            raise wrong_fields({"body": [phrases.NOT_JSON]}) from err
        if not isinstance(read, dict):
            raise wrong_fields({"body": [phrases.NOT_JSON]})
        return read


class Body:
    """
    The body of a request as it arrives, counted.

    :raises BodyTooLargeError: while it is read, at ``limit`` bytes; before, if its header says as much.
    :raises ClientDisconnect: while it is read, if the client leaves.
    """

    def __init__(self, request: Request, *, limit: int) -> None:
        self.size = 0
        self._request = request
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if int(self._request.headers.get("content-length", "0")) > self._limit:
            raise BodyTooLargeError
        async for chunk in self._request.stream():
            self.size += len(chunk)
            if self.size > self._limit:
                raise BodyTooLargeError
            yield chunk

    async def read(self) -> bytes:
        """Return all of it."""
        with SpooledTemporaryFile(SPOOLED_BYTES) as spool:
            async for chunk in self:
                spool.write(chunk)
            spool.seek(0)
            return spool.read()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # it is Python's


def parse_json(body: bytes, *, parse_constant: Callable[[str], object] = _refuse_constant) -> object:
    """
    Read JSON as strictly as the gateway; ``parse_constant`` reads NaN and Infinity.

    :raises ValueError: it is not JSON in UTF-8, is nested too deeply, or has half of a surrogate pair.
    """
    try:
        read: object = json.loads(body.decode(), parse_constant=parse_constant)
        if b"\\ud" in body.lower():  # JSON can spell half of a surrogate pair; nobody can send it
            json.dumps(read, ensure_ascii=False).encode()
    except RecursionError as err:
        raise ValueError("the JSON is nested too deeply") from err
    return read


async def read_call(request: Request, *, settings: Settings) -> Call:
    """
    Read a request to its end, which is the time it has arrived; without the token, only its head.

    :raises ClientDisconnect: the client left before.
    """
    call = Call(
        method=request.method,
        path=str(request.scope["path"]).removeprefix("/v1"),
        query=request.query_params,
        media_type=media_type_of(request),
        authorised=has_token(request, settings),
        now=0.0,
        origin=read_origin(request.headers),
    )
    if call.authorised:
        await _read_body(call, request, settings)
    call.now = settings.clock()
    return call


async def _read_body(call: Call, request: Request, settings: Settings) -> None:
    is_form = call.media_type == MULTIPART
    body = Body(request, limit=settings.max_upload_bytes if is_form else settings.max_json_bytes)
    try:
        if is_form:
            call.form = await _read_form(request, body)
        else:
            call.body = await body.read()
    except BodyTooLargeError:
        call.too_large = True
    call.body_size = body.size


async def _read_form(request: Request, body: Body) -> Form:
    form = Form()
    try:
        parts = await MultiPartParser(request.headers, aiter(body)).parse()  # type: ignore[arg-type]
    except MultiPartException:  # what cannot be parsed has no fields, and is refused for their want
        return form
    for name, part in parts.multi_items():
        if not isinstance(part, UploadFile):
            form.fields[name] = part
        elif name == "files[]":
            form.files.append((part.filename or "", await part.read()))
    await parts.close()
    return form
