"""How the ledger knows a message: by a digest of its sender, its recipient and its text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

# At a million messages the chance that any two share a digest is 3e-8.
DIGEST_BYTES = 8
# Ledgers of formats 1 and 2 hold so many bytes of each, of which ours are the first.
OLD_DIGEST_BYTES = 12
# Stands where a message's digest stood that is in question no more.
NO_DIGEST = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Digests:
    """
    The digests of one request's messages in one piece of memory: so they are kept, written and compared.

    One by one, those of a million messages would take as long as their requests.
    """

    packed: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> "Digests":
        """Put digests behind each other."""
        return cls(b"".join(digests))

    def __len__(self) -> int:
        return len(self.packed) // DIGEST_BYTES

    def __iter__(self) -> Iterator[bytes]:
        ends = range(DIGEST_BYTES, len(self.packed) + 1, DIGEST_BYTES)
        return (self.packed[end - DIGEST_BYTES : end] for end in ends)

    @classmethod
    def shortened(cls, packed: bytes) -> "Digests":
        """Return digests of formats 1 and 2 as they are written now."""
        starts = range(0, len(packed), OLD_DIGEST_BYTES)
        return cls.of(packed[start : start + DIGEST_BYTES] for start in starts)

    def pieces(self, most: int) -> "Iterator[Digests]":
        """Cut them into pieces of so many at most."""
        size = most * DIGEST_BYTES
        return (Digests(self.packed[start : start + size]) for start in range(0, len(self.packed), size))


class Digester:
    """
    Makes the digests of one send.

    The scope (which task of which run) is mixed in, so that the same message has another digest in another
    ledger. A digest does not hide a number from someone who knows scope, sender and text and tries all
    numbers; it keeps them out of sight.

    A message is recipient, NUL and what it is known by, in UTF-8: its text as ``identity.fold`` gives it, or
    its key. Ledgers of format 1 know it by the text as it was typed.

    :param distinct: whether a message that stands twice counts as one. If not, each next copy has a digest of
        its own.
    """

    def __init__(self, *, scope: str, sender: str, distinct: bool = True) -> None:
        own = blake2b(f"{scope}\0{sender}".encode(), digest_size=32).digest()
        # Not as its key: that is hashed anew for each message, which takes as long as a message of 128 bytes.
        self._blank = blake2b(salt=own[:16], person=own[16:], digest_size=OLD_DIGEST_BYTES)
        self._copies: Counter[bytes] | None = None if distinct else Counter()

    def __call__(self, written: Sequence[bytes]) -> list[bytes]:
        """Return the digests of messages, 8 bytes each."""
        digests = self._digest(written)
        if self._copies is None:
            return digests
        for place, digest in enumerate(digests):
            if copy := self._copies[digest]:
                digests[place] = self._digest([b"%b\0%d" % (written[place], copy)])[0]
            self._copies[digest] += 1
        return digests

    def copy(self, message: bytes, number: int = 0) -> bytes:
        """Return the digest of one message, or that of a later copy of it (the first has number 0)."""
        return self._digest([b"%b\0%d" % (message, number) if number else message])[0]

    def _digest(self, messages: Iterable[bytes]) -> list[bytes]:
        digests, copy = [], self._blank.copy
        # A send makes one for every message: no call of our own is among those that this takes.
        for message in messages:
            hashed = copy()
            hashed.update(message)
            digests.append(hashed.digest()[:DIGEST_BYTES])
        return digests
