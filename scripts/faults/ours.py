"""The two send tasks of this package, as a DAG author writes them."""

import os
from unittest import mock

from airflow_provider_p2psms.operators.sms import PeerToPeerFileOperator, PeerToPeerSMSOperator
from airflow_provider_p2psms.sandbox import Sandbox
from scripts.faults.conditions import MESSAGES, TIMEOUT_S
from scripts.faults.in_airflow import run_task


def send_json(sandbox: Sandbox) -> str:
    """Send with ``PeerToPeerSMSOperator``."""
    return _send(PeerToPeerSMSOperator, sandbox)


def send_file(sandbox: Sandbox) -> str:
    """Send with ``PeerToPeerFileOperator``."""
    return _send(PeerToPeerFileOperator, sandbox)


def _send(operator: type[PeerToPeerSMSOperator | PeerToPeerFileOperator], sandbox: Sandbox) -> str:
    connection = f"{sandbox.connection_uri}&connect_timeout={TIMEOUT_S}&read_timeout={TIMEOUT_S}"
    with mock.patch.dict(os.environ, AIRFLOW_CONN_P2PSMS_DEFAULT=connection):
        return run_task(lambda: operator(task_id="send", messages=MESSAGES, report_lag=1))
