"""Every way in which a send can end, over real sockets: which error, and whether it may have been sent."""

import json
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from airflow_provider_p2psms.clock import elapsed
from airflow_provider_p2psms.errors import (
    AuthenticationError,
    GatewayRefusedError,
    OutcomeUnknownError,
    UnreachableError,
)
from airflow_provider_p2psms.gateway.request import Group

from .conftest import MakeClient, Script, ScriptedGateway, StartGateway, answer, http, read_request

GROUPS = [Group(["+989120000000"], "a text of one customer"), Group(["+989130000000"], "another text")]
IDS = json.dumps({"data": {"message_outbox_ids": [11, 12]}, "meta": {"status": True}}).encode()
BOM = b"\xef\xbb\xbf"
HTML = b"<html><body>Bad gateway</body></html>"
# So long a request may take, and not longer.
TWO_SECONDS: dict[str, object] = {"connect_timeout_s": 1.0, "read_timeout_s": 1.0}


def send(client):
    return client.send_peer_to_peer(GROUPS, from_number="+983000505")


def send_file(client):
    rows = [(number, group.message) for group in GROUPS for number in group.recipients]
    return client.send_peer_to_peer_file(rows, from_number="+983000505")


def reset(conn: socket.socket, _: bytes) -> None:
    """Cut the connection with a TCP reset."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(conn: socket.socket, _: bytes) -> None:
    """Wait until the client goes."""
    while conn.recv(1):
        pass


def trickle(conn: socket.socket, _: bytes) -> None:
    """Send a byte often enough that no read timeout strikes."""
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _second in range(100):
        conn.sendall(b" ")
        time.sleep(0.1)


def tunnel_to(port: int) -> Script:
    """Open the tunnel that a proxy was asked for, and carry bytes both ways until the client goes."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def opened(conn: socket.socket, _: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port)) as gateway:
            conn.sendall(b"HTTP/1.1 200 Opened\r\n\r\n")
            back = threading.Thread(target=carry, args=(gateway, conn), daemon=True)
            back.start()
            carry(conn, gateway)
            gateway.shutdown(socket.SHUT_WR)
            back.join(5)

    return opened


UNKNOWN_ANSWERS = {
    "cut before the answer": lambda conn, _: None,
    "reset before the answer": reset,
    "read timeout": silence,
    "trickling answer": trickle,
    "cut within the headers": answer(b"HTTP/1.1 200 OK\r\nContent-"),
    "cut within the body": answer(http(200, IDS)[:-5]),
    "no HTTP": answer(b"\x00\x01\x02 what is this\r\n\r\n"),
    "500 JSON": answer(http(500, b'{"data": null, "meta": {"status": false}}')),
    "500 with ids": answer(http(500, IDS)),
    "502 HTML": answer(http(502, HTML, "Content-Type: text/html")),
    "503 with Retry-After": answer(http(503, b"", "Retry-After: 5")),
    "200 HTML": answer(http(200, HTML, "Content-Type: text/html")),
    "200 without a body": answer(http(200, b"")),
    "204": answer(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "200 not JSON": answer(http(200, b'{"data": {"message_outbox_ids": [11, 12')),
    "200 not UTF-8": answer(
        http(200, b'{"data": {"message_outbox_ids": [11, 12]}, "meta": {"message": "\xff"}}')
    ),
    "200 two BOMs": answer(http(200, BOM + BOM + IDS)),
    "200 a BOM alone": answer(http(200, BOM)),
    "200 a list": answer(http(200, b"[11, 12]")),
    "200 no envelope": answer(http(200, b'{"message_outbox_ids": [11, 12]}')),
    "200 without ids": answer(http(200, b'{"data": {}, "meta": {"status": true}}')),
    "200 with data null": answer(http(200, b'{"data": null, "meta": {"status": true}}')),
    "200 with no id at all": answer(http(200, b'{"data": {"message_outbox_ids": []}, "meta": {}}')),
    "200 with ids that are none": answer(
        http(200, b'{"data": {"message_outbox_ids": [1, null]}, "meta": {}}')
    ),
    "200 with too few ids": answer(
        http(200, b'{"data": {"message_outbox_ids": [11]}, "meta": {"status": true}}')
    ),
    "200 with too many ids": answer(http(200, b'{"data": {"message_outbox_ids": [1, 2, 3]}, "meta": {}}')),
    "200 with ids and status false": answer(http(200, IDS.replace(b"true", b"false"))),
    "200 with broken compression": answer(http(200, b"not gzip", "Content-Encoding: gzip")),
    "200 too large": lambda conn, _: conn.sendall(http(200, b" " * 2**20 * 9)),
    "a status that there is not": answer(http(799, b"")),
}

# Only these end by a timeout; long enough for a busy machine to have read the request by then.
_SHORT = {"connect_timeout_s": 0.5, "read_timeout_s": 1.5}
TIMEOUTS = {"read timeout": _SHORT, "trickling answer": _SHORT}

REFUSALS = {
    "400": (400, GatewayRefusedError),
    "401": (401, AuthenticationError),
    "403": (403, GatewayRefusedError),
    "404": (404, GatewayRefusedError),
    "405": (405, GatewayRefusedError),
    "413": (413, GatewayRefusedError),
    "418": (418, GatewayRefusedError),
    "422": (422, GatewayRefusedError),
    "429": (429, GatewayRefusedError),
}


@pytest.mark.parametrize("post", [send, send_file])
@pytest.mark.parametrize("fault", UNKNOWN_ANSWERS)
def test_no_answer_to_trust_is_unknown(fault, post, scripted: StartGateway, client: MakeClient):
    """Once the request has left, all but a clear answer leaves the outcome unknown; nothing is repeated."""
    gateway = scripted(UNKNOWN_ANSWERS[fault])

    with pytest.raises(OutcomeUnknownError) as caught:
        post(client(f"http://127.0.0.1:{gateway.port}/v1", **TIMEOUTS.get(fault, {})))

    assert caught.value.may_have_been_sent
    assert 1 == len(gateway.requests)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_clear_no_is_a_refusal(status, scripted: StartGateway, client: MakeClient):
    """A 4xx in the gateway's own envelope, which says that it failed and has no ids, took nothing."""
    body = b'{"data": null, "meta": {"status": false, "message_code": "400-9"}}'
    code, error = REFUSALS[status]
    gateway = scripted(answer(http(code, body, "Location: /elsewhere", "Retry-After: 7")))

    with pytest.raises(GatewayRefusedError) as caught:
        send(client(f"http://127.0.0.1:{gateway.port}/v1"))

    assert error is type(caught.value)
    assert not caught.value.may_have_been_sent
    assert (code, 7.0) == (caught.value.http_status, caught.value.retry_after_s)
    assert f"HTTP {code}" in str(caught.value)
    assert 1 == len(gateway.requests)


SAYS_NO = '{"data": null, "meta": {"status": false, "message_code": "400-9"}}'
SAYS_NOTHING = '{"data": null, "meta": {"message_code": "400-9"}}'
HAS_IDS = '{"data": {"message_outbox_ids": [7]}, "meta": {"status": false}}'


@pytest.mark.parametrize(
    ("status", "body", "is_taken"),
    [
        *((status, body, False) for status in (301, 302, 307, 308) for body in ("", HTML.decode(), SAYS_NO)),
        *((status, body, False) for status in (400, 401, 404, 422, 429) for body in ("", HTML.decode())),
        *((status, SAYS_NO, False) for status in (408, 499, 500, 502, 503, 504)),
        *((status, SAYS_NOTHING, False) for status in (200, 400, 429)),
        *((status, HAS_IDS, True) for status in (200, 302, 400, 404, 429, 500, 503)),
        (200, '{"data": null, "meta": {"status": true}}', True),
        (202, '{"data": [], "meta": {"status": true}}', True),
        (200, '{"data": {"message_outbox_ids": [0]}, "meta": {"status": true}}', True),
        (200, '{"data": {"message_outbox_ids": [-7]}, "meta": {"status": true}}', True),
        (200, '{"data": {"message_outbox_ids": [9223372036854775808]}, "meta": {"status": true}}', True),
        (200, f'{{"data": {{"message_outbox_ids": ["{"9" * 5000}"]}}, "meta": {{"status": true}}}}', True),
        (200, '{"data": {"message_outbox_ids": [7, 8, 9]}, "meta": {"status": true}}', True),
        (200, '{"data": {"result": [{"outbox_id": "7"}]}, "meta": {}}', True),
        (200, '{"data": {"message_outbox_ids": [0]}, "meta": {}}', False),
    ],
)
def test_all_else_is_unknown(status, body, is_taken, scripted: StartGateway, client: MakeClient):
    """What is no clear *no* and no whole receipt is unknown; ids and a *yes* say that it was taken."""
    gateway = scripted(answer(http(status, body.encode(), "Location: /elsewhere")))

    with pytest.raises(OutcomeUnknownError) as caught:
        send(client(f"http://127.0.0.1:{gateway.port}/v1"))

    assert is_taken is caught.value.said_taken
    assert (7 in caught.value.outbox_ids) == ("7" in body and "-7" not in body and "9223" not in body)
    assert 1 == len(gateway.requests)


@pytest.mark.parametrize("bom", [b"", BOM])
def test_status_false_under_200_is_a_refusal(bom, scripted: StartGateway, client: MakeClient):
    """HTTP 200 with `meta.status` false and no ids took nothing, also behind a BOM."""
    body = json.dumps({"data": None, "meta": {"status": False, "message": "نه", "message_code": "400-31"}})
    gateway = scripted(answer(http(200, bom + body.encode())))

    with pytest.raises(GatewayRefusedError, match="نه") as caught:
        send(client(f"http://127.0.0.1:{gateway.port}/v1"))

    assert "400-31" == caught.value.message_code


def test_the_gateways_words_come_along(scripted: StartGateway, client: MakeClient):
    """A 422 keeps the gateway's words, code and fields on the error, and in its text."""
    document = (Path(__file__).parents[1] / "documents/peer_to_peer.response_422.json").read_bytes()
    gateway = scripted(answer(http(422, document)))

    with pytest.raises(GatewayRefusedError) as caught:
        send(client(f"http://127.0.0.1:{gateway.port}/v1"))

    err = caught.value
    assert ("400-2", "تکمیل گزینه پیام الزامی است") == (err.message_code, err.gateway_message)
    assert {"message": ("تکمیل گزینه پیام الزامی است",)} == err.field_errors
    assert "message: تکمیل گزینه پیام الزامی است" in str(err)


def test_what_the_gateway_quotes_of_ours_is_not_repeated(scripted: StartGateway, client: MakeClient):
    """Numbers and texts that a refusal quotes back stand in no error."""
    words = f"The number +989120000000 (۰۹۱۲۰۰۰۰۰۰۰) cannot get «{GROUPS[0].message}»"
    meta = {"status": False, "message": words, "errors": {"params.0.+989120000000": [words]}}
    gateway = scripted(answer(http(422, json.dumps({"data": None, "meta": meta}).encode())))

    with pytest.raises(GatewayRefusedError) as caught:
        send(client(f"http://127.0.0.1:{gateway.port}/v1"))

    told = f"{caught.value} {vars(caught.value)}"
    assert "cannot get" in told
    for private in ("9120000000", "۹۱۲۰", GROUPS[0].message, "secret-token"):
        assert private not in told


def test_ids_that_do_not_add_up_are_kept(scripted: StartGateway, client: MakeClient):
    """Another number of ids than groups is unknown, but the ids are on the error."""
    gateway = scripted(UNKNOWN_ANSWERS["200 with too many ids"])

    with pytest.raises(OutcomeUnknownError) as caught:
        send(client(f"http://127.0.0.1:{gateway.port}/v1"))

    assert (200, (1, 2, 3)) == (caught.value.http_status, caught.value.outbox_ids)


@pytest.mark.parametrize("body", [IDS, IDS.replace(b"11", b'"11"'), BOM + IDS])
def test_ids_as_due_are_a_receipt(body, scripted: StartGateway, client: MakeClient):
    """One id a group, in the order given: under HTTP 201, too, as text, and behind a BOM."""
    gateway = scripted(answer(http(201, body)))

    assert (11, 12) == tuple(send(client(f"http://127.0.0.1:{gateway.port}/v1")).outbox_ids)


@pytest.mark.parametrize("ids", [(12, 11), (11, 13), (11, 11), (2**63 - 2, 2**63 - 1)])
def test_ids_of_any_order_are_a_receipt(ids, scripted: StartGateway, client: MakeClient):
    """They need not count up by one."""
    gateway = scripted(answer(http(200, IDS.replace(b"[11, 12]", json.dumps(ids).encode()))))

    assert ids == tuple(send(client(f"http://127.0.0.1:{gateway.port}/v1")).outbox_ids)


class TestNothingLeft:
    """Faults before a connection stands: nothing was sent, and trying again is safe."""

    def check(self, client) -> UnreachableError:
        for post in (send, send_file):
            with pytest.raises(UnreachableError) as caught:
                post(client)
        assert not caught.value.may_have_been_sent
        return caught.value

    def test_no_dns(self, client: MakeClient):
        """A host name that nobody knows."""
        assert "DNS" in str(self.check(client("https://gateway.invalid/v1")))

    def test_refused(self, client: MakeClient):
        """A port at which nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert "refused" in str(self.check(client(f"http://127.0.0.1:{port}/v1")))

    def test_connect_timeout(self, client: MakeClient, deaf_port):
        """A host that does not answer to a connection."""
        err = self.check(client(f"http://127.0.0.1:{deaf_port}/v1", connect_timeout_s=0.1))
        assert "timed out" in str(err)

    def test_tls_with_a_stranger(self, client: MakeClient, scripted: StartGateway, tls):
        """A certificate that nobody vouches for; there is no way to turn the check off."""
        gateway = scripted(answer(http(200, IDS)), tls=tls)
        assert "not trusted" in str(self.check(client(f"https://127.0.0.1:{gateway.port}/v1")))
        assert [] == gateway.requests

    def test_tls_where_there_is_none(self, client: MakeClient, scripted: StartGateway):
        """A port that speaks something else."""
        gateway = scripted(answer(b"220 smtp ready\r\n"), read_request=False)
        assert "TLS" in str(self.check(client(f"https://127.0.0.1:{gateway.port}/v1")))

    def test_a_proxy_that_is_not_there(self, client: MakeClient):
        """A proxy at which nobody listens."""
        err = self.check(client("https://gateway.invalid/v1", proxy="http://user:pass@127.0.0.1:1"))
        assert "proxy" in str(err)
        assert "pass" not in str(err)

    def test_a_proxy_that_says_no(self, client: MakeClient, scripted: StartGateway):
        """A proxy that opens no tunnel: our request never began."""
        proxy = scripted(answer(http(407, b"")))
        self.check(client("https://gateway.invalid/v1", proxy=f"http://127.0.0.1:{proxy.port}"))
        assert all(request.startswith(b"CONNECT gateway.invalid:443") for request in proxy.requests)

    @pytest.fixture
    def deaf_port(self) -> Iterator[int]:
        """A listener whose queue is full, so that no further connection is made."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
            address = deaf.getsockname()
            filling = [socket.socket() for _ in range(4)]
            for each in filling:
                each.setblocking(False)
                each.connect_ex(address)
            yield address[1]
            for each in filling:
                each.close()


class TestOverTLS:
    """With TLS, too, only what fails before the request left is safe to repeat."""

    @pytest.fixture
    def bundle(self, authority: trustme.CA, tmp_path: Path) -> str:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        return str(tmp_path / "ca.pem")

    def test_a_bundle_of_ones_own_is_trusted(self, client: MakeClient, scripted: StartGateway, tls, bundle):
        """`ca_bundle` lets the send through."""
        gateway = scripted(answer(http(200, IDS)), tls=tls)
        assert (11, 12) == tuple(
            send(client(f"https://127.0.0.1:{gateway.port}/v1", ca_bundle=bundle)).outbox_ids
        )

    def test_through_a_proxy_that_speaks_tls_itself(
        self, client: MakeClient, scripted: StartGateway, tls, bundle
    ):
        """TLS within TLS: sent whole, answered, and told apart from what did not leave."""
        gateway = scripted(answer(http(200, IDS)), tls=tls)
        proxy = scripted(tunnel_to(gateway.port), tls=tls)
        address, by = f"https://127.0.0.1:{gateway.port}/v1", f"https://127.0.0.1:{proxy.port}"

        assert (11, 12) == tuple(send(client(address, ca_bundle=bundle, proxy=by)).outbox_ids)
        with pytest.raises(UnreachableError):
            send(
                client(address, proxy=by, connect_timeout_s=0.5, read_timeout_s=0.5)
            )  # trusts neither of them
        assert 1 == len(gateway.requests)

    def test_a_large_request_to_a_slow_reader_arrives_whole(
        self, client: MakeClient, scripted: StartGateway, tls, bundle
    ):
        """What the network does not take at once follows, record by record."""
        check_a_slow_reader(scripted, client, tls=tls, ca_bundle=bundle)

    @pytest.mark.parametrize("fault", ["cut before the answer", "reset before the answer", "read timeout"])
    def test_cut_after_the_handshake_is_unknown(
        self, fault, client: MakeClient, scripted: StartGateway, tls, bundle
    ):
        """A TLS error while waiting for the answer does not mean that nothing was sent."""
        gateway = scripted(UNKNOWN_ANSWERS[fault], tls=tls)

        with pytest.raises(OutcomeUnknownError):
            send(client(f"https://127.0.0.1:{gateway.port}/v1", ca_bundle=bundle, **TIMEOUTS.get(fault, {})))

        assert 1 == len(gateway.requests)


def test_cut_while_the_body_is_written_is_unknown(scripted: StartGateway, client: MakeClient):
    """A gateway that hangs up in the middle of a large request may have read enough of it."""
    groups = [Group(["+989120000000"], "متن " * 300) for _ in range(5_000)]

    def hang_up(conn, _) -> None:
        conn.recv(1000)
        reset(conn, b"")

    gateway = scripted(hang_up, read_request=False)

    with pytest.raises(OutcomeUnknownError):
        client(f"http://127.0.0.1:{gateway.port}/v1").send_peer_to_peer(groups, from_number="+983000505")


def check_a_slow_reader(scripted, client, *, tls=None, ca_bundle=None):
    """Send more than the network takes at once to a gateway that is late to read it."""
    groups = [Group(["+989120000000"], f"{place} " + "متن " * 300) for place in range(5_000)]
    taken = []

    def read_late(conn: socket.socket, _: bytes) -> None:
        time.sleep(0.1)
        taken.append(json.loads(read_request(conn).partition(b"\r\n\r\n")[2]))
        conn.sendall(http(200, json.dumps({"data": {"message_outbox_ids": [*range(1, 5_001)]}}).encode()))

    gateway = scripted(read_late, tls=tls, read_request=False)
    address = f"{'https' if tls else 'http'}://127.0.0.1:{gateway.port}/v1"
    one = client(address, ca_bundle=ca_bundle, read_timeout_s=60.0)
    one.send_peer_to_peer(groups, from_number="+983000505")

    assert [group.message for group in groups] == [param["message"] for param in taken[0]["params"]]


def test_a_large_request_to_a_slow_reader_arrives_whole(scripted: StartGateway, client: MakeClient):
    """What the network does not take at once follows."""
    check_a_slow_reader(scripted, client)


def test_a_stalled_write_ends_by_the_read_timeout(scripted: StartGateway, client: MakeClient):
    """A gateway that stops reading does not hold the send for ever."""
    groups = [Group(["+989120000000"], "متن " * 300) for _ in range(20_000)]
    gateway: ScriptedGateway = scripted(lambda conn, _: gateway.over.wait(60), read_request=False)
    # The deadline of the whole exchange is far away.
    one = client(f"http://127.0.0.1:{gateway.port}/v1", connect_timeout_s=60.0, read_timeout_s=0.5)

    with pytest.raises(OutcomeUnknownError, match="timed out"):
        one.send_peer_to_peer(groups, from_number="+983000505")


def test_a_connection_that_idled_away_is_replaced(scripted: StartGateway, client: MakeClient):
    """The gateway closed a kept connection between two sends: the second makes a new one, and is sent."""
    gateway = scripted(answer(http(200, IDS)))  # closes after each answer, without saying so
    one = client(f"http://127.0.0.1:{gateway.port}/v1")

    first = send(one)
    assert gateway.closed.acquire(timeout=60)

    assert first == send(one)
    assert 2 == len(gateway.requests)


def test_threads_leave_their_connection_to_the_next(scripted: StartGateway, client: MakeClient):
    """A client that is used in ever new threads has as many connections as requests under way at once."""

    def go_on(conn: socket.socket, _: bytes) -> None:
        while True:
            conn.sendall(http(200, IDS))
            read_request(conn)

    gateway = scripted(go_on)  # accepts no second connection while it has one
    one = client(f"http://127.0.0.1:{gateway.port}/v1")

    for _ in range(3):
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(send, one).result()

    assert 1 == len(gateway.requests)


def test_an_address_without_a_usable_host_is_unreachable(client: MakeClient):
    """What is no host name at all never leaves."""
    with pytest.raises(UnreachableError):
        send(client("http://*bad..host*/v1"))


def test_a_limit_of_the_system_is_named(scripted: StartGateway, client: MakeClient):
    """A process that may open no more files says so; nothing has left."""
    one = client(f"http://127.0.0.1:{scripted(answer(http(200, IDS))).port}/v1")
    send(one)  # what it needs is imported
    one.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(UnreachableError) as caught:
            send(one)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert "No connection to the gateway: Too many open files." == caught.value.headline


class TestDeadlines:
    """A request leaves in time or never, and is over in time."""

    def test_a_request_whose_time_has_passed_never_leaves(self, scripted: StartGateway, client: MakeClient):
        """Past `start_by` a connection may be made, but no byte of the request leaves."""
        gateway = scripted(answer(http(200, IDS)))
        groups = client(f"http://127.0.0.1:{gateway.port}/v1")

        with pytest.raises(UnreachableError):
            groups.send_peer_to_peer(GROUPS, from_number="+983000505", start_by=elapsed() - 0.01)

        assert [] == gateway.requests

    def test_a_request_in_time_leaves(self, scripted: StartGateway, client: MakeClient):
        """Before `start_by` it leaves as ever."""
        gateway = scripted(answer(http(200, IDS)))
        groups = client(f"http://127.0.0.1:{gateway.port}/v1")

        assert groups.send_peer_to_peer(GROUPS, from_number="+983000505", start_by=elapsed() + 5)

    def test_a_process_that_stood_still_does_not_complete_its_request(
        self, scripted: StartGateway, client: MakeClient, monkeypatch
    ):
        """If the deadline passes while the request is being written, its rest never leaves."""
        gateway = scripted(answer(http(200, IDS)))
        one = client(f"http://127.0.0.1:{gateway.port}/v1", **TWO_SECONDS)
        written = []

        def send_and_stand_still(sock, data):
            sent = socket.SocketType.send(sock, data)
            written.append(bytes(data[:sent]))
            time.sleep(2.0)
            return sent

        monkeypatch.setattr(socket.socket, "send", send_and_stand_still, raising=False)
        with pytest.raises(OutcomeUnknownError, match="deadline"):
            send(one)

        assert [b"\r\n\r\n"] == [each[-4:] for each in written]  # the head, and nothing after it
        assert [] == gateway.requests

    def test_nothing_waits_between_the_clock_and_the_network(
        self, scripted: StartGateway, client: MakeClient, monkeypatch
    ):
        """
        Time that passes while a socket is told how long to wait is seen before the last bytes leave.

        And a socket that would wait by itself when it is written to gets nothing to write.
        """
        gateway = scripted(answer(http(200, IDS)))
        one = client(f"http://127.0.0.1:{gateway.port}/v1", **TWO_SECONDS)
        waits: list[float | None] = []

        def late_once_the_head_has_left(sock, timeout):
            socket.SocketType.settimeout(sock, timeout)
            if waits:
                time.sleep(2.0)

        def noting(method):
            def write(sock, data):
                waits.append(sock.gettimeout())
                return getattr(socket.SocketType, method)(sock, data)

            return write

        monkeypatch.setattr(socket.socket, "settimeout", late_once_the_head_has_left, raising=False)
        for method in ("send", "sendall"):
            monkeypatch.setattr(socket.socket, method, noting(method), raising=False)
        with pytest.raises(OutcomeUnknownError, match="deadline"):
            send(one)

        assert [0.0] == waits
        assert [] == gateway.requests
