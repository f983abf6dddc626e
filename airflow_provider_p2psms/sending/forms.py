"""
The two forms in which a batch goes over the wire: groups in JSON, or rows in an uploaded file.

Each knows how many messages fit into one request, how they are written for it and read back, and which of the
client's sends it is. They are all that the two operators differ in.
"""

from itertools import chain, repeat
from typing import Any, Protocol

from airflow_provider_p2psms.gateway import wire
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.rows.message import encode_all
from airflow_provider_p2psms.sending.spool import Entries, Parcel


class Form(Protocol):
    """How messages become one request."""

    @property
    def batch_size(self) -> int:
        """The most messages that the gateway likes in one request."""

    def pack(self, entries: Entries) -> Parcel:
        """Write messages as they go over the wire, in the order in which they stand there."""

    def unpack(self, parcel: Parcel) -> Entries:
        """Read them back, in the parcel's order."""

    def send(self, client: GatewayClient, parcel: Parcel, *, from_number: str, **when: Any) -> wire.Receipt:
        """
        Make the one POST.

        ``when`` is ``send_time`` and ``start_by``; they and the errors are those of
        ``GatewayClient.send_peer_to_peer``.
        """


class PeerToPeer:
    """JSON: one entry a text with all its recipients, and one id each."""

    # Above about 1,000 recipients "may cause trouble" (Persian pages).
    batch_size = 1_000

    def pack(self, entries: Entries) -> Parcel:
        """Group messages by text, in the order in which each text first stands."""
        if len(set(entries.texts)) == len(entries):  # nearly always: each has a text of their own
            content = wire.write_single_groups(entries.recipients, entries.texts)
            return Parcel.of(content, None, entries.digests, entries.places)
        by_text: dict[bytes, list[int]] = {}
        for place, text in enumerate(entries.texts):
            by_text.setdefault(text, []).append(place)
        numbers, order = entries.recipients, list(chain.from_iterable(by_text.values()))
        groups = [
            wire.Group([numbers[at].decode() for at in places], text.decode())
            for text, places in by_text.items()
        ]
        return Parcel.of(
            wire.write_groups(groups),
            [len(places) for places in by_text.values()],
            [entries.digests[at] for at in order],
            [entries.places[at] for at in order],
        )

    def unpack(self, parcel: Parcel) -> Entries:
        """Read the groups message by message."""
        groups = wire.read_groups(parcel.content)
        texts = chain.from_iterable(repeat(group.message, len(group.recipients)) for group in groups)
        return Entries(
            encode_all(chain.from_iterable(group.recipients for group in groups)),
            encode_all(texts),
            list(parcel.digests),
            parcel.places,
        )

    def send(self, client: GatewayClient, parcel: Parcel, *, from_number: str, **when: Any) -> wire.Receipt:
        """Send the groups."""
        return client.send_groups(parcel.content, expected=parcel.ids_due, from_number=from_number, **when)


class PeerToPeerFile:
    """A CSV: one row a message, and one id each."""

    batch_size = 10_000

    def pack(self, entries: Entries) -> Parcel:
        """Write messages row by row."""
        content = wire.build_csv(zip(entries.recipients, entries.texts, strict=True))
        return Parcel.of(content, None, entries.digests, entries.places)

    def unpack(self, parcel: Parcel) -> Entries:
        """Read the rows."""
        recipients, texts = zip(*wire.read_csv(parcel.content), strict=True)
        return Entries(encode_all(recipients), encode_all(texts), list(parcel.digests), parcel.places)

    def send(self, client: GatewayClient, parcel: Parcel, *, from_number: str, **when: Any) -> wire.Receipt:
        """Upload the rows."""
        return client.send_csv(parcel.content, expected=parcel.ids_due, from_number=from_number, **when)
