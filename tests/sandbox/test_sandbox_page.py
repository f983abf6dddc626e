"""What the page says of a text and of a request, and who may read it."""

import io

import pytest
import xlsxwriter

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.calls import MULTIPART
from airflow_provider_p2psms.sandbox.characters import dissect
from airflow_provider_p2psms.sandbox.exchanges import as_curl, show_sent

URL = "http://127.0.0.1:8025/v1/api/send"


@pytest.mark.parametrize(
    ("text", "direction", "encoding", "units", "fill", "culprit"),
    [
        ("hello", "ltr", "GSM-7", 5, [5], None),
        ("{x}", "ltr", "GSM-7", 5, [5], None),
        ("12:30", "ltr", "GSM-7", 5, [5], None),
        ("a" * 161, "ltr", "GSM-7", 161, [153, 8], None),
        ("Code ۱۲", "ltr", "UCS-2", 7, [7], "“۱” U+06F1 EXTENDED ARABIC-INDIC DIGIT ONE"),
        ("12 سلام", "rtl", "UCS-2", 7, [7], "“س” U+0633 ARABIC LETTER SEEN"),
        ("😀" * 40, "ltr", "UCS-2", 80, [67, 13], "“😀” U+1F600 GRINNING FACE"),
        ("a\u200bb", "ltr", "UCS-2", 3, [3], "U+200B ZERO WIDTH SPACE"),
    ],
)
def test_what_a_text_is_made_of(text, direction, encoding, units, fill, culprit):
    """Direction by the first letter; parts and their fill; the first character outside of GSM-7."""
    anatomy = dissect(text)

    assert (anatomy.direction, anatomy.encoding, anatomy.units) == (direction, encoding, units)
    assert (anatomy.fill, anatomy.culprit) == (fill, culprit)


def test_what_is_not_seen_is_named():
    """Once each; but not line ends, and not the joiner that Persian words are spelled with."""
    assert dissect("a\u202eb\u202e\x00\nمی\u200cخواهم\t").unseen == (
        "U+202E RIGHT-TO-LEFT OVERRIDE",
        "U+0000",
    )


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
        (MULTIPART, b'{"fields": {}, "files": [{"name": "a.xlsx", "text": "PK"}]}'),
        (MULTIPART, b'{"fields": {}, "files": [{"name": "a.csv", "text": "\\u001b[2J"}]}'),
    ],
)
def test_what_is_not_given_as_a_command(media_type, sent):
    """What a terminal could obey, what is no text, and what is too large."""
    assert as_curl(URL, media_type, sent) is None


def test_a_long_request_is_piped():
    """An argument may not be as long."""
    command = as_curl(URL, "application/json", b'"' + b"a" * 150_000 + b'"')

    assert (command or "").startswith("printf %s '\"aaa")
    assert (command or "").endswith(f"--data-binary @- {URL}")


def test_an_uploaded_workbook(ask):
    """Its page shows its fields; there is no command for it."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        book.add_worksheet().write_row(0, 0, ["+989120000001", "hello"])
    assert ask.upload(content.getvalue(), name="rows.xlsx").status == 200

    page = ask("GET", "/requests?request=1").content.decode()
    assert "files[]: rows.xlsx" in page
    assert "YOUR_TOKEN" not in page


def test_a_message_that_is_not_there(ask):
    """The list is shown alone."""
    ask.send("hello")

    for query in ("open=5", "open=x", "outbox_id=5", "open="):
        assert '<aside id="detail" data-live aria-label="The message that is opened" hidden>' in (
            ask("GET", f"/?{query}").content.decode()
        )


def test_all_trouble_is_told(sandbox, ask):
    """Each fault with what matters of it."""
    sandbox.order_fault("slow", times=None, delay_s=1.5, path="/", after=2)
    sandbox.order_fault("undelivered", times=3, share=0.25, from_number="+981000")

    page = ask("GET", "/").content.decode()
    assert "fault slow, always, on all paths, 1.5 s late, after 2 more" in page
    assert "fault undelivered, 3 times, on /api/send, from +981000, 25% of the messages" in page


def test_beyond_this_machine_all_of_it_needs_the_token(asker):
    """Pages, events, messages and their export."""
    with Sandbox(host="0.0.0.0") as sandbox:
        ask = asker(sandbox)
        ask.send("secret")
        for path in (
            *("/", "/requests", "/requests?request=1", "/trouble", "/sandbox/events", "/sandbox/messages"),
            *("/sandbox/messages.csv", "/sandbox/messages.json", "/sandbox/trouble"),
            f"/sandbox/messages/{sandbox.arrived[0].outbox_id}",
        ):
            reply = ask("GET", path, token="")
            assert (path, reply.status, b"secret" in reply.content) == (path, 401, False)
        for method, path in (
            *(("POST", "/sandbox/trouble"), ("DELETE", "/sandbox/trouble"), ("DELETE", "/sandbox/messages")),
            ("POST", "/sandbox/messages/1/cancel"),
        ):
            assert ask(method, path, {} if method == "POST" else None, token="").status == 401
        cookie = ask("GET", "/trouble").headers["set-cookie"].partition(";")[0]
        assert ask("GET", "/sandbox/messages", token="", Cookie=cookie).json["messages"] == 1
