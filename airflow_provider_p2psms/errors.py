"""
Every way a send can end badly, sorted by one question: *may the message have been sent?*

::

    P2PSMSError
    ├── InvalidMessageError (also ValueError)   no: stopped here, before any request
    ├── UnreachableError                        no: no connection; safe to try again
    ├── GatewayRefusedError                     no: the gateway answered, and took nothing
    │   └── AuthenticationError                 no: it does not know the token
    ├── OutcomeUnknownError                     perhaps: do not send again; only a person can settle it
    ├── UnsettledError                          perhaps: do not send again; a later try asks the reports
    └── LedgerError                             no: the record itself failed; nothing may be sent on top of it
        └── ReplacedError                       no: a newer try of the same send has begun

No text here holds a phone number, a message or a token: a line says what happened, then come facts, then
what can be done, an action a line. What Airflow is to make of each class is decided in the operators alone.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

# Airflow's log view does not wrap lines. In a window 1,300 pixels wide it shows so much of an error's.
LINE_WIDTH = 80


def lay_out(what: str, *facts: str, options: Iterable[str] = ()) -> str:
    """
    Write the text of an error: what happened, then a fact a line, then what can be done about it.

    :param what: what happened, and to how many; the first line.
    :param options: what can be done; each is a line that begins with a dash.
    """
    return "\n".join((what, *facts, *(f"- {option}" for option in options)))


def name_some(names: Sequence[object], *, most: int = 20) -> str:
    """Write the first of many names, and how many more there are: ``1, 2 and 3 more``; ``none`` for none."""
    return (", ".join(map(str, names[:most])) or "none") + and_more(len(names) - most)


def and_more(rest: int) -> str:
    """Write how many are left out, with a space before it; nothing if none are."""
    return f" and {rest:,} more" if rest > 0 else ""


def fold_lines(text: str) -> str:
    """Break the lines that a log view would cut off; what follows is indented."""
    return "\n".join(part for line in text.splitlines() for part in _fold(line))


def _fold(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, LINE_WIDTH, subsequent_indent=indent, break_on_hyphens=False)


class RowProblem(NamedTuple):
    """
    Why one row cannot be sent.

    ``row`` counts the rows handed in from 1 (a header is not a row). ``column`` is the column or key at
    fault. ``value`` is masked: its shape without its content. ``reason`` says what is wrong and what would be
    right.
    ``key`` is the row's own name for its owner (the value of the key column), and never shown.
    ``place`` says where a person finds the row: ``customers.csv, line 7``; "" for rows that are in no file.

    No dataclass: to make one takes five times as long, at every parse of a DAG file.
    """

    row: int
    column: str
    value: str
    reason: str
    key: str = ""
    place: str = ""

    def __repr__(self) -> str:
        return f"RowProblem({self})"

    def __str__(self) -> str:
        shown = f" {self.value}" if self.value else ""
        return f"{self.place or f'row {self.row}'}, {self.column}{shown}: {self.reason}"


class P2PSMSError(Exception):
    """
    The root of all errors of this package.

    ``may_have_been_sent`` answers the question for every subclass. All arguments but the text are keywords
    with defaults, so that each error survives pickling.
    """

    may_have_been_sent: ClassVar[bool] = False

    @property
    def headline(self) -> str:
        """What happened, in one line."""
        return str(self).partition("\n")[0]

    @property
    def summary(self) -> str:
        """What happened and the facts, in one line, without what can be done about it."""
        return " ".join(line for line in str(self).splitlines() if not line.startswith(("- ", "  ")))


class InvalidMessageError(P2PSMSError, ValueError):
    """
    Something handed in cannot be sent as it is; no request was made.

    ``problems`` holds the rows at fault (the first 100), ``count`` how many there are in all.
    """

    def __init__(self, message: str, *, problems: tuple[RowProblem, ...] = (), count: int = 0) -> None:
        super().__init__(message)
        self.problems = problems
        self.count = count


class UnreachableError(P2PSMSError):
    """
    No connection was made (or a mere question went unanswered): nothing was sent, try again at will.

    ``late`` says that a connection was made, but too late for the request to begin.
    """

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


class GatewayRefusedError(P2PSMSError):
    """
    The gateway answered that it took nothing.

    ``message_code``, ``gateway_message`` and ``field_errors`` are the gateway's own words (``None`` and empty
    where its answer had none), without numbers and texts that it quoted. ``retry_after_s`` is its
    ``Retry-After`` in seconds, if it sent one.
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int = 0,
        message_code: str | None = None,
        gateway_message: str | None = None,
        field_errors: Mapping[str, tuple[str, ...]] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.message_code = message_code
        self.gateway_message = gateway_message
        self.field_errors = dict(field_errors or {})
        self.retry_after_s = retry_after_s


class AuthenticationError(GatewayRefusedError):
    """The gateway does not accept the token (HTTP 401)."""


class OutcomeUnknownError(P2PSMSError):
    """
    A request left this machine and no answer to trust came back: the messages may have been taken.

    Do not send again; reconcile. ``http_status`` is ``None`` where no status line came. ``outbox_ids`` holds
    the positive ids of an answer that cannot be read as a receipt. ``said_taken`` is true if the answer says
    that the gateway took the request.
    """

    may_have_been_sent = True

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        outbox_ids: tuple[int, ...] = (),
        said_taken: bool = False,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.outbox_ids = outbox_ids
        self.said_taken = said_taken


class UnsettledError(P2PSMSError):
    """
    The gateway's reports have not shown yet whether some messages were taken.

    A later try asks again and sends nothing before it knows.
    """

    may_have_been_sent = True


class LedgerError(P2PSMSError):
    """The record of what was sent cannot be read or written; nothing may be sent on top of it."""


class ReplacedError(LedgerError):
    """A newer try of the same send has begun; what became of the messages is for that one to say."""
