"""
A witness for quiet accounts: a message to the user's own number, scheduled far ahead and cancelled.

It costs nothing, since the gateway prices a scheduled message when it sends it. It is written into the ledger
before it leaves, so that a later try cancels what a killed one left.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from airflow_provider_p2psms.errors import GatewayRefusedError, P2PSMSError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.sending.machine import Receipt

log = logging.getLogger(__name__)

# The gateway schedules at most 3 months ahead; the shortest three have 89 days.
_AHEAD = timedelta(days=88)
_CANCEL_ATTEMPTS = 3


class WitnessMessage:
    """
    The witness messages of one ledger.

    :param recipient: the user's own number, in E.164.
    :param left: outbox ids that earlier tries scheduled and did not cancel.
    """

    def __init__(
        self,
        client: GatewayClient,
        ledger: Ledger,
        *,
        recipient: str,
        from_number: str,
        left: list[int],
        clock: Callable[[], float],
    ) -> None:
        self._client, self._ledger = client, ledger
        self._recipient, self._from_number, self._clock = recipient, from_number, clock
        self._scheduled = [outbox_id for outbox_id in left if outbox_id]

    def send(self) -> Receipt | None:
        """
        Schedule a message.

        :return: its outbox id; ``None`` where the gateway did not say that it took it. No other is sent then.
        :raises LedgerError: the ledger cannot be written; nothing left.
        """
        at = self._clock()
        self._ledger.note_witness(0, at=at, cancelled=False)
        self._ledger.flush()
        send_time = (datetime.now(UTC) + _AHEAD).strftime("%Y-%m-%d %H:%M:%S")
        text = f"Test of the outbox report by Airflow, cancelled at once ({token_hex(3)})."
        try:
            receipt = self._client.send_peer_to_peer(
                [Group([self._recipient], text)], from_number=self._from_number, send_time=send_time
            )
        except P2PSMSError as err:
            log.warning("The message to witness_recipient may not be scheduled. %s", err.headline)
            return None
        outbox_id = receipt.outbox_ids[0]
        self._scheduled.append(outbox_id)
        self._ledger.note_witness(outbox_id, at=at, cancelled=False)
        self._ledger.flush()
        log.info("Scheduled a message to witness_recipient, to see whether the reports are current.")
        return Receipt(outbox_id, at, self._clock(), 1, is_scheduled=True, is_witness=True)

    def cancel(self) -> None:
        """Cancel what is scheduled; a message that cannot be cancelled is logged with what to do."""
        for outbox_id in self._scheduled:
            if self._cancel(outbox_id):
                self._ledger.note_witness(outbox_id, at=self._clock(), cancelled=True)
            else:
                log.error(
                    "The message to witness_recipient (outbox id %s) could not be cancelled. It is scheduled "
                    "for 88 days after it was sent. Cancel it in the gateway's panel, or run the task again.",
                    outbox_id,
                )
        self._scheduled = []

    def _cancel(self, outbox_id: int) -> bool:
        for _ in range(_CANCEL_ATTEMPTS):
            try:
                self._client.cancel(outbox_id)
            except GatewayRefusedError as err:
                return err.http_status == 404  # cancelled already
            except P2PSMSError:
                continue
            return True
        return False
