"""
The ledger's entries, and how they are written: JSON under 64 KiB a record, nothing personal, legible in a UI.

An *intent* names by their digests the messages that a request is about to carry; a *settlement* says of an
intent which outbox id each of its messages got, 0 for those that were certainly not taken, -1 for those of
which it says nothing. What no settlement speaks of is in doubt. A *closing* ends a send that was accepted
whole.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from operator import sub
from typing import Any

import msgspec

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, Digests

# 2,000 digests take 32 kB in Base64: one intent always fits into a record.
MOST_DIGESTS = 2_000
MOST_BYTES = 60_000
# Of an entry in JSON: its names and numbers.
_MOST_BUT_TEXT = 200

# Of steps below 128: the sign is in the lowest bit.
_SHORT, _TOO_LONG = bytes(range(64)), b"\xff"
_DOUBLED = bytes(2 * step & 255 for step in range(256))

NOT_TAKEN = 0
UNSETTLED = -1


class Intent(msgspec.Struct, frozen=True, tag="intent", tag_field="kind"):
    """
    Messages that are about to leave in one request.

    ``at`` is when this was written and ``until`` when the request is over, whatever happens; Unix seconds.
    """

    number: int
    at: float
    until: float
    sender: str
    digests: str

    def unpack(self) -> Digests:
        """
        Return the digests.

        :raises LedgerError: they cannot be read.
        """
        digests = Digests(_unpack(self.digests))
        if len(digests.packed) % DIGEST_BYTES:
            raise _unreadable()
        return digests


class Settlement(msgspec.Struct, frozen=True, tag="settlement", tag_field="kind"):
    """What came of intent ``number`` of try ``slot``: its messages' ids, in the order of its digests."""

    slot: str
    number: int
    ids: str

    def unpack(self) -> list[int]:
        """Return the ids one by one."""
        return list(_unpack_ids(_unpack(self.ids)))


class Closing(msgspec.Struct, frozen=True, tag="closing", tag_field="kind"):
    """All messages of a send were accepted; what its result said beside the counts and ids."""

    requests: int
    send_time: str | None
    cost: int | None = None


Entry = Intent | Settlement | Closing


def pack_digests(digests: Digests) -> str:
    """Return digests as text for an intent."""
    return b64encode(digests.packed).decode()


def pack_ids(ids: Iterable[int]) -> str:
    """Return ids as text for a settlement: differences, which are small, in as few bytes as they need."""
    ids = list(ids)
    try:  # a gateway that counts: one byte each
        later = bytes(map(sub, ids[1:], ids))
    except ValueError:
        later = _TOO_LONG
    if later.translate(None, _SHORT):
        packed = _pack_steps(map(sub, ids, [0, *ids]))
    else:
        packed = _pack_steps(ids[:1]) + later.translate(_DOUBLED)
    return b64encode(packed).decode()


def _pack_steps(steps: Iterable[int]) -> bytearray:
    packed = bytearray()
    for step in steps:
        rest = step * 2 if step >= 0 else -step * 2 - 1
        while rest > 127:
            packed.append(rest & 127 | 128)
            rest >>= 7
        packed.append(rest)
    return packed


def to_json(entries: list[Entry]) -> Any:
    """Return entries as the plain values that any store keeps."""
    return msgspec.to_builtins(entries)


def from_json(value: Any) -> list[Entry]:
    """
    Read entries back.

    :raises LedgerError: they are none; someone else has written there.
    """
    try:
        return msgspec.convert(value, list[Entry])
    except msgspec.ValidationError as err:
        raise LedgerError("The ledger holds a record that is none of its own.") from err


def _unpack(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as err:
        raise _unreadable() from err


def _unreadable() -> LedgerError:
    return LedgerError("The ledger holds an entry that cannot be read: its record was changed.")


def size(entry: Entry) -> int:
    """Return how many bytes an entry takes in JSON at most."""
    return _MOST_BUT_TEXT + sum(len(value) for value in msgspec.structs.astuple(entry) if type(value) is str)


def _unpack_ids(packed: bytes) -> Iterator[int]:
    last = step = shift = 0
    for byte in packed:
        step |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            last += step // 2 if step % 2 == 0 else -(step + 1) // 2
            yield last
            step = shift = 0
