"""
The ways in which an answer can be lost or wrong, to order by name.

================================  ==========  ===========================================================
name                              taken       what the client sees
================================  ==========  ===========================================================
``refuse_400`` ``_401`` ``_403``  nothing     that HTTP status with the gateway's envelope
``_404`` ``_409`` ``_413``
``_422`` ``_429``
``500_before``, ``500_after``     no / all    HTTP 500 with the gateway's envelope
``502_html_before``, ``502_html`` no / all    HTTP 502 with the HTML of a proxy on the way
``garbage``                       all         HTTP 200 that is no JSON
``not_utf8``                      all         HTTP 200, JSON in Windows-1256
``truncated``                     all         HTTP 200 whose body ends before its Content-Length
``cut_before_answer``             all         the connection ends without a byte
``cut_before_taken``              nothing     the connection ends without a byte
``silence``                       all         no byte, until the client leaves
``slow``                          all         the right answer, ``delay_s`` late
``status_false``                  nothing     HTTP 200 with ``meta.status: false``
``no_ids``                        all         HTTP 200 without ``message_outbox_ids``
``too_few_ids, too_many_ids``     all         HTTP 200 with one id less, one more
``one_id``                        all         HTTP 200 with one id for the whole request or file
``id_per_recipient``              all         HTTP 200 with an id for each recipient, not for each group
``zero_ids``, ``negative_ids``    all         HTTP 200 whose ids are 0, are less than 0
``huge_ids``                      all         HTTP 200 whose ids are 2**63 and more
``202_with_ids``                  all         the right answer as HTTP 202
``500_with_ids``                  all         the right answer as HTTP 500
``busy_with_ids``                 all         HTTP 503 with ``Retry-After: 1``, ``status: false``, and the ids
``too_large``                     all         HTTP 200 with a body of 64 MB
``redirect``, ``redirect_after``  no / all    HTTP 302 to ``/sandbox/elsewhere``, which notes who follows
``404_html``, ``408_after``       all         that HTTP status with the HTML of a proxy
``499_after``
``busy``                          nothing     HTTP 503 with the gateway's envelope and ``Retry-After: 1``
``busy_html``                     all         HTTP 503 with the HTML of a proxy and ``Retry-After: 1``
``partial``                       first half  HTTP 500; the half of the groups or rows, rounded down
``rejected``                      all         the right answer; monitoring rejects the messages (state 3)
``no_credit``                     all         the right answer; the messages end without credit (state 8)
``undelivered``                   all         the right answer; of the messages, ``share`` is not delivered
================================  ==========  ===========================================================

A fault meets a request as it comes: one that takes nothing does not even look at it. A request that the
contract refuses gets its refusal, also where a fault that takes something was ordered, and has used it up.
With ``one_id`` and ``id_per_recipient`` the reports know the messages under the ids that were answered; with
every other fault, under one id for each group.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.types import ASGIApp

from airflow_provider_p2psms.identity import canonical_line
from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.answering import (
    answer_endlessly,
    cut,
    delayed,
    in_windows_1256,
    redirect,
    render,
    say_nothing,
    truncated,
)
from airflow_provider_p2psms.sandbox.by_line import check_line
from airflow_provider_p2psms.sandbox.envelope import Answer, Refused, bad_credentials, missing, not_found
from airflow_provider_p2psms.sandbox.habits import MOST
from airflow_provider_p2psms.sandbox.statuses import State

SEND_PATH = "/api/send"
_PROXY_PAGE = "<html>\r\n<head><title>Error</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"


class Takes(Enum):
    """How much of a good request is taken under a fault."""

    NOTHING = 0
    HALF = 1
    ALL = 2
    ALL_UNDER_ONE_ID = 3
    ALL_UNDER_AN_ID_EACH = 4


@dataclass(slots=True)
class Order:
    """
    A fault that waits for requests.

    ``path`` is the end of the paths it is for, ``/`` all paths; ``from_number`` the line whose sends it is
    for, empty for all. ``after`` requests pass first, then ``times`` are hit (``None``: all of them).
    ``delay_s`` serves ``slow`` alone, ``share`` (0 to 1) ``undelivered`` alone.
    """

    fault: str
    times: int | None = 1
    after: int = 0
    path: str = SEND_PATH
    delay_s: float = 5.0
    from_number: str = ""
    share: float = 1.0

    def __post_init__(self) -> None:
        known = {**FAULTS, **MESSAGE_FAULTS}
        if not isinstance(self.fault, str) or self.fault not in known:
            raise ValueError(f"fault is one of {', '.join(known)}, not {self.fault!r}")
        if self.times is not None:
            _check_whole("times", self.times, least=1, hint=" (or null for all requests)")
        _check_whole("after", self.after, least=0)
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            raise ValueError(f"path is a text that begins with a slash, not {self.path!r}")
        if not _is_number(self.delay_s) or not 0 <= self.delay_s <= MOST:
            raise ValueError(f"delay_s is a number of seconds from 0 to {MOST:,}, not {self.delay_s!r}")
        if not _is_number(self.share) or not 0 <= self.share <= 1:
            raise ValueError(f"share is a number from 0 to 1, not {self.share!r}")
        check_line(self.from_number)

    @property
    def meant(self) -> "Fault":
        """The fault that is named."""
        return FAULTS.get(self.fault) or MESSAGE_FAULTS[self.fault]

    def is_for(self, path: str, line: str) -> bool:
        """Whether it is for requests on this path, and for sends from this line (in canonical form)."""
        is_for_line = not self.from_number or canonical_line(self.from_number) == line
        return is_for_line and (self.path == "/" or path.endswith(self.path))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_whole(name: str, value: object, *, least: int, hint: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
        raise ValueError(f"{name} is a whole number from {least} to {MOST:,}{hint}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What a fault takes, the HTTP status that leaves (``None``: no answer does), how the answer is made.

    ``state`` is how messages end that would have been sent, ``None`` as ever.
    """

    takes: Takes
    status: int | None
    respond: Callable[[Answer, Order], ASGIApp]
    state: State | None = None


def _with_ids(change: Callable[[list[int]], list[int] | None]) -> Callable[[Answer, Order], ASGIApp]:
    def respond(answer: Answer, _order: Order) -> ASGIApp:
        data = dict(answer.body["data"] or {})
        ids = change(data.pop("message_outbox_ids", []))
        if ids is not None:
            data["message_outbox_ids"] = ids
        return JSONResponse({**answer.body, "data": data})

    return respond


def _rendered(answer: Answer, _order: Order) -> ASGIApp:
    return render(answer)


def _as_status(status: int) -> Callable[[Answer, Order], ASGIApp]:
    return lambda answer, _order: JSONResponse(answer.body, status_code=status)


def _busy_with_ids(answer: Answer, _order: Order) -> ASGIApp:
    body = {"data": answer.body["data"], "meta": _BUSY_ANSWER.body["meta"]}
    return JSONResponse(body, 503, _RETRY_AFTER)


def _from_proxy(status: int, *, takes: Takes = Takes.ALL) -> "Fault":
    return Fault(takes, status, _always(HTMLResponse(_PROXY_PAGE, status_code=status)))


def _always(app: ASGIApp) -> Callable[[Answer, Order], ASGIApp]:
    return lambda _answer, _order: app


def _refusing(refused: Refused, *, takes: Takes = Takes.NOTHING) -> Fault:
    return Fault(takes, refused.answer.status, _always(render(refused.answer)))


_SERVER_ERROR = Refused(500, "500-1", phrases.SERVER_ERROR)
_RETRY_AFTER = {"Retry-After": "1"}
_BUSY_ANSWER = Refused(503, "503-1", phrases.SERVER_ERROR).answer
_BUSY = JSONResponse(_BUSY_ANSWER.body, 503, _RETRY_AFTER)
_STATUS_FALSE = Refused(200, "400-31", phrases.REFUSED)

FAULTS = {
    "refuse_400": _refusing(Refused(400, "400-31", phrases.REFUSED)),
    "refuse_401": _refusing(bad_credentials()),
    "refuse_403": _refusing(Refused(403, "403-1", phrases.BLOCKED)),
    "refuse_404": _refusing(not_found(phrases.NO_SUCH_PAGE)),
    "refuse_409": _refusing(Refused(409, "409-1", phrases.REFUSED)),
    "refuse_413": _refusing(Refused(413, "413-1", phrases.REFUSED)),
    "refuse_422": _refusing(missing("message")),
    "refuse_429": _refusing(Refused(429, "429-1", phrases.REPEATED)),
    "500_before": _refusing(_SERVER_ERROR),
    "500_after": _refusing(_SERVER_ERROR, takes=Takes.ALL),
    "502_html": _from_proxy(502),
    "502_html_before": _from_proxy(502, takes=Takes.NOTHING),
    "garbage": Fault(Takes.ALL, 200, _always(PlainTextResponse("Thank you for your message!"))),
    "not_utf8": Fault(Takes.ALL, 200, lambda answer, _order: in_windows_1256(answer)),
    "truncated": Fault(Takes.ALL, 200, lambda answer, _order: truncated(answer)),
    "cut_before_answer": Fault(Takes.ALL, None, _always(cut)),
    "cut_before_taken": Fault(Takes.NOTHING, None, _always(cut)),
    "silence": Fault(Takes.ALL, None, _always(say_nothing)),
    "slow": Fault(Takes.ALL, 200, lambda answer, order: delayed(render(answer), order.delay_s)),
    "status_false": _refusing(_STATUS_FALSE),
    "no_ids": Fault(Takes.ALL, 200, _with_ids(lambda _ids: None)),
    "too_few_ids": Fault(Takes.ALL, 200, _with_ids(lambda ids: ids[:-1])),
    "too_many_ids": Fault(Takes.ALL, 200, _with_ids(lambda ids: [*ids, (ids[-1] if ids else 0) + 2])),
    "one_id": Fault(Takes.ALL_UNDER_ONE_ID, 200, _rendered),
    "id_per_recipient": Fault(Takes.ALL_UNDER_AN_ID_EACH, 200, _rendered),
    "zero_ids": Fault(Takes.ALL, 200, _with_ids(lambda ids: [0] * len(ids))),
    "negative_ids": Fault(Takes.ALL, 200, _with_ids(lambda ids: [-outbox_id for outbox_id in ids])),
    "huge_ids": Fault(Takes.ALL, 200, _with_ids(lambda ids: [2**63 + place for place in range(len(ids))])),
    "202_with_ids": Fault(Takes.ALL, 202, _as_status(202)),
    "500_with_ids": Fault(Takes.ALL, 500, _as_status(500)),
    "busy_with_ids": Fault(Takes.ALL, 503, _busy_with_ids),
    "too_large": Fault(Takes.ALL, 200, _always(answer_endlessly)),
    "redirect": Fault(Takes.NOTHING, 302, _always(redirect)),
    "redirect_after": Fault(Takes.ALL, 302, _always(redirect)),
    "404_html": _from_proxy(404),
    "408_after": _from_proxy(408),
    "499_after": _from_proxy(499),
    "busy": Fault(Takes.NOTHING, 503, _always(_BUSY)),
    "busy_html": Fault(Takes.ALL, 503, _always(HTMLResponse(_PROXY_PAGE, 503, _RETRY_AFTER))),
    "partial": _refusing(_SERVER_ERROR, takes=Takes.HALF),
}
# These change what becomes of the messages, not the answer.
MESSAGE_FAULTS = {
    "rejected": Fault(Takes.ALL, 200, _rendered, state=State.REJECTED),
    "no_credit": Fault(Takes.ALL, 200, _rendered, state=State.NO_CREDIT),
    "undelivered": Fault(Takes.ALL, 200, _rendered),
}
