"""What the page says of a text and of a request, and who may read it."""

import pytest

from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sandbox.characters import dissect
from tests.sandbox.conftest import Asker


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


def test_a_message_that_is_not_there(ask: Asker):
    """The list is shown alone."""
    ask.send("hello")

    for query in ("open=5", "open=x", "outbox_id=5", "open="):
        assert '<aside id="detail" data-live aria-label="The message that is opened" hidden>' in (
            ask("GET", f"/?{query}").content.decode()
        )


def test_all_trouble_is_told(sandbox: Sandbox, ask: Asker):
    """Each fault with what matters of it."""
    sandbox.order_fault("slow", times=None, delay_s=1.5, path="/", after=2)
    sandbox.order_fault("undelivered", times=3, share=0.25, from_number="+981000")

    page = ask("GET", "/").content.decode()
    assert "fault slow, always, on all paths, 1.5 s late, after 2 more" in page
    assert "fault undelivered, 3 times, on /api/send, from +981000, 25% of the messages" in page


def test_beyond_this_machine_all_of_it_needs_the_token(asker: type[Asker]):
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
