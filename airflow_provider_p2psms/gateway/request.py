"""
The documents that leave for the gateway, as pure functions: groups in JSON, or rows in an uploaded file.

What comes back is read in ``response``.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from airflow_provider_p2psms.batch import BETWEEN, split_messages

SEND_PATH = "/api/send"

# What JSON escapes, but for line ends. Thirty searches for a byte each take half as long as one for a class.
_ESCAPED = bytes({*range(1, 32), *b'"\\'} - {*b"\n"})


class Group(msgspec.Struct, frozen=True, gc=False):
    """A text with all its recipients: one entry of ``params``, one outbox id."""

    recipients: Sequence[str]
    message: str

    def __repr__(self) -> str:
        return f"<Group of {len(self.recipients)} recipients>"


def build_peer_to_peer(
    groups: list[Group] | msgspec.Raw, *, from_number: str, send_time: str | None = None
) -> bytes:
    """
    Return the JSON body of a peer-to-peer send, in UTF-8 without ASCII escapes.

    ``groups`` may be what ``write_groups`` has written; it is put in as it is.
    ``send_time`` is ``YYYY-MM-DD HH:MM:SS`` in UTC; without it the messages go at once.

    Source: gateway docs, "Send Peer to Peer SMS", "Request Body".
    """
    return msgspec.json.encode(
        {
            "sending_type": "peer_to_peer",
            "from_number": from_number,
            "params": groups,
            **({"send_time": send_time} if send_time else {}),
        }
    )


def write_groups(groups: list[Group]) -> bytes:
    """Write groups as they stand in the body of a send."""
    return msgspec.json.encode(groups)


def write_single_groups(messages: bytes) -> bytes:
    """
    Write groups of one recipient each, as ``write_groups`` does, in a third of the time.

    :param messages: as they stand in a batch.

    They can leave as they are, unless JSON has to escape something of them. Line ends are escaped here, as
    many texts have them, and whatever else there is by the library.
    """
    if not messages or any(map(messages.__contains__, _ESCAPED)):
        each = zip(*split_messages(messages), strict=True)
        return write_groups([Group((recipient.decode(),), text.decode()) for recipient, text in each])
    groups = (
        messages.replace(b"\n", b"\\n")
        .replace(b"\0", b'"],"message":"')
        .replace(BETWEEN, b'"},{"recipients":["')
    )
    return b'[{"recipients":["%b"}]' % groups


def read_groups(content: bytes) -> list[Group]:
    """Read back what ``write_groups`` has written."""
    return msgspec.json.decode(content, type=list[Group])


def build_peer_to_peer_file(*, from_number: str, send_time: str | None = None) -> dict[str, str]:
    """
    Return the form fields that go beside the file of a peer-to-peer send by file.

    Source: gateway docs, "Send Peer to Peer by File", "Request Body".
    """
    return {
        "sending_type": "peer_to_peer_file",
        "from_number": from_number,
        **({"send_time": send_time} if send_time else {}),
    }


def build_csv(messages: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    Return the file of such a send: header ``recipient,message``, a row a message, plain UTF-8, RFC 4180.

    :param messages: recipient and text of each, in UTF-8.

    What else the gateway can read is nowhere stated, so it gets the plainest form: no BOM, commas, every text
    quoted, CRLF.
    """
    rows = (b'%b,"%b"\r\n' % (recipient, text.replace(b'"', b'""')) for recipient, text in messages)
    return b"recipient,message\r\n" + b"".join(rows)


def read_csv(content: bytes) -> Iterator[tuple[str, str]]:
    """Read back the messages that ``build_csv`` has written."""
    rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    next(rows)
    return ((recipient, text) for recipient, text in rows)
