"""A send without Airflow, against the sandbox."""

import csv
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.ledger import read_history
from airflow_provider_p2psms.ledger.records import Entry
from airflow_provider_p2psms.ledger.stores import MemoryStore, Store
from airflow_provider_p2psms.rows import RowRules, check_rows, read_rows
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.ledgers import LedgerRules
from airflow_provider_p2psms.sending.payloads import PeerToPeer
from airflow_provider_p2psms.sending.plan import PlanRules
from airflow_provider_p2psms.sending.send import Sender, SendResult
from airflow_provider_p2psms.sending.times import Times
from airflow_provider_p2psms.sending.timing import Timing

# Here all clocks are one, and nobody waits for long.
TIMES = Times(skew_s=0.1, linger_s=0.1, patience_s=1.5, poll_every_s=0.1, questions=10_000)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a gateway for one test."""
    with Sandbox() as running:
        yield running


class Sending:
    """Sends rows to the sandbox and keeps what the outcomes file would hold."""

    def __init__(self, client: GatewayClient) -> None:
        self.client = client
        self.stop = threading.Event()
        self.outcomes_text = ""
        self.store: Store = MemoryStore()
        self.tries = 0
        self.times = TIMES

    @contextmanager
    def open_outcomes(self) -> Iterator[io.StringIO]:
        stream = io.StringIO()
        yield stream
        self.outcomes_text = stream.getvalue()

    @property
    def outcomes(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.outcomes_text)))

    def __call__(
        self, messages: object, *, text: str | None = None, key_column: str | None = None, **options: Any
    ) -> SendResult:
        row_rules = RowRules(text=text, key_column=key_column)
        sender = self.sender(key_column=key_column, **options)
        return sender.send(check_rows(read_rows(messages), row_rules))

    def sender(self, *, key_column: str | None = None, **options: Any) -> Sender:
        """Build the sender of one more try."""
        self.tries += 1
        self.stop = threading.Event()
        if options.pop("identity", "text") == "key":
            options["key_column"] = key_column
        rules = {name: options.pop(name) for name in list(options) if name in PlanRules.__dataclass_fields__}
        sender: dict[str, Any] = {
            "client": self.client,
            "payload": PeerToPeer(),
            "from_number": "+983000505",
            "rules": PlanRules(**rules),
            "timing": Timing(),
            "ledger": LedgerRules(store=self.store, try_number=self.tries, report_lag_s=0.2),
            "batch_size": 1_000,
            "max_in_flight": 4,
            "open_outcomes": self.open_outcomes,
            "stop": self.stop,
            "times": self.times,
        }
        return Sender(**sender | options)


@pytest.fixture
def settings(request: pytest.FixtureRequest, sandbox: Sandbox) -> GatewaySettings:
    """Connect to the sandbox; only where its silence is tested is an answer not waited for."""
    case = getattr(request.node, "callspec", None)
    timeout_s = 1.0 if case and "silence" in case.params.values() else 30.0
    return GatewaySettings(base_url=sandbox.base_url, token=sandbox.token, read_timeout_s=timeout_s)


@pytest.fixture
def send(settings: GatewaySettings) -> Iterator[Sending]:
    """Send rows to the sandbox."""
    with GatewayClient(settings) as client:
        yield Sending(client)


@pytest.fixture
def patient(settings: GatewaySettings) -> Iterator[GatewayClient]:
    """Wait for answers as long as a busy machine may need."""
    with GatewayClient(replace(settings, read_timeout_s=120.0)) as client:
        yield client


def entries(store: Store) -> list[Entry]:
    """Return all entries of a ledger."""
    _, journals = read_history(store, "p2psms")
    return [entry for journal in journals.values() for entry in journal]


def numbers(count: int) -> list[str]:
    """Make numbers that are all different and all good."""
    return [f"+98912{number:07d}" for number in range(1, count + 1)]
