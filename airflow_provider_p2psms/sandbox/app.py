"""
The sandbox as an ASGI application: notes each request, lets the pages decide, applies the faults ordered.

Every request is noted, and all that it takes stored with it in one transaction, before its answer leaves.
The pages lie under ``/v1/api`` and under ``/api``: a base address may come with or without its version.
"""

import mimetypes
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_p2psms.sandbox.access import ELSEWHERE, STATIC, Gate
from airflow_provider_p2psms.sandbox.answering import delayed, render, say_nothing
from airflow_provider_p2psms.sandbox.calls import Call, read_call
from airflow_provider_p2psms.sandbox.console import Console
from airflow_provider_p2psms.sandbox.envelope import Answer, Refused, done
from airflow_provider_p2psms.sandbox.events import Feed
from airflow_provider_p2psms.sandbox.exchanges import describe_answer, keep_sent
from airflow_provider_p2psms.sandbox.faults import SEND_PATH, Order, Takes
from airflow_provider_p2psms.sandbox.orders import Orders
from airflow_provider_p2psms.sandbox.pages import Pages
from airflow_provider_p2psms.sandbox.request_log import describe
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import Store

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_app(settings: Settings, store: Store, orders: Orders, feed: Feed) -> Starlette:
    """Build the application over a store, its orders of faults, and the feed of changes."""
    front = Front(settings, store, orders, feed)
    console = Console(settings, store, orders, feed)
    return Starlette(
        routes=[
            *console.routes(),
            *(Route(f"{STATIC}{name}", _show_file(name)) for name in ("outbox.css", "outbox.js")),
            Route(ELSEWHERE, front.note_follower, methods=_METHODS),
            Route("/v1/{page:path}", front.answer, methods=_METHODS),
            Route("/api/{page:path}", front.answer, methods=_METHODS),
        ],
        middleware=[Middleware(Dated, settings=settings), Middleware(Gate, settings=settings)],
    )


def _show_file(name: str) -> Callable[[Request], Awaitable[Response]]:
    media_type = mimetypes.guess_type(name)[0]
    content = Path(__file__).with_name(name).read_text("utf-8")

    async def show(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return show


class Dated:
    """Gives every answer its ``Date``, by the sandbox's own clock."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the header."""

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._settings.date_absent:
                date = formatdate(self._settings.clock() + self._settings.date_offset_s, usegmt=True)
                message = {**message, "headers": [*message["headers"], (b"date", date.encode())]}
            await send(message)

        await self._app(scope, receive, send_dated)


class Front:
    """Receives every request."""

    def __init__(self, settings: Settings, store: Store, orders: Orders, feed: Feed) -> None:
        self._settings = settings
        self._store = store
        self._orders = orders
        self._feed = feed
        self._pages = Pages(settings, store)

    async def answer(self, request: Request) -> ASGIApp:
        """Answer a request to the gateway."""
        began = time.perf_counter()
        try:
            call = await read_call(request, settings=self._settings)
        except ClientDisconnect:  # half a request is none
            return say_nothing
        self._settings.call_hooks(call.path)
        sender = call.sender()
        order = self._orders.next_for(call.path, sender)
        answer, order = self._decide(call, order)
        self._feed.announce()
        if self._settings.log:
            self._settings.log(describe(call, answer, order, took_s=time.perf_counter() - began))
        app = order.meant.respond(answer, order) if order else render(answer)
        latency_s = self._settings.latency_of(sender)
        return delayed(app, latency_s) if latency_s else app

    def _decide(self, call: Call, order: Order | None) -> tuple[Answer, Order | None]:
        with self._store.transaction():
            call.request_id = self._note(call)
            call.order = order
            answer = done(None) if order and order.meant.takes is Takes.NOTHING else self._ask(call)
            if answer.status != 200:
                order = None  # a refusal leaves no answer to lose
            self._store.note_answer(
                call.request_id,
                status=order.meant.status if order else answer.status,
                taken=answer.taken,
                fault=order.fault if order else None,
            )
            if call.path == SEND_PATH:
                self._note_send(call, answer, order)
        return answer, order

    def _note_send(self, call: Call, answer: Answer, order: Order | None) -> None:
        if any(call.origin):
            self._store.note_origin(call.request_id, call.origin)
        if call.authorised:
            sent = keep_sent(call)
            self._store.note_exchange(
                call.request_id,
                media_type=call.media_type,
                sent=sent.shown,
                answered=describe_answer(answer, order),
            )
            if sent.file is not None:
                self._store.keep_body(call.request_id, sent.file, suffix=sent.suffix)
        if self._settings.keep and answer.taken:
            self._store.keep_newest(self._settings.keep)

    def _ask(self, call: Call) -> Answer:
        try:
            return self._pages.find(call)(call)
        except Refused as refused:
            return refused.answer

    def _note(self, call: Call) -> int:
        return self._store.note_request(
            at=call.now, method=call.method, path=call.path, kind=call.kind, body_size=call.body_size
        )

    async def note_follower(self, request: Request) -> Response:
        """Note who followed the fault ``redirect``, and tempt them with a success."""
        call = await read_call(request, settings=self._settings)
        with self._store.transaction():
            self._store.note_answer(self._note(call), status=200, taken=False)
        return render(done({"message_outbox_ids": [1]}))
