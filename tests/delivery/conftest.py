"""A sandbox with a clock of the test's own, a client of it, and messages that it took."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.sandbox import Sandbox

LINE = "+983000505"


@dataclass
class Clock:
    """Stands still until it is told otherwise."""

    now: float = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[GatewayClient]:
    settings = GatewaySettings(base_url=sandbox.base_url, token=sandbox.token, connect_timeout_s=2)
    with GatewayClient(settings) as client:
        yield client


@pytest.fixture
def send(client: GatewayClient) -> Callable[..., list[int]]:
    """Send texts, each to numbers of its own; give the outbox ids."""

    def send(
        *texts: str,
        to: tuple[str, ...] = ("+989120000000",),
        line: str = LINE,
        send_time: str | None = None,
    ) -> list[int]:
        groups = [Group(list(to), text) for text in texts]
        return list(client.send_peer_to_peer(groups, from_number=line, send_time=send_time).outbox_ids)

    return send


@pytest.fixture
def send_many(client: GatewayClient) -> Callable[..., list[int]]:
    """Send so many texts by files of 10,000, one recipient each; give the outbox ids."""

    def send(count: int, *, text: str = "hello", line: str = LINE) -> list[int]:
        rows = [(f"+98912{number:07}", f"{text} {number}") for number in range(count)]
        return list(client.send_peer_to_peer_file(rows, from_number=line).outbox_ids)

    return send


@pytest.fixture
def asked(sandbox: Sandbox) -> Callable[[], int]:
    """Count the questions to the reports since the last time it was asked."""
    seen = 0

    def asked() -> int:
        nonlocal seen
        questions = [request for request in sandbox.requests if "/report/" in request.path]
        new, seen = len(questions) - seen, len(questions)
        return new

    return asked
