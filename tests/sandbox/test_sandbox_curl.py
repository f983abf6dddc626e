"""A request as the page shows it, and the command that sends the same again."""

import html
import io
import shlex
import shutil
import subprocess

import pytest
import xlsxwriter

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.calls import MULTIPART
from airflow_provider_p2psms.sandbox.exchanges import as_curl, show_sent
from tests.sandbox.conftest import Asker

URL = "http://127.0.0.1:8025/v1/api/send"
DAY = "2025-10-10 08:53:20"
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")


@pytest.fixture
def command(ask: Asker, sandbox: Sandbox):
    """Return the command that the page shows for a request; it holds no token."""

    def read(request):
        page = ask("GET", f"/requests?request={request}").content.decode()
        assert sandbox.token not in page
        found = page.partition('<pre id="curl" dir="ltr" tabindex="0">')[2].partition("</pre>")[0]
        return html.unescape(found)

    return read


@pytest.fixture
def run(sandbox: Sandbox, tmp_path):
    """Run a command in a folder of its own, with the token put in."""

    def run(command):
        sandbox.duplicate_window_s = 0
        with_token = command.replace("YOUR_TOKEN", sandbox.token)
        subprocess.run(["sh", "-c", with_token], check=True, cwd=tmp_path)

    return run


@pytest.fixture
def download(ask: Asker, tmp_path):
    """Save the file of a request under the name that its answer gives."""

    def save(request):
        reply = ask("GET", f"/sandbox/requests/{request}/body")
        name = reply.headers["content-disposition"].partition('filename="')[2].rstrip('"')
        (tmp_path / name).write_bytes(reply.content)
        return name

    return save


def workbook(*rows):
    """Return an XLSX file."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return content.getvalue()


@needs_curl
def test_the_request_as_curl_sends_the_same(ask: Asker, sandbox: Sandbox, command, run):
    """The command of the page, with the token put in, makes the same messages."""
    text = "it's $HOME `id` \\ \u202e سلام\nline"
    ask.send(text)

    run(command(1))

    assert sandbox.texts_arrived == [text] * 2
    assert "\u202e" not in command(1)


@needs_curl
def test_a_file_as_curl(ask: Asker, sandbox: Sandbox, command, run):
    """A small CSV is in the command."""
    ask.upload("recipient,message\n+989120000005,it's $HOME\n", name="my list.csv", send_time=DAY)

    run(command(1))

    assert sandbox.texts_arrived == ["it's $HOME"] * 2
    assert shlex.split(command(1))[0] == "printf"


@needs_curl
def test_a_workbook_as_curl(ask: Asker, sandbox: Sandbox, command, run, download):
    """The command uploads a file that the page offers: what arrived is the same, and so is its name."""
    rows = [("+989120000001", "it's $HOME"), ("+989120000002", "سلام")]
    ask.upload(workbook(*rows), name="my rows.XLSX")

    shown = command(1)
    assert download(1) == "request-1.xlsx"
    assert "files[]=@request-1.xlsx;filename=my_rows.XLSX" in shown
    run(shown)

    assert sandbox.texts_arrived == [text for _, text in rows] * 2
    page = ask("GET", "/requests?request=1").content.decode()
    assert '<a href="/sandbox/requests/1/body" download>request-1.xlsx</a>' in page
    assert "files[]: my rows.XLSX\n(" in page


@needs_curl
def test_a_large_json_as_curl(ask: Asker, sandbox: Sandbox, command, run, download):
    """A body above 1 MiB is a file that the command sends as it came."""
    texts = [f"{number} {'سلام ' * 200}" for number in range(300)]
    ask.send(*texts)

    assert download(1) == "request-1.json"
    assert "--data-binary @request-1.json" in command(1)
    run(command(1))

    assert sandbox.texts_arrived == texts * 2
    assert "More than 1,048,576 bytes were sent; they are not shown." in (
        ask("GET", "/requests?request=1").content.decode()
    )


@needs_curl
@pytest.mark.parametrize("text", ["x" * 150, "a \u202e b"], ids=["large", "not seen"])
def test_a_file_of_text_as_a_download(text, ask: Asker, sandbox: Sandbox, command, run, download):
    """A CSV above 1 MiB, or one with characters that a terminal obeys, is not put into the command."""
    count = 8_000 if text[0] == "x" else 1
    rows = [f"+989120000000,{text} {number}\n" for number in range(count)]
    ask.upload("recipient,message\n" + "".join(rows), send_time=DAY)

    assert download(1) == "request-1.csv"
    assert text not in command(1)
    run(command(1))

    assert len(sandbox.texts_arrived) == 2 * count
    assert {each.send_time for each in sandbox.arrived} == {DAY}


def test_the_newest_bodies_are_kept(ask: Asker, sandbox: Sandbox, command):
    """Of a body that is no longer kept the page says so."""
    for number in range(6):
        ask.upload(b"PK" + bytes([number]) * 12 * 1024 * 1024, name="rows.xlsx")

    assert ask("GET", "/sandbox/requests/1/body").status == 404
    assert command(1) == ""
    assert "or is no longer kept" in ask("GET", "/requests?request=1").content.decode()
    assert len(ask("GET", "/sandbox/requests/2/body").content) == 12 * 1024 * 1024 + 2


@pytest.mark.parametrize("request_id", ["5", "9" * 30, "x"])
def test_a_body_that_is_not_there(request_id, ask: Asker):
    """It is answered 404."""
    ask.send("hello")

    assert ask("GET", f"/sandbox/requests/{request_id}/body").status == 404
    assert ask("GET", "/sandbox/requests/1/body").status == 404  # the page shows all of it


def test_bodies_are_deleted_with_their_requests(ask: Asker, sandbox: Sandbox):
    """Delete all deletes them."""
    ask.upload(workbook(("+989120000001", "a")), name="rows.xlsx")

    ask("DELETE", "/sandbox/messages")

    assert ask("GET", "/sandbox/requests/1/body").status == 404


def test_a_body_needs_the_token_beyond_this_machine(asker: type[Asker]):
    """It may hold numbers and texts."""
    with Sandbox(host="0.0.0.0") as sandbox:
        asker(sandbox).upload(workbook(("+989120000001", "a")), name="rows.xlsx")

        assert asker(sandbox)("GET", "/sandbox/requests/1/body", token="").status == 401
        reply = asker(sandbox)("GET", "/sandbox/requests/1/body")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")
        assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("media_type", "sent", "shown"),
    [
        ("application/json", b'{"a": 1}', '{\n  "a": 1\n}'),
        ("application/json", b"{\xff", "{\ufffd"),
        ("application/json", b"[" * 10_000, "[" * 10_000),
        (MULTIPART, b'{"fields": {"a": "b"}, "files": []}', "a=b"),
    ],
)
def test_what_was_sent_is_shown(media_type, sent, shown):
    """JSON is laid out; what is none is shown as it came."""
    assert show_sent(media_type, sent) == shown


@pytest.mark.parametrize(
    ("media_type", "sent"),
    [
        ("application/json", b"$(reboot)"),
        ("application/json", b"[" * 10_000),
        ("application/json", b"1" * 2_000_000),
        (MULTIPART, b'{"fields": {}, "files": []}'),
        (MULTIPART, b'{"fields": {}, "files": [{"name": "a.xlsx", "size": 2}]}'),
        # As an earlier sandbox has kept them.
        (MULTIPART, b'{"fields": {}, "files": [{"name": "a.xlsx", "text": "PK"}]}'),
        (MULTIPART, b'{"fields": {}, "files": [{"name": "a.csv", "text": "\\u001b[2J"}]}'),
    ],
)
def test_what_is_not_given_as_a_command(media_type, sent):
    """What a terminal could obey, what is no text, and what is too large, where there is no file."""
    assert as_curl(URL, media_type, sent) is None


def test_a_long_request_is_piped():
    """An argument may not be as long."""
    command = as_curl(URL, "application/json", b'"' + b"a" * 150_000 + b'"')

    assert (command or "").startswith("printf %s '\"aaa")
    assert (command or "").endswith(f"--data-binary @- {URL}")
