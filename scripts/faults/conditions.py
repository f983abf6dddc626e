"""What every contender is put through alike: the faults, the messages, the time it may wait for an answer."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from unittest import mock

from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.answering import client_left
from airflow_provider_p2psms.sandbox.envelope import Answer
from airflow_provider_p2psms.sandbox.faults import FAULTS, Order, Takes
from airflow_provider_p2psms.sandbox.faults import Fault as SandboxFault

# Both are for every contender, so that no figure depends on a library's own default.
TIMEOUT_S = 1.0
LATE_S = 2 * TIMEOUT_S
# The reports of the gateway are behind its sends, as reports are.
REPORT_LAG_S = 0.5

MESSAGES = (
    ("+989120000001", "Your order 1 has shipped"),
    ("+989120000002", "Your order 2 has shipped"),
)

# The same task sends these in a request of their own, which meets no fault.
BESIDE = (
    ("+989120000003", "Your order 3 has shipped"),
    ("+989120000004", "Your order 4 has shipped"),
)
OWN_NUMBER = "+989120000009"

# SO_LINGER on, with no time: the kernel answers the peer with RST and not with FIN.
LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """
    One row of the table; it meets the first request of a contender and no other.

    ``arranged`` brings it about around the send where the sandbox cannot: it has no say before a connection.
    """

    name: str
    words: str
    arranged: Callable[[], AbstractContextManager[None]] | None = None

    def meet(self, sandbox: Sandbox, *, after: int = 0) -> AbstractContextManager[None]:
        """Let the request after so many meet the fault."""
        if self.arranged:
            return self.arranged()
        sandbox.order_fault(self.name, delay_s=LATE_S, after=after)
        return nullcontext()


@contextmanager
def refused_once() -> Iterator[None]:
    """Lead the first connection of this process to a port on which nobody listens: the refusal is real."""
    connect = socket.socket.connect

    def astray(self: socket.socket, _address: object) -> None:
        socket.socket.connect = connect  # type: ignore[method-assign]
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            connect(self, closed.getsockname())

    with mock.patch.object(socket.socket, "connect", astray):
        yield


def _reset(_answer: Answer, _order: Order) -> ASGIApp:
    async def reset(scope: Scope, receive: Receive, _send: Send) -> None:
        transport = scope["state"]["transport"]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        transport.abort()
        await client_left(receive)

    return reset


# The sandbox cuts connections with FIN; the rarer RST is added to its table here.
FAULTS.setdefault("reset", SandboxFault(Takes.ALL, None, _reset))

FAULT_ROWS = (
    # The control: a contender that fails here fails for reasons of its own, and its column says nothing.
    Fault("none", "no fault", nullcontext),
    Fault("refused", "connection refused once", refused_once),
    Fault("cut_before_taken", "cut before the gateway took it"),
    Fault("500_before", "HTTP 500, nothing taken"),
    Fault("502_html_before", "HTTP 502 in HTML, nothing taken"),
    Fault("refuse_429", "HTTP 429, nothing taken"),
    Fault("status_false", "HTTP 200 that says no (`status: false`)"),
    Fault("cut_before_answer", "taken, answer cut"),
    Fault("reset", "taken, connection reset"),
    Fault("truncated", "taken, answer truncated"),
    Fault("silence", "taken, no answer (read timeout)"),
    Fault("slow", "taken, answer after the timeout"),
    Fault("500_after", "taken, HTTP 500"),
    Fault("502_html", "taken, HTTP 502 in HTML"),
    Fault("garbage", "taken, answer is no JSON"),
    Fault("not_utf8", "taken, answer is not UTF-8"),
    Fault("no_ids", "taken, answer without ids"),
    Fault("too_few_ids", "taken, an id is missing"),
    Fault("partial", "one of two messages taken, HTTP 500"),
)
