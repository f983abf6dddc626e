"""
The two payloads in which a batch goes over the wire: groups in JSON, or rows in an uploaded file.

Each knows how many messages the gateway likes in one request (``batch_size``), how they are written for it,
and whose id is which of the answer's. They are all that the two operators differ in.

``send`` makes the one POST, and returns each message's outbox id, in their order. ``how`` is ``from_number``,
``send_time`` and ``start_by``; they and the errors are those of ``GatewayClient.send_peer_to_peer``.
"""

from collections.abc import Sequence
from typing import Any

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.gateway import request
from airflow_provider_p2psms.gateway.client import GatewayClient


class PeerToPeer:
    """JSON: one entry a text with all its recipients, and one id each."""

    # Above about 1,000 recipients "may cause trouble" (Persian pages).
    batch_size = 1_000

    def send(self, client: GatewayClient, batch: Batch, **how: Any) -> Sequence[int]:
        """Group messages by text, in the order in which each text first stands."""
        recipients, texts = batch.columns()
        if len(set(texts)) == len(texts):  # nearly always
            content = request.write_single_groups(batch.messages)
            return client.send_groups(content, expected=len(batch), **how).outbox_ids
        by_text: dict[bytes, list[int]] = {}
        for place, text in enumerate(texts):
            by_text.setdefault(text, []).append(place)
        groups = [
            request.Group([recipients[place].decode() for place in places], text.decode())
            for text, places in by_text.items()
        ]
        ids = [0] * len(texts)
        receipt = client.send_peer_to_peer(groups, **how)
        for outbox_id, places in zip(receipt.outbox_ids, by_text.values(), strict=True):
            for place in places:
                ids[place] = outbox_id
        return ids


class PeerToPeerFile:
    """A CSV: one row a message, and one id each."""

    batch_size = 10_000

    def send(self, client: GatewayClient, batch: Batch, **how: Any) -> Sequence[int]:
        """Upload messages row by row."""
        content = request.build_csv(zip(*batch.columns(), strict=True))
        return client.send_csv(content, expected=len(batch), **how).outbox_ids


Payload = PeerToPeer | PeerToPeerFile
