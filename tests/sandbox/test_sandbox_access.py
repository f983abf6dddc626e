"""Who may ask what: other names, other origins, other machines; and requests made to exhaust the sandbox."""

import contextlib
import io
import json
import resource
import socket
import struct
import sys
import zipfile
from typing import Any

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from tests.sandbox.conftest import Asker

ORDER = {"fault": "silence", "times": None}
PAGES = ("/", "/sandbox/state", "/sandbox/habits", "/static/outbox.css", "/static/outbox.js")


@pytest.fixture
def beyond():
    """A sandbox that other machines can reach."""
    with Sandbox(host="0.0.0.0") as sandbox:
        yield sandbox


def address_of(sandbox, host="127.0.0.1"):
    return f"{host}:{sandbox.bound_port}"


def cookie_of(reply):
    return reply.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize("path", [*PAGES, "/sandbox/elsewhere", "/nothing"])
@pytest.mark.parametrize("host", ["evil.test", "evil.test:8025", "localhost.evil.test", "10.1.2.3", "x", ""])
def test_another_name_is_refused(path, host, ask: Asker):
    """A web site whose name was made to lead here (DNS rebinding) reads and orders nothing."""
    for method in ("GET", "POST"):
        reply = ask(method, path, ORDER if method == "POST" else None, Host=host)

        assert (reply.status, "--allow-host" in reply.json["error"]) == (421, True)
    assert ask.sandbox.requests == ask.sandbox.state()["faults"] == []


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8025",
        "localhost.",
        "sms.localhost:1",
        "127.0.0.1",
        "127.9.9.9:80",
        "[::1]:8025",
    ],
)
def test_names_of_this_machine(host, ask: Asker):
    """Loopback names and addresses are answered, whatever the port: it may be forwarded."""
    assert ask("GET", "/", Host=host).status == 200
    assert ask("POST", "/sandbox/faults", ORDER, Host=host).status == 200


def test_a_name_that_is_allowed(asker: type[Asker]):
    """``allow_hosts`` adds names, for the page, control and gateway."""
    with Sandbox(allow_hosts=("SMS.test",)) as sandbox:
        ask = asker(sandbox)

        assert ask("GET", "/", Host="sms.test:8025").status == 200
        assert ask("POST", "/sandbox/faults", ORDER, Host="sms.test").status == 200
        assert ask("GET", "/v1/api/payment/credit/mine", Host="sms.test").status == 200
        assert ask("GET", "/", Host="other.test").status == 421


@pytest.mark.parametrize(
    ("host", "status"), [("evil.test:8025", 421), ("sandbox:8025", 200), ("10.1.2.3", 200)]
)
def test_the_gateway_by_another_name(host, status, ask: Asker):
    """On loopback the token is well known, so a web site's name is refused; a container's cannot be one."""
    reply = ask("GET", "/v1/api/payment/credit/mine", Host=host)

    assert reply.status == status
    assert reply.json["meta"]["status"] is (status == 200)


FOREIGN = [
    {"Origin": "http://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_origin_is_refused(headers, sandbox: Sandbox, ask: Asker):
    """It can neither order nor read, even with the token and the cookie."""
    headers = {**headers, "Cookie": cookie_of(ask("GET", "/"))}
    replies = [
        ask("POST", "/sandbox/faults", ORDER, **headers),
        ask("PUT", "/sandbox/habits", {"time_local": True}, **headers),
        ask("DELETE", "/sandbox/faults", **headers),
        ask("GET", "/sandbox/state", **headers),
        ask("POST", "/v1/api/report/new_list", {}, **headers),
    ]

    assert [reply.status for reply in replies] == [403] * 5
    assert (sandbox.state()["faults"], sandbox.habits_turned(), sandbox.requests) == ([], {}, [])


def test_a_form_of_another_site_is_refused(sandbox: Sandbox, ask: Asker):
    """A form that a click sends is a navigation, but no link."""
    browser: dict[str, Any] = {
        "Sec_Fetch_Site": "cross-site",
        "Sec_Fetch_Mode": "navigate",
        "Sec_Fetch_Dest": "document",
    }

    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        reply = ask("POST", "/sandbox/faults", body=b"{}", content_type=content_type, **browser)
        assert reply.status == 403


def test_a_preflight_allows_nothing(ask: Asker):
    """No answer lets a browser send another origin's request."""
    for path in ("/sandbox/faults", "/v1/api/send"):
        reply = ask("OPTIONS", path, Origin="http://evil.test", Access_Control_Request_Method="POST")

        assert reply.status == 403
        assert [name for name in reply.headers if name.lower().startswith("access-control")] == []


def test_a_link_to_the_page_works(ask: Asker):
    """Airflow's page leads here from another origin."""
    browser: dict[str, Any] = {
        "Sec_Fetch_Site": "cross-site",
        "Sec_Fetch_Mode": "navigate",
        "Sec_Fetch_Dest": "document",
    }

    assert ask("GET", "/?outbox_id=1", token="", **browser).status == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_an_order_is_json(content_type, sandbox: Sandbox, ask: Asker):
    """What a form can send without asking is refused, also with the token."""
    reply = ask("POST", "/sandbox/faults", body=json.dumps(ORDER).encode(), content_type=content_type)

    assert (reply.status, "Content-Type: application/json" in reply.json["error"]) == (415, True)
    assert sandbox.state()["faults"] == []


@pytest.mark.parametrize("token", ["", "guess", "سلام"])
def test_an_order_needs_the_token(token, sandbox: Sandbox, ask: Asker):
    """Without it nothing is ordered, and the answer says what to send."""
    header = token.encode().decode("latin-1")
    replies = [
        ask("POST", "/sandbox/faults", ORDER, token=header),
        ask("DELETE", "/sandbox/faults", token=header),
        ask("POST", "/sandbox/habits", {"time_local": True}, token=header),
    ]

    assert [(reply.status, "Authorization" in reply.json["error"]) for reply in replies] == [(401, True)] * 3
    assert (sandbox.state()["faults"], sandbox.habits_turned()) == ([], {})


def test_the_page_orders_by_its_cookie(sandbox: Sandbox, ask: Asker):
    """The page gets a cookie that scripts cannot read and that no other site's request carries."""
    given = ask("GET", "/", token="").headers["set-cookie"]
    own: dict[str, Any] = {"Cookie": given.partition(";")[0], "Origin": f"http://{address_of(sandbox)}"}

    assert given.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert given.startswith(f"p2psms_sandbox_{sandbox.bound_port}=")
    assert ask("POST", "/sandbox/faults", ORDER, token="", Sec_Fetch_Site="same-origin", **own).status == 200
    assert sandbox.state()["faults"][0]["fault"] == "silence"
    assert ask("GET", "/v1/api/payment/credit/mine", token="", **own).status == 401


@pytest.mark.parametrize("path", PAGES)
def test_security_headers(path, ask: Asker):
    """No inline code, no frame, no guessing of types, no copy in a cache; not on the gateway's answers."""
    headers = {name.lower(): value for name, value in ask("GET", path).headers.items()}

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "content-security-policy" not in ask.get("payment/credit/mine").headers


def test_the_page_needs_no_inline_code(ask: Asker):
    """Its styles and its script are files, so that a text that arrived can never be run."""
    page = ask("GET", "/").content.decode()

    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script src="/static/outbox.js"') == 1
    assert ask("GET", "/static/outbox.css").headers["content-type"].startswith("text/css")
    assert "javascript" in ask("GET", "/static/outbox.js").headers["content-type"]


class TestBeyondThisMachine:
    """A sandbox that listens on all interfaces."""

    def test_nothing_is_open_without_its_token(self, beyond, asker: type[Asker]):
        """Page, gateway and control are closed to who knows only the usual token."""
        ask = asker(beyond)

        for token in ("", "sandbox-token"):
            for path in ("/", "/sandbox/state", "/sandbox/habits", "/v1/api/payment/credit/mine"):
                assert ask("GET", path, token=token).status == 401
            assert ask("POST", "/sandbox/faults", ORDER, token=token).status == 401
            assert ask("POST", "/v1/api/send", {}, token=token).status == 401
        assert beyond.state()["faults"] == []

    def test_all_is_open_with_it(self, beyond, asker: type[Asker]):
        """The token of this run opens all, by address and by a container's name for the gateway."""
        ask = asker(beyond)

        assert len(beyond.token) > 20
        assert ask("POST", "/sandbox/faults", ORDER, Host="10.1.2.3:8025").status == 200
        assert ask("GET", "/", Host="10.1.2.3:8025").status == 200
        assert ask("GET", "/v1/api/payment/credit/mine", Host="sms.company.test:8025").status == 200
        assert ask("GET", "/", Host="sms.company.test:8025").status == 421

    def test_the_page_opens_by_the_link(self, beyond, asker: type[Asker]):
        """The printed link gives the browser its cookie, and leads to an address without the token."""
        ask = asker(beyond)
        asked = ask("GET", "/", token="")
        assert (asked.status, b'name="token"' in asked.content) == (401, True)
        assert "set-cookie" not in asked.headers

        opened = ask("GET", f"/?token={beyond.token}&q=a+b", token="")
        assert (opened.status, opened.headers["location"]) == (303, "/?q=a+b")

        cookie = cookie_of(opened)
        assert ask("GET", "/?q=a+b", token="", Cookie=cookie).status == 200
        assert ask("POST", "/sandbox/faults", ORDER, token="", Cookie=cookie).status == 200
        assert ask("GET", f"/?token={beyond.token}", token="").headers["location"] == "/"
        assert ask("GET", "/?token=guess", token="").status == 401

    def test_a_token_of_ones_own_stays(self):
        """Who names a token, as in a file of services, gets that one."""
        assert Sandbox(host="0.0.0.0", token="mine").token == "mine"


class TestTooMuch:
    """Requests that are made to exhaust it."""

    def send_head(self, sandbox, *lines, body=b"", timeout=10):
        connection = socket.create_connection(("127.0.0.1", sandbox.bound_port), timeout=timeout)
        head = "\r\n".join(["POST /v1/api/send HTTP/1.1", "Host: localhost", *lines, "", ""])
        connection.sendall(head.encode() + body)
        return connection

    @pytest.mark.parametrize("size", ["Content-Length: 600000000", "Transfer-Encoding: chunked"])
    def test_the_token_is_checked_before_the_body(self, size, sandbox: Sandbox):
        """Who has no token is refused after the head of a request."""
        with self.send_head(sandbox, "Authorization: guess", size) as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 401")

    def test_a_body_that_is_declared_too_large(self, sandbox: Sandbox):
        """It is refused before it is sent."""
        lines = (
            f"Authorization: {sandbox.token}",
            "Content-Type: application/json",
            "Content-Length: 600000000",
        )
        with self.send_head(sandbox, *lines) as connection:
            answer = b""
            while b"status" not in answer and (chunk := connection.recv(4000)):
                answer += chunk

        assert answer.startswith(b"HTTP/1.1 413")
        assert b'"status":false' in answer
        assert [(request.status, request.taken) for request in sandbox.requests] == [(413, False)]

    @pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=b"])
    def test_a_body_that_grows_too_large(self, content_type, asker: type[Asker]):
        """A chunked body is refused at the limit; that of uploads is another than that of JSON."""
        with Sandbox(max_json_bytes=1000, max_upload_bytes=1000) as sandbox:
            chunk = b"--b\r\n" + b"x" * 995
            lines = (
                f"Authorization: {sandbox.token}",
                f"Content-Type: {content_type}",
                "Transfer-Encoding: chunked",
            )
            with self.send_head(sandbox, *lines, body=b"3e8\r\n%b\r\n1\r\nx\r\n" % chunk) as connection:
                assert connection.recv(4000).startswith(b"HTTP/1.1 413")

        with Sandbox(max_json_bytes=100) as sandbox:
            assert asker(sandbox).send("hello").status == 413
            assert asker(sandbox).upload("recipient,message\n09120000000,hello\n").status == 200

    def test_a_large_upload_within_the_limit(self, sandbox: Sandbox, ask: Asker):
        """Files above a megabyte wait on disk, and are read whole."""
        text = "سلام" * 100
        rows = "".join(f"0912{number:07},{text}\n" for number in range(3_000))

        assert len(ask.upload("recipient,message\n" + rows).ids) == 3_000
        assert sandbox.requests[0].body_size > 2_000_000

    def test_a_request_that_never_ends_is_cut(self, asker: type[Asker]):
        """Half a head, half a body and a silent connection are cut; slow answers and idle ones are not."""
        with Sandbox(receive_timeout_s=0.3, latency_s=0.6) as sandbox:
            half_a_head = socket.create_connection(("127.0.0.1", sandbox.bound_port), timeout=10)
            half_a_head.sendall(b"GET / HTTP/1.1\r\nHos")
            silent = socket.create_connection(("127.0.0.1", sandbox.bound_port), timeout=10)
            half_a_body = self.send_head(
                sandbox, f"Authorization: {sandbox.token}", "Content-Length: 9", body=b"{"
            )

            assert asker(sandbox).send("hello").status == 200
            for connection in (half_a_head, silent, half_a_body):
                with connection, contextlib.suppress(ConnectionResetError):
                    assert connection.recv(1) == b""
            assert sandbox.send_requests == 1

    @pytest.mark.parametrize("body", [b"[" * 100_000, b'{"params":' * 100_000, b"9" * 100_000])
    def test_json_that_is_too_deep_or_too_long_a_number(self, body, ask: Asker):
        """The gateway's answer is 422."""
        reply = ask("POST", "/v1/api/send", body=body)

        assert (reply.status, list(reply.errors)) == (422, ["body"])


def workbook(*, reference="A1", sheet=None, strings="", pad=0):
    """Write the smallest workbook that calamine reads; one cell is at ``reference``."""
    content = io.BytesIO()
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    row = reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    cell = f'<c r="{reference}" t="inlineStr"><is><t>09120000000</t></is></c>'
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{relations}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/>'
            "</Relationships>",
        )
        book.writestr(
            "xl/worksheets/sheet1.xml",
            sheet or f'<worksheet {main}><sheetData><row r="{row}">{cell}</row></sheetData></worksheet>',
        )
        book.writestr("xl/sharedStrings.xml", f"<sst {main}>{strings}</sst>")
        if pad:
            with book.open("xl/media/pad.xml", "w", force_zip64=True) as entry:
                for _ in range(pad):
                    entry.write(b" " * 1024 * 1024)
    return content.getvalue()


def lying(content):
    """State a small size for every entry, in the directory and in front of each entry."""
    small, changed = struct.pack("<L", 40), bytearray(content)
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = changed.find(signature)
        while place >= 0:
            changed[place + offset : place + offset + 4] = small
            place = changed.find(signature, place + 4)
    return bytes(changed)


HOSTILE = {
    "the last cell of all": lambda: workbook(reference="XFD1048576"),
    "the last row": lambda: workbook(reference="A1048576"),
    "a cell beyond all": lambda: workbook(reference="ZZZZZZZ99999"),
    "a row beyond all": lambda: workbook(reference="A99999999999999999999"),
    "a bomb": lambda: workbook(pad=200),
    "a bomb that states a small size": lambda: lying(workbook(strings="<si><t>x</t></si>" * 100_000)),
    "cut off": lambda: workbook()[:-30],
    "damaged inside": lambda: workbook()[:60] + b"\xff" * 60 + workbook()[120:],
    "a damaged sheet": lambda: workbook(sheet="<worksheet><sheetData><row><c r="),
    "no sheet": lambda: workbook(sheet="<nothing/>"),
    "no archive": lambda: b"PK\x03\x04" + b"\x00" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_is_refused(name, sandbox: Sandbox, ask: Asker):
    """The gateway's answer is 422 on ``files``, and the sandbox goes on, without having grown."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    reply = ask.upload(HOSTILE[name](), name="messages.xlsx")

    assert (reply.status, list(reply.errors)) == (422, ["files"])
    assert ask.send("hello").status == 200
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown / (2**20 if sys.platform == "darwin" else 2**10) < 400  # bytes there, kB elsewhere


def test_a_password_is_a_refusal(ask: Asker):
    """An encrypted entry cannot be read."""
    content = bytearray(workbook())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.find(signature) + offset] |= 1

    assert ask.upload(bytes(content), name="messages.xlsx").status == 422
