"""Runs `p2psms verify` against a sandbox with habits, and keeps what it printed."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_p2psms.cli import main
from airflow_provider_p2psms.gateway.connection import parse_connection
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.verify_cli import verify_account
from airflow_provider_p2psms.verifying.asking import Times
from airflow_provider_p2psms.verifying.run import Order

OWN_NUMBER = "09121234567"
ORDER = ("short", "short again", "groups", "file", "file again", "scheduled")


@dataclass
class Done:
    """What a run came to."""

    code: int
    report: dict[str, Any]
    told: str
    sandbox: Sandbox

    def __getitem__(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.report["findings"][key]
        return found

    @property
    def scheduled(self) -> set[int]:
        """The ids of messages that were scheduled and are not cancelled."""
        query = "SELECT id FROM outbox WHERE send_time IS NOT NULL AND cancelled_at IS NULL"
        return {row["id"] for row in self.sandbox._store.all(query)}


StartSandbox = Callable[..., Sandbox]
Verify = Callable[..., Done]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartSandbox]:
    """Start a sandbox with these habits; the shell's connection leads to it."""
    with ExitStack() as stack:

        def start(**habits: Any) -> Sandbox:
            sandbox = stack.enter_context(Sandbox(**{"queue_s": 0.0, "delivery_s": 0.0} | habits))
            monkeypatch.setenv("AIRFLOW_CONN_P2PSMS_DEFAULT", sandbox.connection_uri)
            return sandbox

        yield start


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run the command with `--yes` and read its JSON; nothing that it prints is private."""

    def run(sandbox: Sandbox, *arguments: str, wait: str = "0.3") -> Done:
        capsys.readouterr()
        code = main(["verify", "--to", OWN_NUMBER, "--yes", "--wait", wait, "--json", "-", *arguments])
        printed = capsys.readouterr()
        for private in (OWN_NUMBER[1:], sandbox.token):
            assert private not in printed.out + printed.err
        return Done(code, json.loads(printed.out), printed.err, sandbox)

    return run


@pytest.fixture
def verify_fast(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Do as `verify`, with the times of the run handed in."""

    def run(sandbox: Sandbox, **times: Any) -> Done:
        order = Order(
            settings=parse_connection(sandbox.connection_uri),
            line="+983000505",
            recipient="+989121234567",
            tag="BCDFG",
            times=Times(**{"wait_s": 0.3, "pause_s": 0.1, "busy_pause_s": 0.0, "questions": 1_000} | times),
        )
        target = io.StringIO()
        code = verify_account(order, is_agreed=True, target=target)
        return Done(code, json.loads(target.getvalue()), capsys.readouterr().err, sandbox)

    return run


def order_fault(sandbox: Sandbox, fault: str, *, at: str, times: int | None = 1) -> None:
    """Let a fault hit the send that is named."""
    sandbox.order_fault(fault, after=ORDER.index(at), times=times)
