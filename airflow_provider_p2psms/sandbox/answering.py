"""
The ways in which an answer reaches the client, or does not: right, late, cut, endless, elsewhere.

Which fault answers in which way, ``faults.py`` knows.
"""

import asyncio
import json
from contextlib import suppress

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_p2psms.sandbox.envelope import Answer

_LARGE_CHUNK = b"1123594208, " * 5_000
_LARGE_SIZE = 64 * 1024 * 1024


def render(answer: Answer) -> Response:
    """Write an answer as the gateway does."""
    return JSONResponse(answer.body, status_code=answer.status)


async def client_left(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        ...


def delayed(app: ASGIApp, delay_s: float) -> ASGIApp:
    """Answer ``delay_s`` later, or not at all if the client has left by then."""

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(client_left(receive), delay_s)
            return
        await app(scope, receive, send)

    return answer_late


async def say_nothing(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Never answer."""
    await client_left(receive)


async def cut(scope: Scope, receive: Receive, _send: Send) -> None:
    """Close the connection without a byte."""
    scope["state"]["transport"].abort()
    await client_left(receive)


def truncated(answer: Answer) -> ASGIApp:
    """Close the connection after half of the body."""
    response = render(answer)

    async def answer_half(scope: Scope, receive: Receive, send: Send) -> None:
        half = bytes(response.body)[: len(response.body) // 2]
        await send({"type": "http.response.start", "status": 200, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        scope["state"]["transport"].close()  # after what was written has left
        await client_left(receive)

    return answer_half


async def answer_endlessly(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with 64 MB."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(
        {"type": "http.response.body", "body": b'{"data": {"message_outbox_ids": [', "more_body": True}
    )
    for _ in range(_LARGE_SIZE // len(_LARGE_CHUNK)):
        await send({"type": "http.response.body", "body": _LARGE_CHUNK, "more_body": True})
        await asyncio.sleep(0)  # lets this process hear that the client has left
    await send({"type": "http.response.body", "body": b"1123594208]}}"})


async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
    """Lead to another address of this process."""
    # Another host name of the same process: a client that follows is seen, and so is a token it takes along.
    location = f"http://localhost:{scope['server'][1]}/sandbox/elsewhere"
    await Response(status_code=302, headers={"location": location})(scope, receive, send)


def in_windows_1256(answer: Answer) -> ASGIApp:
    """Answer in another encoding than JSON's."""
    content = json.dumps(answer.body, ensure_ascii=False).encode("cp1256", errors="replace")
    return Response(content, media_type="application/json")
