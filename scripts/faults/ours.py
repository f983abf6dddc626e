"""The send tasks of this package, as a DAG author writes them, under what a user may or may not have."""

import os
from collections.abc import Sequence
from typing import Any
from unittest import mock
from urllib.parse import quote

from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.times import Times
from scripts.faults.conditions import BESIDE, MESSAGES, OWN_NUMBER, TIMEOUT_S
from scripts.faults.in_airflow import run_task
from scripts.faults.traffic import traffic

# As in production, but for the scale: a try asks for so long, and clocks differ by no more than that.
TIMES = Times(
    start_within_s=2.0,
    skew_s=1.2,
    patience_s=5.0,
    poll_every_s=0.2,
    poll_at_least_every_s=0.5,
    questions=10_000,
)


class _Json(PeerToPeerSMSOperator):
    _times = TIMES


class _File(PeerToPeerFileOperator):
    _times = TIMES


def send_json(sandbox: Sandbox) -> str:
    """Send one batch with ``PeerToPeerSMSOperator`` and ``report_lag``."""
    return send(_Json, sandbox, MESSAGES, report_lag=1)


def send_file(sandbox: Sandbox) -> str:
    """Send one batch with ``PeerToPeerFileOperator`` and ``report_lag``."""
    return send(_File, sandbox, MESSAGES, report_lag=1)


def send_with_later_batch(sandbox: Sandbox) -> str:
    """Send two batches."""
    return send(_Json, sandbox, (*MESSAGES, *BESIDE), batch_size=len(MESSAGES))


def send_with_traffic(sandbox: Sandbox) -> str:
    """Send two batches, while others send from the same account; the last batch meets the fault."""
    with traffic(sandbox):
        return send(_Json, sandbox, (*BESIDE, *MESSAGES), batch_size=len(MESSAGES))


def send_with_witness_recipient(sandbox: Sandbox) -> str:
    """Send one batch with ``witness_recipient``."""
    return send(_Json, sandbox, MESSAGES, extras={"witness_recipient": OWN_NUMBER})


def send_alone(sandbox: Sandbox) -> str:
    """Send one batch, with nothing that could prove that it was not taken."""
    return send(_Json, sandbox, MESSAGES)


def send(
    operator: type[PeerToPeerSMSOperator | PeerToPeerFileOperator],
    sandbox: Sandbox,
    messages: Sequence[tuple[str, str]],
    *,
    extras: dict[str, str] | None = None,
    **parameters: Any,
) -> str:
    """Run one send task in Airflow."""
    with mock.patch.dict(os.environ, AIRFLOW_CONN_P2PSMS_DEFAULT=connection_of(sandbox, **(extras or {}))):
        return run_task(lambda: operator(task_id="send", messages=messages, max_in_flight=1, **parameters))


def connection_of(sandbox: Sandbox, **extras: str) -> str:
    """Return the URI of a connection that leads there."""
    settings = {"connect_timeout": f"{TIMEOUT_S}", "read_timeout": f"{TIMEOUT_S}", **extras}
    query = "".join(f"&{name}={quote(value, safe='')}" for name, value in settings.items())
    return f"{sandbox.connection_uri}{query}"
