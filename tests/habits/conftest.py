"""A gateway for each test, and tasks that send through it with short times."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sending.times import Times
from tests.habits.gateway import HabitGateway
from tests.habits.sends import Task, connect

FORMS = {"json": PeerToPeerSMSOperator, "file": PeerToPeerFileOperator}
TIMES = Times(
    start_within_s=1.0,
    skew_s=0.2,
    linger_s=0.3,
    patience_s=0.4,
    poll_every_s=0.05,
    poll_at_least_every_s=0.2,
    questions=10_000,
)


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for operator in FORMS.values():
        monkeypatch.setattr(operator, "_times", TIMES, raising=False)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HabitGateway]:
    """Run the gateway; the default connection leads to it, and ledgers are files in a folder."""
    monkeypatch.setenv("AIRFLOW__P2PSMS__LEDGER_PATH", str(tmp_path / "ledger"))
    with HabitGateway() as gateway:
        connect(monkeypatch, gateway.url)
        yield gateway


@pytest.fixture
def task(gateway: HabitGateway, tmp_path: Path) -> Task:
    """Return a task that sends JSON, three batches of ten."""
    return Task(gateway, FORMS["json"], tmp_path)
