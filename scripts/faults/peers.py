"""What people use today, each written as its own documentation shows it."""

import json
import os
from typing import Any
from unittest import mock

import requests
import tenacity
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import task
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from airflow_provider_p2psms.sandbox import Sandbox
from scripts.faults.conditions import MESSAGES, TIMEOUT_S
from scripts.faults.in_airflow import run_task
from scripts.faults.twilio_front import twilio_front


def send_with_http_operator(sandbox: Sandbox) -> str:
    """Post the batch with Airflow's ``HttpOperator``, which hands the parsed answer to the next task."""
    with mock.patch.dict(os.environ, AIRFLOW_CONN_HTTP_DEFAULT=sandbox.base_url.removesuffix("/v1")):
        return run_task(
            lambda: HttpOperator(
                task_id="send",
                endpoint="/v1/api/send",
                headers=_headers(sandbox),
                data=json.dumps(_batch(sandbox)),
                extra_options={"timeout": TIMEOUT_S},
                response_filter=lambda response: response.json(),
            )
        )


def send_with_tenacity(sandbox: Sandbox) -> str:
    """Post the batch with requests, up to three times, whatever went wrong."""

    @tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)
    def post() -> Any:
        response = requests.post(
            f"{sandbox.base_url}/api/send", json=_batch(sandbox), headers=_headers(sandbox), timeout=TIMEOUT_S
        )
        response.raise_for_status()
        return response.json()

    try:
        post()
    except requests.RequestException:
        return "failed"
    return "ok" if post.statistics["attempt_number"] == 1 else "retried"


def send_with_twilio(sandbox: Sandbox) -> str:
    """Send one message with Twilio's SDK, called once."""
    with twilio_front(sandbox) as url:
        try:
            _create_message(url, sandbox)
        except (TwilioException, requests.RequestException, ValueError):
            return "failed"
        return "ok"


def send_with_twilio_in_airflow(sandbox: Sandbox) -> str:
    """Send one message with Twilio's SDK, called in a task with a retry."""
    with twilio_front(sandbox) as url:
        return run_task(lambda: task(task_id="send")(_create_message)(url, sandbox))


def _create_message(url: str, sandbox: Sandbox) -> None:
    client = Client("AC" + 32 * "0", "token", http_client=TwilioHttpClient(timeout=TIMEOUT_S, max_retries=3))
    client.api.base_url = url
    recipient, text = MESSAGES[0]
    client.messages.create(to=recipient, from_=sandbox.lines[0], body=text)


def _batch(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "sending_type": "peer_to_peer",
        "from_number": sandbox.lines[0],
        "params": [{"recipients": [recipient], "message": text} for recipient, text in MESSAGES],
    }


def _headers(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": sandbox.token, "Content-Type": "application/json"}
