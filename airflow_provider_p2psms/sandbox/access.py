"""
Who may ask what: keeps out pages of other sites in the developer's browser, and machines without the token.

- **By name** (DNS rebinding): the page and the control paths answer only to a ``Host`` that is this machine,
  the address the sandbox listens on, or one of ``allow_hosts``. The gateway's paths also answer to other
  addresses and to names without a dot, such as that of a container: no web site can have those.
- **By origin** (CSRF): a browser's request from another origin is refused, but for a link to the page.
- **By token**: an order needs the header ``Authorization: TOKEN``, or the cookie that the page got. Beyond
  loopback, reading needs it too. The page gets its cookie there from ``/?token=TOKEN``.
"""

import hmac
import ipaddress
import re
import secrets
import shlex
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_p2psms.program import program
from airflow_provider_p2psms.sandbox.envelope import Refused
from airflow_provider_p2psms.sandbox.settings import Settings

ELSEWHERE = "/sandbox/elsewhere"
STATIC = "/static/"
PAGES = ("/", "/requests", "/trouble")
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_READING = ("GET", "HEAD")
_FOREIGN = "A page of another site asked for this. Only the sandbox's own page may."
_TOKEN_NEEDED = "Send the header 'Authorization: TOKEN', with the token printed at start."  # noqa: S105 - a text
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@\s]+))(?::(?P<port>[0-9]*))?")
_LOGIN_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>SMS sandbox</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/outbox.css">
<main><h1>SMS sandbox</h1>
<p>Other machines can reach this sandbox, so its page needs the token that was printed when it started.</p>
<form method="get" action="/"><label>Token <input type="password" name="token" required autofocus></label>
<button>Open</button></form></main></html>
"""


class Gate:
    """Lets a request pass or refuses it, and gives the answers of page and control their security headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it before its body is read."""
        request = Request(scope)
        if is_gateway_path(scope["path"]):
            await (self._refuse_call(request) or self._app)(scope, receive, send)
            return
        follow_up = _without_token(request) if self._is_token_in_link(request) else self._app
        app = self._refuse(request) or follow_up
        cookie = self._cookie(request) if app is follow_up and scope["path"] in PAGES else None

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY_HEADERS)
                if cookie:
                    headers.append("Set-Cookie", cookie)
            await send(message)

        await app(scope, receive, send_secured)

    def _refuse_call(self, request: Request) -> Response | None:
        host = _host_of(request)
        named = "." in host and not _is_address(host)
        if self._settings.is_local and named and not self._is_ours(host):
            refused = Refused(421, "421-1", _unknown_host(host))
        elif _is_foreign(request):
            refused = Refused(403, "403-2", _FOREIGN)
        else:
            return None
        return JSONResponse(refused.answer.body, refused.answer.status)

    def _refuse(self, request: Request) -> Response | None:
        if not self._is_ours(host := _host_of(request)):
            return _refusal(421, _unknown_host(host))
        if _is_foreign(request) and not _follows_a_link(request):
            return _refusal(403, _FOREIGN)
        path = request.scope["path"]
        if path == ELSEWHERE or path.startswith(STATIC):
            return None
        if request.method in _READING:
            return None if self._may_read(request) else _ask_for_token(request)
        return self._refuse_order(request)

    def _refuse_order(self, request: Request) -> Response | None:
        if not self._has_token(request):
            return _refusal(401, _TOKEN_NEEDED)
        if request.method != "DELETE" and media_type_of(request) != "application/json":
            return _refusal(415, "An order is JSON: send the header 'Content-Type: application/json'.")
        return None

    def _is_ours(self, host: str) -> bool:
        settings = self._settings
        known = {settings.host.lower(), *map(_name_in, settings.allow_hosts)}
        if host in known or host == "localhost" or host.endswith(".localhost"):
            return True
        # An address cannot be rebound; whether it is this machine's matters where only loopback is open.
        return _is_address(host) and (not settings.is_local or ipaddress.ip_address(host).is_loopback)

    def _may_read(self, request: Request) -> bool:
        return self._settings.is_local or self._has_token(request) or self._is_token_in_link(request)

    def _has_token(self, request: Request) -> bool:
        given = request.cookies.get(_cookie_name(request), "")
        return has_token(request, self._settings) or _same(given, self._session)

    def _is_token_in_link(self, request: Request) -> bool:
        return request.scope["path"] == "/" and _same(
            request.query_params.get("token", ""), self._settings.token
        )

    def _cookie(self, request: Request) -> str:
        return f"{_cookie_name(request)}={self._session}; Path=/; HttpOnly; SameSite=Strict"


def is_gateway_path(path: str) -> bool:
    """Whether a path is one of the gateway's, known or not."""
    return path.startswith(("/v1/", "/api/"))


def has_token(request: Request, settings: Settings) -> bool:
    """Whether a request has the token in its header ``Authorization``."""
    return _same(request.headers.get("authorization", ""), settings.token)


def media_type_of(request: Request) -> str:
    """Return the content type without its parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _without_token(request: Request) -> Response:
    # The address of the page must not show the token.
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    return RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", status_code=303)


def _unknown_host(host: str) -> str:
    allow = f"{program()} sandbox --allow-host {shlex.quote(host)}"
    return f"This sandbox does not answer to the Host {host!r}. To allow it: {allow}"


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)


def _ask_for_token(request: Request) -> Response:
    if request.scope["path"] in PAGES:
        return HTMLResponse(_LOGIN_PAGE, 401)
    return _refusal(401, _TOKEN_NEEDED)


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _host_of(request: Request) -> str:
    return _name_in(request.headers.get("host", ""))


def _name_in(authority: str) -> str:
    found = _HOST.fullmatch(authority)
    return (found["ipv6"] or found["name"]).lower().removesuffix(".") if found else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_foreign(request: Request) -> bool:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        return True
    return request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _follows_a_link(request: Request) -> bool:
    headers = request.headers
    return (
        request.method in _READING
        and "origin" not in headers
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _cookie_name(request: Request) -> str:
    # Browsers do not tell cookies of different ports apart: two sandboxes must not take each other's.
    found = _HOST.fullmatch(request.headers.get("host", ""))
    return f"p2psms_sandbox_{(found and found['port']) or 80}"
