"""
The two forms in which a batch goes over the wire: groups in JSON, or rows in an uploaded file.

Each knows how many messages fit into one request, how its receipt's ids belong to the messages, and which of
the client's sends it is. They are all that the two operators differ in.
"""

from typing import Any, Protocol

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.wire import Group, Receipt
from airflow_provider_p2psms.sending.spool import Entry


class Form(Protocol):
    """How messages become one request."""

    @property
    def batch_size(self) -> int:
        """The most messages that the gateway likes in one request."""

    def id_positions(self, entries: list[Entry]) -> list[int]:
        """Return, for each message, which of the receipt's ids is its own."""

    def send(self, client: GatewayClient, entries: list[Entry], *, from_number: str, **when: Any) -> Receipt:
        """
        Make the one POST.

        ``when`` is ``send_time`` and ``start_by``; they and the errors are those of
        ``GatewayClient.send_peer_to_peer``.
        """


class PeerToPeer:
    """JSON: one entry a text with all its recipients, and one id each."""

    # Above about 1,000 recipients "may cause trouble" (Persian pages).
    batch_size = 1_000

    def id_positions(self, entries: list[Entry]) -> list[int]:
        """Messages of the same text share the id of their group."""
        places: dict[str, int] = {}
        return [places.setdefault(entry.text, len(places)) for entry in entries]

    def send(self, client: GatewayClient, entries: list[Entry], *, from_number: str, **when: Any) -> Receipt:
        """Send the messages grouped by text, in the order in which each text first stands."""
        recipients: dict[str, list[str]] = {}
        for entry in entries:
            recipients.setdefault(entry.text, []).append(entry.recipient)
        groups = [Group(numbers, text) for text, numbers in recipients.items()]
        return client.send_peer_to_peer(groups, from_number=from_number, **when)


class PeerToPeerFile:
    """A CSV: one row a message, and one id each."""

    batch_size = 10_000

    def id_positions(self, entries: list[Entry]) -> list[int]:
        """Return each row's own place."""
        return list(range(len(entries)))

    def send(self, client: GatewayClient, entries: list[Entry], *, from_number: str, **when: Any) -> Receipt:
        """Send the messages row by row."""
        rows = [(entry.recipient, entry.text) for entry in entries]
        return client.send_peer_to_peer_file(rows, from_number=from_number, **when)
