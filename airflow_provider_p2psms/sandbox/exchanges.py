"""
What a send sent and was answered, as it is kept for the page; and the same as a command for a terminal.

The token is never kept and never shown: the command has a placeholder. What a command cannot hold is kept as
a file, which the command names.
"""

import json
import re
import shlex
import unicodedata
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from airflow_provider_p2psms.sandbox.calls import MULTIPART, Call
from airflow_provider_p2psms.sandbox.envelope import Answer
from airflow_provider_p2psms.sandbox.faults import Order

# The page shows no more of a request, and a command holds no more.
MOST_BYTES = 1024 * 1024
_MOST_ARGUMENT = 100_000  # Linux takes no longer one than 128 KiB
_TOKEN = "Authorization: YOUR_TOKEN"  # noqa: S105 - a placeholder


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What a call sent as it is kept: ``shown``, and the ``file`` that is the body or the upload.

    ``file`` is None where ``shown`` has all of it.
    """

    shown: bytes = field(repr=False)
    file: bytes | None = field(default=None, repr=False)
    suffix: str = ""


def keep_sent(call: Call) -> Sent:
    """Return what a call sent as it is kept: JSON as it came, or a form's fields and files as JSON."""
    if call.form is None:
        is_large = len(call.body) > MOST_BYTES
        return Sent(call.body[: MOST_BYTES + 1], call.body if is_large else None, ".json")
    files = [_describe_file(name, content) for name, content in call.form.files]
    shown = json.dumps({"fields": call.form.fields, "files": files}, ensure_ascii=False).encode()
    if len(files) == 1 and "text" not in files[0]:
        name, content = call.form.files[0]
        return Sent(shown[: MOST_BYTES + 1], content, _suffix_of(name))
    return Sent(shown[: MOST_BYTES + 1])


def _describe_file(name: str, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    # A command may hold what a terminal shows as it is; the rest is a file.
    if text is None or len(content) > MOST_BYTES or not name.lower().endswith(".csv") or text != _plain(text):
        return {"name": name, "size": len(content)}
    return {"name": name, "text": text}


def _suffix_of(name: str) -> str:
    return re.sub(r"[^.a-z0-9]", "", PurePath(name).suffix.lower())


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
        return f"More than {MOST_BYTES:,} bytes were sent; they are not shown."
    if media_type == MULTIPART:
        form = json.loads(sent)
        fields = [f"{name}={value}" for name, value in form["fields"].items()]
        files = [f"files[]: {each['name']}\n{_show_file(each)}" for each in form["files"]]
        return "\n".join([*fields, *files])
    try:
        return json.dumps(json.loads(sent), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return sent.decode(errors="replace")


def _show_file(file: dict[str, Any]) -> str:
    return str(file["text"]) if "text" in file else f"({file['size']:,} bytes)"


def as_curl(url: str, media_type: str, sent: bytes, *, file_name: str = "") -> str | None:
    """
    Return the request as a command for a POSIX shell; ``None`` where it cannot be given.

    What was sent stays inside of quotes. Characters that a terminal would obey are escaped.

    :param file_name: the file in the working folder that is the body or the upload; empty if there is none.
    """
    if file_name and media_type != MULTIPART:
        content_type = shlex.quote(f"Content-Type: {_plain(media_type)}")
        head = f"curl -H {shlex.quote(_TOKEN)} -H {content_type}"
        return f"{head} \\\n  --data-binary @{shlex.quote(file_name)} \\\n  {shlex.quote(url)}"
    if len(sent) > MOST_BYTES:
        return None
    try:
        body = json.loads(sent)
    except (ValueError, RecursionError):
        return None
    if media_type == MULTIPART:
        return _form_as_curl(url, body, file_name)
    content = _escape_unseen(json.dumps(body, ensure_ascii=False))
    head = f"curl -H {shlex.quote(_TOKEN)} -H 'Content-Type: application/json'"
    if len(content.encode()) > _MOST_ARGUMENT:
        return f"printf %s {shlex.quote(content)} | {head} --data-binary @- {shlex.quote(url)}"
    return f"{head} \\\n  --data-raw {shlex.quote(content)} \\\n  {shlex.quote(url)}"


def _form_as_curl(url: str, form: dict[str, Any], file_name: str) -> str | None:
    if len(form["files"]) != 1:
        return None
    [file] = form["files"]
    # What an earlier sandbox has kept may be the text of what is none.
    if not file_name and ("text" not in file or _describe_file(file["name"], file["text"].encode()) != file):
        return None
    fields = "".join(f" \\\n  --form-string {shlex.quote(f'{k}={v}')}" for k, v in form["fields"].items())
    name = re.sub(r"[^\w.-]", "_", _plain(file["name"]))
    upload = shlex.quote(f"files[]=@{file_name or '-'};filename={name}")
    before = "" if file_name else f"printf %s {shlex.quote(file['text'])} |\n  "
    return f"{before}curl -H {shlex.quote(_TOKEN)}{_plain(fields)} \\\n  -F {upload} {shlex.quote(url)}"


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf")


def _escape_unseen(content: str) -> str:
    # Inside of JSON texts alone: outside of them nothing unseen is written.
    return "".join(
        f"\\u{ord(each):04x}" if _is_unseen(each) and ord(each) < 0x10000 else each for each in content
    )


def _plain(text: str) -> str:
    return "".join(each for each in text if each in "\r\n\t" or not _is_unseen(each) or each == "\u200c")
