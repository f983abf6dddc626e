"""What others send from the same account meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import requests

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.faults import SEND_PATH

EVERY_S = 0.3
# No recipient of ours begins so.
PREFIX = "+98936"


@contextmanager
def traffic(sandbox: Sandbox, *, text: str = "Alert") -> Iterator[None]:
    """Send a message to a new number every 0.3 seconds, once a message of ours has been taken."""
    stop = threading.Event()
    thread = threading.Thread(target=_send, args=(sandbox, text, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _send(sandbox: Sandbox, text: str, stop: threading.Event) -> None:
    for place in count():
        # The fault is for our request: traffic begins when that one has been answered, or was cut.
        while not any(request.fault for request in sandbox.requests if request.path == SEND_PATH):
            if stop.wait(0.02):
                return
        body = {
            "sending_type": "peer_to_peer",
            "from_number": sandbox.lines[0],
            "params": [{"recipients": [f"{PREFIX}{place:07}"], "message": text}],
        }
        headers = {"Authorization": sandbox.token}
        with suppress(requests.RequestException):
            requests.post(f"{sandbox.base_url}/api/send", json=body, headers=headers, timeout=5)
        if stop.wait(EVERY_S):
            return
