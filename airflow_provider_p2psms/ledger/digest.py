"""How the ledger knows a message: by a digest of its sender, its recipient and its text."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

# At a million messages the chance that two share a digest is 1e-17.
DIGEST_BYTES = 12


class Digester:
    """
    Makes the digests of one send.

    The scope (which task of which run) is mixed in, so that the same message has another digest in another
    ledger. A digest does not hide a number from someone who knows scope, sender and text and tries all
    numbers; it keeps them out of sight.

    :param distinct: whether a message that stands twice counts as one. If not, each next copy has a digest of
        its own.
    """

    def __init__(self, *, scope: str, sender: str, distinct: bool = True) -> None:
        key = blake2b(f"{scope}\0{sender}".encode(), digest_size=32).digest()
        self._blank = blake2b(key=key, digest_size=DIGEST_BYTES)
        self._copies: Counter[bytes] | None = None if distinct else Counter()

    def __call__(self, recipient: str, text: str) -> bytes:
        """Return the digest of a message, 12 bytes."""
        digest = self._digest(f"{recipient}\0{text}")
        if self._copies is None:
            return digest
        copy = self._copies[digest]
        self._copies[digest] += 1
        return digest if copy == 0 else self._digest(f"{recipient}\0{text}\0{copy}")

    def all(self, recipients: Sequence[str], texts: Sequence[str]) -> list[bytes]:
        """Return the digests of many messages, each as by itself."""
        if self._copies is not None:
            return list(map(self, recipients, texts))
        digests, copy = [], self._blank.copy
        # A send makes one for every message: no call of our own is among those that this takes.
        for message in map(str.encode, map("\0".join, zip(recipients, texts, strict=True))):
            hashed = copy()
            hashed.update(message)
            digests.append(hashed.digest())
        return digests

    def _digest(self, message: str) -> bytes:
        hashed = self._blank.copy()
        hashed.update(message.encode())
        return hashed.digest()
