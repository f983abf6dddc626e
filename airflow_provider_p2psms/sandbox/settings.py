"""What a sandbox can be told: its address, its limits, its pace. It leaves faults to ``faults.py``."""

import ipaddress
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from airflow_provider_p2psms.identity import canonical_line
from airflow_provider_p2psms.sandbox.by_line import ByLine, Credit, check_line
from airflow_provider_p2psms.sandbox.habits import HABITS, MOST, Habits

MAX_PORT = 65_535
# What can be turned and is no habit.
ACCOUNT = ("latency_s", "send_block", "credit")
_NOT_NEGATIVE = (
    "duplicate_window_s",
    "queue_s",
    "delivery_s",
    "latency_s",
    "credit",
    "receive_timeout_s",
    "keep",
)


@dataclass(kw_only=True, eq=False)
class Settings(Habits):
    """
    The options of a sandbox, habits of its reports included.

    All but the address and the database can be changed while it runs.

    ``database`` is a file that outlives the sandbox; without one all is held in memory until it stops.
    ``duplicate_window_s=0`` turns the 40-second rule off. ``past_send_time`` is what becomes of a
    ``send_time`` that has gone by: sent at once, so that the documents' own examples work, or refused.
    ``queue_s`` is the time from the moment of sending to *sent*, ``delivery_s`` from there to *delivered*.
    ``lines`` are the account's lines: a send from another line is refused, unless ``any_line`` is true, as
    where the gateway lets an account use shared lines. ``log`` gets a line of text for each request.
    ``latency_s`` is waited before every answer. ``credit`` is in rial. Both, and habits, are those of all
    lines; :meth:`turn` sets those of one line. Of the messages the newest ``keep`` are kept, with 0 all.
    ``clock`` gives the time in Unix seconds.

    ``token`` is ``sandbox-token`` by default; a random one if other machines can reach ``host``.
    ``allow_hosts`` are further names in the ``Host`` header that the page and the control paths answer to.
    A larger body than ``max_json_bytes``, in a multipart request than ``max_upload_bytes``, is refused
    (HTTP 413). A connection is cut if a request has not arrived whole within ``receive_timeout_s``.
    """

    host: str = "127.0.0.1"
    port: int = 0
    database: Path | str | None = None
    token: str = field(default="", repr=False)
    allow_hosts: tuple[str, ...] = ()
    max_json_bytes: int = 16 * 1024 * 1024
    max_upload_bytes: int = 64 * 1024 * 1024
    receive_timeout_s: float = 30.0
    max_recipients: int = 1_000
    max_rows: int = 10_000
    duplicate_window_s: float = 40.0
    past_send_time: Literal["send_now", "refuse"] = "send_now"
    queue_s: float = 1.0
    delivery_s: float = 2.0
    latency_s: float = 0.0
    credit: float = 1_000_000_000.0
    keep: int = 0
    send_block: bool = False
    lines: tuple[str, ...] = ("+983000505", "+981234567890", "+981234567891")
    any_line: bool = False
    log: Callable[[str], None] | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.time
    _by_line: ByLine = field(default_factory=ByLine, init=False, repr=False)
    _hooks: list[Callable[[str], object]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.port <= MAX_PORT:
            raise ValueError(f"port is from 0 to {MAX_PORT}, not {self.port}")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is 0 or more, not {getattr(self, name)}")
        self.token = self.token or (secrets.token_urlsafe(16) if not self.is_local else "sandbox-token")

    def turn(self, given: object, *, keep_others: bool = True, from_number: str = "") -> None:
        """
        Set the habits that are given, and ``latency_s``, ``credit`` (rial) and ``send_block``.

        :param given: values by name, as JSON gives them. For one line, None takes its own value off.
        :param keep_others: False turns the other habits off; of one line, those of its own.
        :param from_number: the line that they are for, which outranks what holds for all; empty for all.
        :raises ValueError: a name is unknown, cannot be turned for one line, or a value is bad; nothing was
            changed.
        """
        if not isinstance(given, dict):
            raise ValueError("habits are an object of names and values")  # noqa: TRY004 - as of a bad value
        account = {name: value for name, value in given.items() if name in ACCOUNT}
        habits = {name: value for name, value in given.items() if name not in ACCOUNT}
        if check_line(from_number):
            _check_account_of_line(account)
            self.with_own(habits)
            self._by_line.set(from_number, {**account, **habits}, others_off=() if keep_others else HABITS)
            return
        _check_account(account)
        super().turn(habits, keep_others=keep_others)
        for name, value in account.items():
            setattr(self, name, value)

    def turned_by_line(self) -> dict[str, dict[str, Any]]:
        """Return what each line has of its own, by the name of the line."""
        return self._by_line.show()

    def clear_lines(self) -> None:
        """Take off all that single lines have of their own."""
        self._by_line.clear()

    def habits_of(self, from_number: str) -> Habits:
        """Return the habits that hold for a line; for an empty text, for all lines."""
        return self.habits_by_line().get(canonical_line(from_number), self)

    def habits_by_line(self) -> dict[str, Habits]:
        """Return the habits of each line that has some of its own, by its canonical form."""
        own = {
            line: {name: value for name, value in values.items() if name in HABITS}
            for line, values in self._by_line.all().items()
        }
        return {line: self.with_own(habits) for line, habits in own.items() if habits}

    def latency_of(self, from_number: str) -> float:
        """Return the latency of a send from this line, in seconds."""
        return float(self._by_line.of(from_number).get("latency_s", self.latency_s))

    def credit_of(self, from_number: str) -> Credit:
        """Return the credit that pays for a line: its own, or the account's."""
        own = self._by_line.of(from_number).get("credit")
        return self.account_credit if own is None else Credit(own, line=canonical_line(from_number))

    @property
    def account_credit(self) -> Credit:
        """The credit of all lines that have none of their own."""
        lines = [line for line, values in self._by_line.all().items() if "credit" in values]
        return Credit(self.credit, other_lines=frozenset(lines))

    def on_request(self, hook: Callable[[str], object]) -> None:
        """
        Call ``hook`` with the path (``/api/send``) of each request, before anything of it is taken.

        It runs in the sandbox's thread, which answers nothing until it returns. If it fails, the request is
        answered with HTTP 500 and leaves nothing.
        """
        self._hooks.append(hook)

    def call_hooks(self, path: str) -> None:
        """Call every hook, in the order in which they came."""
        for hook in self._hooks:
            hook(path)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _check_account(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "send_block" and not isinstance(value, bool):
            raise ValueError(f"send_block is true or false, not {value!r}")
        if name != "send_block" and not (is_number and 0 <= value <= MOST):
            raise ValueError(f"{name} is a number from 0 to {MOST:,}, not {value!r}")


def _check_account_of_line(values: Mapping[str, Any]) -> None:
    if "send_block" in values:
        raise ValueError(
            "send_block blocks the account, not one line. For one line, order the fault refuse_403"
        )
    _check_account({name: value for name, value in values.items() if value is not None})
