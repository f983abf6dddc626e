"""
A front that speaks Twilio to the SDK and the gateway's own language to the sandbox.

It measures what Twilio's SDK makes of a faulty answer, not Twilio's service. An answer that is whole and in
JSON is put into Twilio's words, in the encoding it came in; every other one (none, half, HTML, garbage) and
the way in which the connection ended are passed on to the byte. It is TLS, for the SDK mounts its
``max_retries`` on ``https://`` alone.
"""

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl

import trustme

from airflow_provider_p2psms.sandbox import Sandbox
from scripts.faults.conditions import LINGER_RESET


@contextmanager
def twilio_front(sandbox: Sandbox) -> Iterator[str]:
    """Open the front for a block; give the address to set as the SDK's."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Front, sandbox))
    server.daemon_threads = True  # one may wait for an answer until the sandbox stops
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with (
            authority.cert_pem.tempfile() as bundle,
            mock.patch.dict(os.environ, REQUESTS_CA_BUNDLE=bundle),
        ):
            yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Front(BaseHTTPRequestHandler):
    def __init__(self, sandbox: Sandbox, *args: Any) -> None:
        self._sandbox = sandbox
        super().__init__(*args)

    def do_POST(self) -> None:
        """Answer as Twilio would, if its gateway had the fault."""
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        try:
            answer = self._ask_gateway(form)
        except ConnectionResetError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            os.close(self.connection.detach())  # without TLS's own goodbye
            return
        self.wfile.write(_translate(answer, form))

    def _ask_gateway(self, form: dict[str, str]) -> bytes:
        """Post the message as a batch of one, and return all that came back, as it came."""
        body = json.dumps(
            {
                "sending_type": "peer_to_peer",
                "from_number": form["From"],
                "params": [{"recipients": [form["To"]], "message": form["Body"]}],
            }
        ).encode()
        head = (
            f"POST /v1/api/send HTTP/1.1\r\nHost: gateway\r\nAuthorization: {self._sandbox.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection((self._sandbox.host, self._sandbox.bound_port)) as gateway:
            gateway.sendall(head.encode() + body)
            return b"".join(iter(partial(gateway.recv, 65_536), b""))

    def log_message(self, *_args: object) -> None:
        """Say nothing: the sandbox notes what came."""


def _translate(answer: bytes, form: dict[str, str]) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    for encoding in ("utf-8", "cp1256"):
        try:
            said = json.loads(body.decode(encoding))
            break
        except ValueError:
            continue
    else:
        return answer
    status = int(head.split()[1])
    if said["meta"]["status"]:
        status = 201
        ids = said["data"].get("message_outbox_ids")
        sid = f"SM{ids[0]:032x}" if ids else None
        message = {"sid": sid, "status": "queued", "to": form["To"], "body": said["meta"]["message"]}
    else:
        message = {"code": 30000, "message": said["meta"]["message"], "status": status}
    content = json.dumps(message, ensure_ascii=False).encode(encoding, errors="replace")
    return (
        f"HTTP/1.1 {status} Gateway\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    ).encode() + content
