"""
What a send sent and was answered, as it is kept for the page; and the same as a command for a terminal.

The token is never kept and never shown: the command has a placeholder.
"""

import json
import re
import shlex
import unicodedata
from typing import Any

from airflow_provider_p2psms.sandbox.calls import MULTIPART, Call
from airflow_provider_p2psms.sandbox.envelope import Answer
from airflow_provider_p2psms.sandbox.faults import Order

# A larger body is not kept: the page says so.
MOST_BYTES = 1024 * 1024
_MOST_ARGUMENT = 100_000  # Linux takes no longer one than 128 KiB
_TOKEN = "Authorization: YOUR_TOKEN"  # noqa: S105 - a placeholder


def write_sent(call: Call) -> bytes:
    """Return what a call sent as it is kept: the JSON as it came, or a form's fields and files as JSON."""
    if call.form is None:
        return call.body[: MOST_BYTES + 1]
    files = [{"name": name, "text": content.decode(errors="replace")} for name, content in call.form.files]
    return json.dumps({"fields": call.form.fields, "files": files}, ensure_ascii=False).encode()[
        : MOST_BYTES + 1
    ]


def describe_answer(answer: Answer, order: Order | None) -> str:
    """Return what was answered, for a person to read: JSON, or which fault stood in for it."""
    body = json.dumps(answer.body, ensure_ascii=False, indent=2)
    if order is None:
        return f"HTTP {answer.status}\n{body}"
    status = order.meant.status
    answered = f"HTTP {status}" if status else "no answer"
    return f"{answered}, by the fault {order.fault}; without it:\nHTTP {answer.status}\n{body}"


def show_sent(media_type: str, sent: bytes) -> str:
    """Return what a request sent, for a person to read."""
    if len(sent) > MOST_BYTES:
        return f"More than {MOST_BYTES:,} bytes were sent; they are not kept."
    if media_type == MULTIPART:
        form = json.loads(sent)
        fields = [f"{name}={value}" for name, value in form["fields"].items()]
        files = [f"files[]: {each['name']}\n{each['text']}" for each in form["files"]]
        return "\n".join([*fields, *files])
    try:
        return json.dumps(json.loads(sent), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return sent.decode(errors="replace")


def as_curl(url: str, media_type: str, sent: bytes) -> str | None:
    """
    Return the request as a command for a POSIX shell; ``None`` where it cannot be given.

    What was sent stays inside of quotes. Characters that a terminal would obey are escaped.
    """
    if len(sent) > MOST_BYTES:
        return None
    try:
        body = json.loads(sent)
    except (ValueError, RecursionError):
        return None
    if media_type == MULTIPART:
        return _form_as_curl(url, body)
    content = _escape_unseen(json.dumps(body, ensure_ascii=False))
    head = f"curl -H {shlex.quote(_TOKEN)} -H 'Content-Type: application/json'"
    if len(content.encode()) > _MOST_ARGUMENT:
        return f"printf %s {shlex.quote(content)} | {head} --data-binary @- {shlex.quote(url)}"
    return f"{head} \\\n  --data-raw {shlex.quote(content)} \\\n  {shlex.quote(url)}"


def _form_as_curl(url: str, form: dict[str, Any]) -> str | None:
    if len(form["files"]) != 1 or not form["files"][0]["name"].lower().endswith(".csv"):
        return None
    [file] = form["files"]
    if file["text"] != _plain(file["text"]):
        return None
    fields = "".join(f" \\\n  --form-string {shlex.quote(f'{k}={v}')}" for k, v in form["fields"].items())
    name = re.sub(r"[^\w.-]", "_", _plain(file["name"]))
    upload = shlex.quote(f"files[]=@-;filename={name}")
    return (
        f"printf %s {shlex.quote(file['text'])} |\n  curl -H {shlex.quote(_TOKEN)}{_plain(fields)}"
        f" \\\n  -F {upload} {shlex.quote(url)}"
    )


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf")


def _escape_unseen(content: str) -> str:
    # Inside of JSON texts alone: outside of them nothing unseen is written.
    return "".join(
        f"\\u{ord(each):04x}" if _is_unseen(each) and ord(each) < 0x10000 else each for each in content
    )


def _plain(text: str) -> str:
    return "".join(each for each in text if each in "\r\n\t" or not _is_unseen(each) or each == "\u200c")
