"""
The sandbox as an ASGI application: notes each request, lets the pages decide, applies the faults ordered.

Every request is noted, and all that it takes stored with it in one transaction, before its answer leaves.
The pages lie under ``/v1/api`` and under ``/api``: a base address may come with or without its version.
"""

import ipaddress
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_p2psms.sandbox.calls import Call, read_call
from airflow_provider_p2psms.sandbox.envelope import Answer, Refused, bad_credentials, done
from airflow_provider_p2psms.sandbox.faults import Order, Orders, Takes, delayed, render, say_nothing
from airflow_provider_p2psms.sandbox.outbox import render_outbox
from airflow_provider_p2psms.sandbox.pages import Pages
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import Store

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_app(settings: Settings, store: Store, orders: Orders) -> Starlette:
    """Build the application over a store and its orders of faults."""
    front = Front(settings, store, orders)
    return Starlette(
        routes=[
            Route("/", front.show_outbox),
            Route("/sandbox/faults", front.order_fault, methods=["POST"]),
            Route("/sandbox/faults", front.clear_faults, methods=["DELETE"]),
            Route("/sandbox/habits", front.show_habits),
            Route("/sandbox/habits", front.turn_habits, methods=["PUT", "POST"]),
            Route("/sandbox/state", front.show_state),
            Route("/sandbox/elsewhere", front.note_follower, methods=_METHODS),
            Route("/v1/{page:path}", front.answer, methods=_METHODS),
            Route("/api/{page:path}", front.answer, methods=_METHODS),
        ],
        middleware=[Middleware(Dated, settings=settings)],
    )


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

    def __init__(self, settings: Settings, store: Store, orders: Orders) -> None:
        self._settings = settings
        self._store = store
        self._orders = orders
        self._pages = Pages(settings, store)

    async def answer(self, request: Request) -> ASGIApp:
        """Answer a request to the gateway."""
        try:
            call = await read_call(request, clock=self._settings.clock)
        except ClientDisconnect:  # half a request is none
            return say_nothing
        order = self._orders.next_for(call.path)
        app = self._decide(call, order, token=request.headers.get("authorization", ""))
        return delayed(app, self._settings.latency_s) if self._settings.latency_s else app

    def _decide(self, call: Call, order: Order | None, *, token: str) -> ASGIApp:
        with self._store.transaction():
            call.request_id = self._note(call)
            call.takes = order.meant.takes if order else Takes.ALL
            answer = done(None) if call.takes is Takes.NOTHING else self._ask(call, token=token)
            if answer.status != 200:
                order = None  # a refusal leaves no answer to lose
            self._store.note_answer(
                call.request_id,
                status=order.meant.status if order else answer.status,
                taken=answer.taken,
                fault=order.fault if order else None,
            )
        return order.meant.respond(answer, order) if order else render(answer)

    def _ask(self, call: Call, *, token: str) -> Answer:
        try:
            page = self._pages.find(call)
            if token != self._settings.token:
                raise bad_credentials()
            return page(call)
        except Refused as refused:
            return refused.answer

    def _note(self, call: Call) -> int:
        return self._store.note_request(
            at=call.now, method=call.method, path=call.path, kind=call.kind, body_size=len(call.body)
        )

    async def note_follower(self, request: Request) -> Response:
        """Note who followed the fault ``redirect``, and tempt them with a success."""
        call = await read_call(request, clock=self._settings.clock)
        with self._store.transaction():
            self._store.note_answer(self._note(call), status=200, taken=False)
        return render(done({"message_outbox_ids": [1]}))

    async def order_fault(self, request: Request) -> Response:
        """Order a fault: the fields of :class:`~airflow_provider_p2psms.sandbox.faults.Order` as JSON."""
        if not _is_local(request):
            return Response(status_code=403)
        try:
            self._orders.add(Order(**await request.json()))
        except (AttributeError, TypeError, ValueError) as err:
            return JSONResponse({"error": str(err)}, status_code=400)
        return self._state()

    async def clear_faults(self, request: Request) -> Response:
        """Forget the faults ordered."""
        if not _is_local(request):
            return Response(status_code=403)
        self._orders.clear()
        return self._state()

    async def show_habits(self, request: Request) -> Response:
        """Show all habits of the reports."""
        return JSONResponse(self._settings.habits()) if _is_local(request) else Response(status_code=403)

    async def turn_habits(self, request: Request) -> Response:
        """Turn the habits given as JSON; with POST the others stay, with PUT they are off."""
        if not _is_local(request):
            return Response(status_code=403)
        try:
            self._settings.turn(await request.json(), keep_others=request.method == "POST")
        except ValueError as err:
            return JSONResponse({"error": str(err)}, status_code=422)
        return await self.show_habits(request)

    async def show_state(self, request: Request) -> Response:
        """Show the counts and the faults ordered."""
        return self._state() if _is_local(request) else Response(status_code=403)

    def _state(self) -> Response:
        return JSONResponse({**self._store.counts(), "faults": self._orders.waiting()})

    async def show_outbox(self, request: Request) -> Response:
        """Show the outbox page."""
        page = render_outbox(request.query_params, self._settings, self._store, self._orders)
        return HTMLResponse(page)


def _is_local(request: Request) -> bool:
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
