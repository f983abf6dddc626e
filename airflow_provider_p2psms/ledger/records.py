"""
The ledger's entries, and how they are written: JSON of a limited size, with nothing personal.

An *intent* names by their digests the messages that a request is about to carry. A *settlement* says of an
intent which outbox id each of its messages got: 0 for *certainly not taken*, -1 for *not settled*, -2 for
*believed not taken, because a report did not show it*. A message without a settlement is in doubt. A *claim*
says that an intent's request is over, and what its answer said. A *witness* is a scheduled message to the
user's own number. A *completion* ends a send that was accepted whole. An *opening* begins a journal.

Records carry a format number, counts and checksums: a *segment* record begins with a ``Segment``, the record
of a journal's last entries with its ``Head``, and an ``Epoch`` belongs to fencing. In format 2 all entries
were in segments; it had longer digests, and ids were packed otherwise. Records of format 1 are lists of
entries alone. Entries of both are read as if they were of format 3.
"""

import re
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate
from operator import xor
from typing import Any, NamedTuple, TypeVar

import msgspec

from airflow_provider_p2psms.errors import LedgerError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES, OLD_DIGEST_BYTES, Digests

FORMAT = 3
OLD_FORMAT = 1
# 2,000 digests take 21 kB in Base64: one intent always fits into a record.
MOST_DIGESTS = 2_000
MOST_BYTES = 60_000
# So many ids of an answer fit into one claim, and so many journals into one opening.
MOST_IDS = 2_000
MOST_JOURNALS = 1_000
# Of an entry in JSON: its names and numbers.
_MOST_BUT_TEXT = 350
_MOST_OF_A_COUNT = 30
_CHECKSUM_BYTES = 8
_RUN = re.compile(r"([0-9]+)-([0-9]+)/([1-9][0-9]*)")

T = TypeVar("T")

NOT_TAKEN = 0
UNSETTLED = -1
# Believed not taken, because a report did not show it.
ABSENT = -2


# Not 0.0: a default is left out where it is this very object.
_NONE = 0


class Length(NamedTuple):
    """How many full segments a journal has, and how many entries in all."""

    segments: int = 0
    entries: int = 0


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, tag="intent", tag_field="kind"):
    """
    Messages that are about to leave in one request.

    ``at`` is when this was written and ``until`` when the request is over, whatever happens; Unix seconds.
    ``gateway`` and ``account`` name who is to take it, ``offset`` is the gateway's clock minus ours in
    seconds.
    """

    number: int
    at: float
    until: float
    sender: str
    digests: str
    gateway: str = ""
    account: str = ""
    offset: float = _NONE
    is_scheduled: bool = False
    is_witness: bool = False

    def unpack(self) -> Digests:
        """
        Return the digests.

        :raises LedgerError: they cannot be read.
        """
        digests = Digests(_unpack(self.digests))
        if len(digests.packed) % DIGEST_BYTES:
            raise _unreadable()
        return digests


class Settlement(msgspec.Struct, frozen=True, omit_defaults=True, tag="settlement", tag_field="kind"):
    """
    The result of intent ``number`` of ``writer``: its messages' ids, in the order of its digests.

    ``at`` is when an answer settled it, in Unix seconds; 0 where a report did.
    """

    writer: str = msgspec.field(name="slot")
    number: int
    ids: str
    at: float = _NONE
    offset: float = _NONE

    def unpack(self) -> list[int]:
        """Return the ids one by one."""
        return _unpack_ids(self.ids)


class Claim(msgspec.Struct, frozen=True, omit_defaults=True, tag="claim", tag_field="kind"):
    """
    The request of intent ``number`` of ``writer`` is over since ``over``, and its messages are in doubt.

    ``said_taken`` says that the gateway said it took them; ``ids`` are the ids of its answer.
    """

    writer: str = msgspec.field(name="slot")
    number: int
    over: float
    said_taken: bool = False
    ids: str = ""

    def unpack(self) -> list[int]:
        """Return the ids one by one."""
        return _unpack_ids(self.ids) if self.ids else []


class Witness(msgspec.Struct, frozen=True, omit_defaults=True, tag="witness", tag_field="kind"):
    """
    A scheduled message to the user's own number, to be cancelled once the report shows it.

    ``at`` is when it was about to leave, and names it; ``id`` is 0 while its outbox id is not known.
    """

    number: int
    at: float
    id: int = 0
    cancelled: bool = False


class Completion(msgspec.Struct, frozen=True, tag="closing", tag_field="kind"):
    """All messages of a send were accepted; what its result said beside the counts and ids."""

    requests: int
    send_time: str | None
    cost: int | None = None


class Opening(msgspec.Struct, frozen=True, omit_defaults=True, tag="opening", tag_field="kind"):
    """
    A try begins its journal, at ``begun`` in Unix seconds.

    ``saw`` names journals that were there, with the number of their entries. Journals that one of those names
    already are left out.
    """

    begun: float
    saw: dict[str, int] = msgspec.field(default_factory=dict)


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="segment", tag_field="kind"):
    """
    The first value of a record of a journal.

    ``number`` is its place there, ``before`` counts the entries of those before it, and ``entries`` its own.
    """

    format: int
    number: int
    before: int
    entries: int
    checksum: str


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="head", tag_field="kind"):
    """
    The first value of the record with a journal's last entries.

    ``segments`` are full, and ``entries`` counts all of the journal, those behind the head included.
    """

    format: int
    segments: int
    entries: int
    checksum: str


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="turn", tag_field="kind"):
    """``writer`` was the owner when this was created, and its journal held so much."""

    format: int
    writer: str = msgspec.field(name="slot")
    segments: int
    entries: int
    checksum: str


Entry = Intent | Settlement | Claim | Witness | Completion | Opening
_Header = TypeVar("_Header", Segment, Head, Epoch)


def pack_digests(digests: Digests) -> str:
    """Return digests as text for an intent."""
    return b64encode(digests.packed).decode()


def pack_ids(ids: Sequence[int]) -> str:
    """
    Return ids as text for a settlement.

    Those that count up evenly, as nearly always: ``first-last/step``. Others: the bits that change from each
    to the next, compressed, in Base64.
    """
    if isinstance(ids, range) and ids.step > 0 and ids:
        return f"{ids[0]}-{ids[-1]}/{ids.step}"
    changes = struct.pack(f"<{len(ids)}q", *map(xor, ids, (0, *ids)))
    return b64encode(zlib.compress(changes, level=1)).decode()


def seal(key: str, number: int, before: int, entries: list[Entry]) -> Any:
    """
    Return a segment's record: a header, and its entries, as the plain values that any store keeps.

    :param before: how many entries the segments before it hold.
    """
    header = Segment(FORMAT, number, before, len(entries), _checksum(key, number, before, entries))
    return msgspec.to_builtins([header, *entries])


def unseal(key: str, number: int, value: Any) -> tuple[int, list[Entry]]:
    """
    Read a segment back: how many entries the segments before it hold, and its own.

    :raises LedgerError: it was changed, or is none.
    """
    header = _header(value, Segment)
    entries = _convert(value[1:], list[Entry])
    is_whole = header.number == number and header.entries == len(entries)
    if not is_whole or header.checksum != _checksum(key, number, header.before, entries):
        raise _unreadable()
    return header.before, entries if header.format == FORMAT else _upgraded(entries)


def head_to_json(key: str, length: Length, entries: Sequence[Entry] = ()) -> Any:
    """
    Return the record with a journal's head as plain values.

    :param entries: those that no segment holds.
    """
    return msgspec.to_builtins([Head(FORMAT, *length, _checksum(key, *length, entries)), *entries])


def head_from_json(key: str, value: Any) -> tuple[Length, list[Entry]]:
    """
    Read the record with a journal's head back: how long the journal is, and the entries behind the head.

    :raises LedgerError: it was changed, or is none.
    """
    head = _header(value, Head)
    length, entries = Length(head.segments, head.entries), _convert(value[1:], list[Entry])
    if head.checksum != _checksum(key, *length, *([entries] if head.format == FORMAT else [])):
        raise _unreadable()
    return length, entries


def epoch_to_json(key: str, writer: str, length: Length) -> Any:
    """Return an epoch as plain values."""
    return msgspec.to_builtins([Epoch(FORMAT, writer, *length, _checksum(key, writer, *length))])


def epoch_from_json(key: str, value: Any) -> tuple[str, Length]:
    """
    Read an epoch back: whose it is, and what that one's journal held.

    :raises LedgerError: it was changed, or is none.
    """
    epoch = _header(value, Epoch)
    if len(value) > 1:
        raise _foreign()
    length = Length(epoch.segments, epoch.entries)
    if epoch.checksum != _checksum(key, epoch.writer, *length):
        raise _unreadable()
    return epoch.writer, length


def from_json(value: Any) -> list[Entry]:
    """
    Read the entries of a record of format 1.

    :raises LedgerError: they are none; someone else has written there.
    """
    return _upgraded(_convert(value, list[Entry]))


def _upgraded(entries: list[Entry]) -> list[Entry]:
    return [_upgrade(entry) for entry in entries]


def _upgrade(entry: Entry) -> Entry:
    if isinstance(entry, Intent):
        packed = _unpack(entry.digests)
        if len(packed) % OLD_DIGEST_BYTES:
            raise _unreadable()
        return msgspec.structs.replace(entry, digests=pack_digests(Digests.shortened(packed)))
    if isinstance(entry, Settlement | Claim) and entry.ids:
        return msgspec.structs.replace(entry, ids=pack_ids(list(_unpack_steps(_unpack(entry.ids)))))
    return entry


def _unpack_steps(packed: bytes) -> Iterator[int]:
    """Read ids of formats 1 and 2: the differences, seven bits a byte."""
    last = step = shift = 0
    for byte in packed:
        step |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            last += step // 2 if step % 2 == 0 else -(step + 1) // 2
            yield last
            step = shift = 0


def _convert(value: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as err:
        raise _foreign() from err


def _header(value: Any, kind: type[_Header]) -> _Header:
    """Return the first value of a record, if it is of a format that this version reads."""
    header = _convert(value[0] if isinstance(value, list) and value else None, kind)
    if not OLD_FORMAT < header.format <= FORMAT:
        raise LedgerError(f"a record has format {header.format}; this version reads formats up to {FORMAT}")
    return header


def _checksum(key: str, *values: Any) -> str:
    # Of the entries as they are written here: a store may order names, or write 1.0 as 1.
    return blake2b(msgspec.json.encode([key, *values]), digest_size=_CHECKSUM_BYTES).hexdigest()


def _foreign() -> LedgerError:
    return LedgerError("a record there was not written by the ledger")


def _unpack(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as err:
        raise _unreadable() from err


def _unreadable() -> LedgerError:
    return LedgerError("a record there was changed or cut: it cannot be read")


def size(entry: Entry) -> int:
    """Return how many bytes an entry takes in JSON at most."""
    if isinstance(entry, Opening):
        return _MOST_BUT_TEXT + sum(len(writer) + _MOST_OF_A_COUNT for writer in entry.saw)
    return _MOST_BUT_TEXT + sum(len(value) for value in msgspec.structs.astuple(entry) if type(value) is str)


def damage(where: str, reason: object) -> LedgerError:
    """Return the error of a ledger that holds less than was written, or something else."""
    return LedgerError(
        f"The ledger is damaged: {where}: {reason}. Nothing was sent on top of it. Restore this record from "
        "a backup, and clear the task. Or look at the gateway's outbox, and send what is missing there with "
        'resend="WORD", a new word, and only these rows.'
    )


def _unpack_ids(text: str) -> list[int]:
    if run := _RUN.fullmatch(text):
        first, last, step = map(int, run.groups())
        return list(range(first, last + 1, step))
    try:
        changes = zlib.decompress(_unpack(text))
        return list(accumulate(struct.unpack(f"<{len(changes) // 8}q", changes), xor))
    except (zlib.error, struct.error) as err:
        raise _unreadable() from err
