"""The page and the control paths (``/sandbox/…``): what is asked of the sandbox itself."""

from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.by_line import check_line
from airflow_provider_p2psms.sandbox.calls import Body, BodyTooLargeError, parse_json
from airflow_provider_p2psms.sandbox.contract import MIN_AHEAD_S
from airflow_provider_p2psms.sandbox.events import Feed
from airflow_provider_p2psms.sandbox.exchanges import as_curl, show_sent
from airflow_provider_p2psms.sandbox.fault_words import FAULT_WORDS, MAGIC_WORDS
from airflow_provider_p2psms.sandbox.filters import read_id
from airflow_provider_p2psms.sandbox.looking import Look
from airflow_provider_p2psms.sandbox.messages import Messages
from airflow_provider_p2psms.sandbox.orders import Orders, read_order
from airflow_provider_p2psms.sandbox.outbox import OutboxPage, render
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import MAX_ID, Store
from airflow_provider_p2psms.sandbox.trouble import (
    clear_trouble,
    describe_trouble,
    show_trouble,
    trouble_form,
    turn_habits,
    turn_trouble,
)

LATEST_REQUESTS = 100
_MAX_ORDER_BYTES = 64 * 1024


class Console:
    """Answers the page and the control paths."""

    def __init__(self, settings: Settings, store: Store, orders: Orders, feed: Feed) -> None:
        self._settings = settings
        self._store = store
        self._orders = orders
        self._feed = feed
        self._messages = Messages(settings, store, feed)

    def routes(self) -> list[Route]:
        """Return its routes."""
        messages = self._messages
        return [
            Route("/", self.show_outbox),
            Route("/requests", self.show_requests),
            Route("/trouble", self.show_trouble_page),
            Route("/sandbox/requests/{number:int}/body", self.download_body),
            Route("/sandbox/events", self.stream_events),
            Route("/sandbox/messages", messages.find),
            Route("/sandbox/messages", self.delete_all, methods=["DELETE"]),
            Route("/sandbox/messages.csv", messages.export_csv),
            Route("/sandbox/messages.json", messages.export_json),
            Route("/sandbox/messages/{outbox_id}", messages.show),
            Route("/sandbox/messages/{outbox_id}/cancel", self.cancel, methods=["POST"]),
            Route("/sandbox/faults", self.order_fault, methods=["POST"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
            Route("/sandbox/habits", self.show_habits),
            Route("/sandbox/habits", self.turn_habits, methods=["PUT", "POST"]),
            Route("/sandbox/trouble", self.show_trouble),
            Route("/sandbox/trouble", self.turn_trouble, methods=["POST"]),
            Route("/sandbox/trouble", self.clear_trouble, methods=["DELETE"]),
            Route("/sandbox/state", self.show_state),
        ]

    # --- pages

    async def show_outbox(self, request: Request) -> Response:
        """Show the outbox page."""
        page = OutboxPage(request.query_params, self._settings, self._store)
        return HTMLResponse(page.render(trouble=self._trouble(), reject_comment=phrases.REJECT_COMMENT))

    async def show_requests(self, request: Request) -> Response:
        """Show the latest requests, and one of them opened."""
        opened = self._open_request(request)
        latest = self._store.requests(latest=LATEST_REQUESTS)
        return HTMLResponse(render("requests.html", requests=latest, opened=opened, trouble=self._trouble()))

    def _open_request(self, request: Request) -> dict[str, Any] | None:
        try:
            number = read_id("request", request.query_params.get("request", ""))
        except ValueError:
            return None
        row = self._store.one(
            "SELECT requests.*, dag_id, run_id, task_id, media_type, sent, answered, suffix,"
            " length(content) AS file_size FROM requests"
            " LEFT JOIN origins ON origins.request = requests.id"
            " LEFT JOIN exchanges ON exchanges.request = requests.id"
            " LEFT JOIN bodies ON bodies.request = requests.id WHERE requests.id = ?",
            (number,),
        )
        if row is None or row["sent"] is None:
            return dict(row) if row else None
        url = f"{request.url.scheme}://{request.url.netloc}/v1{row['path']}"
        file_name = "" if row["file_size"] is None else _file_name(number, row["suffix"])
        curl = as_curl(url, row["media_type"], row["sent"], file_name=file_name)
        sent = show_sent(row["media_type"], row["sent"])
        return {**row, "sent": sent, "curl": curl, "file_name": file_name}

    async def download_body(self, request: Request) -> Response:
        """Answer the body or the upload of a send that was kept as a file."""
        number = request.path_params["number"]
        row = self._store.one("SELECT suffix, content FROM bodies WHERE request = ?", (min(number, MAX_ID),))
        if row is None:
            return JSONResponse({"error": "this body is not kept"}, 404)
        name = _file_name(number, row["suffix"])
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(row["content"], media_type="application/octet-stream", headers=headers)

    def _trouble(self) -> list[str]:
        return describe_trouble(self._settings, self._orders)

    async def show_trouble_page(self, request: Request) -> Response:
        """Show the forms that order trouble, for all lines or for the one of ``from_number``."""
        try:
            line = check_line(request.query_params.get("from_number", ""))
        except ValueError:
            line = ""
        form = trouble_form(self._settings, line)
        page = render(
            "trouble.html",
            trouble=self._trouble(),
            faults=FAULT_WORDS,
            magic=MAGIC_WORDS,
            line=form["line"],
            form=form,
            settings=self._settings,
        )
        return HTMLResponse(page)

    async def stream_events(self, _request: Request) -> ASGIApp:
        """Tell a page of changes until it leaves."""
        return self._feed.stream(lambda: Look(self._settings, self._store).next_change_in_s())

    # --- orders

    async def order_fault(self, request: Request) -> Response:
        """Order a fault: the fields of :class:`~airflow_provider_p2psms.sandbox.faults.Order` as JSON."""

        def add(given: object) -> Response:
            self._orders.add(read_order(given))
            return self._state()

        return await self._obey(request, add)

    async def clear_faults(self, _request: Request) -> Response:
        """Forget the faults ordered."""
        self._orders.clear()
        self._feed.announce()
        return self._state()

    async def show_habits(self, request: Request) -> Response:
        """Show all habits of the reports; with ``from_number``, those that hold for that line."""
        try:
            return self._habits(check_line(request.query_params.get("from_number", "")))
        except ValueError as err:
            return JSONResponse({"error": str(err)}, 422)

    async def turn_habits(self, request: Request) -> Response:
        """
        Turn the habits given as JSON; with POST the others stay, with PUT they are off.

        With ``from_number`` they are those of one line.
        """
        keep_others = request.method == "POST"

        def turn(given: object) -> Response:
            return self._habits(turn_habits(self._settings, given, keep_others=keep_others))

        return await self._obey(request, turn)

    async def show_state(self, _request: Request) -> Response:
        """Show the counts and the faults ordered."""
        return self._state()

    async def show_trouble(self, _request: Request) -> Response:
        """Show all trouble that is on."""
        return self._all_trouble()

    async def turn_trouble(self, request: Request) -> Response:
        """Set latency, credit and the block of the account as JSON; with ``from_number``, of one line."""

        def turn(given: object) -> Response:
            turn_trouble(self._settings, given)
            return self._all_trouble()

        return await self._obey(request, turn)

    async def clear_trouble(self, _request: Request) -> Response:
        """Turn all trouble off: faults, habits, latency, the block, and all of single lines."""
        clear_trouble(self._settings, self._orders)
        self._feed.announce()
        return self._all_trouble()

    async def delete_all(self, _request: Request) -> Response:
        """Delete all messages and requests; faults and habits stay, and ids go on."""
        self._store.delete_all()
        self._feed.announce()
        return self._state()

    async def cancel(self, request: Request) -> Response:
        """Cancel a scheduled message, as the gateway's own path does."""
        outbox_id = request.path_params["outbox_id"]
        now = self._settings.clock()
        number = int(outbox_id) if outbox_id.isascii() and outbox_id.isdigit() else -1
        with self._store.transaction():
            is_cancelled = 0 <= number <= MAX_ID and self._store.cancel(
                number, now=now, send_at_least=now + MIN_AHEAD_S
            )
        if not is_cancelled:
            sentence = (
                "The gateway cancels a scheduled message until 5 minutes before it is sent; this is none."
            )
            return JSONResponse({"error": sentence}, 409)
        self._feed.announce()
        return JSONResponse({"cancelled": number})

    async def _obey(self, request: Request, act: Callable[[object], Response]) -> Response:
        try:
            # A NaN is read, so that the refusal names its field.
            answer = act(parse_json(await Body(request, limit=_MAX_ORDER_BYTES).read(), parse_constant=float))
        except ClientDisconnect:
            return Response()
        except BodyTooLargeError:
            return JSONResponse({"error": f"an order has at most {_MAX_ORDER_BYTES:,} bytes"}, 413)
        except (ValueError, RecursionError) as err:
            return JSONResponse({"error": str(err)}, 422)
        self._feed.announce()
        return answer

    def _all_trouble(self) -> Response:
        return JSONResponse(show_trouble(self._settings, self._orders))

    def _habits(self, from_number: str) -> Response:
        return JSONResponse(self._settings.habits_of(from_number).habits())

    def _state(self) -> Response:
        return JSONResponse({**self._store.counts(), "faults": self._orders.waiting()})


def _file_name(number: int, suffix: str) -> str:
    return f"request-{number}{suffix}"
