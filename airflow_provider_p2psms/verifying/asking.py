"""
Questions to the report pages, with their answers as they came.

``gateway/response.py`` reads a page for what a send needs; this module keeps all of it, since it looks for
oddities. A question changes nothing at the gateway and may be asked again; sends and cancels go through
``GatewayClient``.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from airflow_provider_p2psms.gateway.envelope import parse_envelope
from airflow_provider_p2psms.gateway.settings import GatewaySettings

_MOST_BYTES = 8 * 2**20
_FOR_GOOD = frozenset({400, 404, 405, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """
    Times of a run, in seconds.

    ``wait_s``: how long the reports are asked for a message that they do not show. ``pause_s``: the first
    pause between two looks, which doubles up to ``longest_pause_s``. ``busy_pause_s``: the pause after a
    question that got no answer; it is asked ``question_tries`` times. At most ``questions`` are asked in any
    ``per_s``. A cancel is tried ``cancel_tries`` times, with a first pause of ``cancel_pause_s``.
    """

    wait_s: float = 120.0
    pause_s: float = 1.0
    longest_pause_s: float = 10.0
    busy_pause_s: float = 10.0
    question_tries: int = 3
    questions: int = 30
    per_s: float = 60.0
    cancel_tries: int = 6
    cancel_pause_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """
    The answer to a question. ``status`` is 0 where none came.

    ``date`` is the ``Date`` header and ``at`` our own clock at the middle of the exchange, in Unix seconds.
    """

    status: int
    data: Any = field(default=None, repr=False)
    meta: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_envelope: bool = False
    date: float | None = None
    at: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether it is an answer and does not say that it failed."""
        return 200 <= self.status < 300 and self.is_envelope and self.meta.get("status") is not False

    @property
    def problem(self) -> str:
        """Why it is no answer, in a few words."""
        if self.status == 0:
            return "no answer"
        if not 200 <= self.status < 300:
            return f"HTTP {self.status}"
        return "status: false" if self.is_envelope else "no JSON envelope"

    @property
    def record(self) -> dict[str, Any] | None:
        """The one record that it holds."""
        if not self.is_ok:
            return None
        return self.data if isinstance(self.data, dict) else None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of a page, also where they lie in an object."""
        if not self.is_ok:
            return []
        lists = [self.data] if isinstance(self.data, list) else []
        if isinstance(self.data, dict):
            lists = [value for value in self.data.values() if isinstance(value, list)]
        return [each for each in (lists[0] if lists else []) if isinstance(each, dict)]


class Questions:
    """
    Asks one gateway, at a pace.

    ``problems`` counts the questions that got no answer, by the reason; ``offsets`` are the differences
    between the ``Date`` header and our clock.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        times: Times,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._times = times
        self._sleep = sleep
        self._session = requests.Session()
        self._session.auth = _BareToken(settings.token)
        self._session.headers["Accept"] = "application/json"
        self._session.trust_env = not settings.is_loopback
        self._asked: deque[float] = deque()
        self.count = 0
        self.problems: Counter[str] = Counter()
        self.offsets: list[float] = []

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def by_id(self, outbox_id: int) -> Reply:
        """Ask once for the record of one outbox id."""
        return self._ask("GET", "/api/report/by_bulk", params={"messages_outbox_id": outbox_id})

    def page(self, filters: Mapping[str, str], *, page: int = 1, limit: int = 100) -> Reply:
        """Ask once for a page of the list."""
        question = {"page": page, "limit": limit, "filters": dict(filters)}
        return self._ask("POST", "/api/report/new_list", data=msgspec.json.encode(question))

    def recipients(self, outbox_id: int, *, page: int = 1, per_page: int = 100) -> Reply:
        """Ask once for a page of the recipients of one outbox id."""
        params = {"bulk_id": outbox_id, "page": page, "per_page": per_page}
        return self._ask("GET", "/api/report/recipients", params=params)

    def insist(self, question: Callable[[], Reply]) -> Reply:
        """Ask until there is an answer or a refusal for good, ``question_tries`` times at most."""
        for attempt in range(1, self._times.question_tries):
            reply = question()
            if reply.is_ok or reply.status in _FOR_GOOD:
                return reply
            self._sleep(self._times.busy_pause_s * attempt)
        return question()

    def _ask(self, method: str, path: str, **content: Any) -> Reply:
        self._keep_pace()
        self.count += 1
        began = time.time()
        reply = self._exchange(method, self._settings.base_url + path, began, content)
        # A record that is not there yet is no problem; a list always is there.
        if not reply.is_ok and (reply.status != 404 or method == "POST"):
            self.problems[reply.problem] += 1
        if reply.date is not None:
            self.offsets.append(reply.date - reply.at)
        return reply

    def _keep_pace(self) -> None:
        times, now = self._times, time.monotonic()
        while self._asked and self._asked[0] <= now - times.per_s:
            self._asked.popleft()
        if len(self._asked) >= times.questions:
            self._sleep(self._asked.popleft() + times.per_s - now)
        self._asked.append(time.monotonic())

    def _exchange(self, method: str, url: str, began: float, content: dict[str, Any]) -> Reply:
        settings = self._settings
        headers = {"Content-Type": "application/json; charset=utf-8"} if "data" in content else {}
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                timeout=(settings.connect_timeout_s, settings.read_timeout_s),
                allow_redirects=False,
                stream=True,
                verify=settings.ca_bundle or True,
                proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
                **content,
            ) as response:
                body = response.raw.read(_MOST_BYTES, decode_content=True)
        except (requests.RequestException, HTTPError, OSError):
            return Reply(0, at=began)
        at = (began + time.time()) / 2
        return _read(response.status_code, body, date=_read_date(response.headers.get("Date")), at=at)


class _BareToken(AuthBase):
    """The token without a scheme. As an *auth* it also keeps a .netrc from replacing it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._token
        return request


def _read(status: int, body: bytes, *, date: float | None, at: float) -> Reply:
    envelope = parse_envelope(body)
    if envelope is None:
        return Reply(status, date=date, at=at)
    return Reply(status, data=envelope.data, meta=envelope.meta, is_envelope=True, date=date, at=at)


def _read_date(header: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
