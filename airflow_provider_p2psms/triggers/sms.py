"""
The trigger that watches messages in Airflow's triggerer: it only asks.

The client blocks, so its questions are asked in a few threads beside the event loop. All triggers of one
connection share them, and the client with its kept-alive connections.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_p2psms.airflow_compat import ask_airflow
from airflow_provider_p2psms.delivery.outbox_ids import parse_outbox_ids, write_runs
from airflow_provider_p2psms.errors import P2PSMSError, UnreachableError
from airflow_provider_p2psms.hooks.sms import SMSHook

if TYPE_CHECKING:
    from airflow_provider_p2psms.choices import OnFailed, Until
    from airflow_provider_p2psms.delivery.watch import DeliveryWatch
    from airflow_provider_p2psms.gateway.client import GatewayClient
    from airflow_provider_p2psms.gateway.settings import GatewaySettings

T = TypeVar("T")

# So many questions to one gateway are under way at once. The event loop has to share Python with them: each
# more that has something to do may keep it for another 5 ms.
THREADS = 8


class SMSDeliveryTrigger(BaseTrigger):
    """
    Watch outbox ids until they are sent or delivered, and tell the task.

    :param message_outbox_ids: outbox ids, or runs of them (``"first-last"``), as it serializes them itself.
    :param until, min_delivered, on_failed: as in ``SMSDeliverySensor``.
    :param poke_interval: seconds between two looks; after looks without an answer they grow up to 32 times as
        long, and ten of them in a row end it.
    :param deadline: Unix seconds at which the sensor's ``timeout`` is over; ``None`` for never.
    :param p2psms_conn_id: the connection, looked up where the trigger runs.

    Its one event holds ``outcome`` (``done``, ``failed``, ``timed_out``, ``unreachable`` or ``refused``),
    ``message`` and ``counts``. After a restart of the triggerer it begins anew, with the same deadline.
    """

    def __init__(
        self,
        *,
        message_outbox_ids: Sequence[int | str],
        until: Until = "sent",
        min_delivered: float = 0.0,
        on_failed: OnFailed = "fail",
        poke_interval: float = 60.0,
        deadline: float | None = None,
        p2psms_conn_id: str = SMSHook.default_conn_name,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.message_outbox_ids = parse_outbox_ids(message_outbox_ids)
        self.until = until
        self.min_delivered = min_delivered
        self.on_failed = on_failed
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.p2psms_conn_id = p2psms_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow needs to make it anew: ids and rules, nothing private."""
        return (
            "airflow_provider_p2psms.triggers.sms.SMSDeliveryTrigger",
            {
                "message_outbox_ids": write_runs(self.message_outbox_ids),
                "until": self.until,
                "min_delivered": self.min_delivered,
                "on_failed": self.on_failed,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "p2psms_conn_id": self.p2psms_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, wait, look again."""
        found = await self._find()
        yield TriggerEvent(found)  # type: ignore[no-untyped-call]

    async def _find(self) -> dict[str, Any]:
        try:
            gateway = await _look_up(self.p2psms_conn_id)
            return await self._follow(gateway, self._watch(gateway.client))
        except P2PSMSError as err:
            outcome = "unreachable" if isinstance(err, UnreachableError) else "refused"
            return {"outcome": outcome, "message": str(err), "counts": None}

    async def _follow(self, gateway: _Gateway, watch: DeliveryWatch) -> dict[str, Any]:
        # The task has looked just before. Triggers that start together are spread out from here on.
        pause_s = self.poke_interval * random.random()  # noqa: S311 - no secret
        try:
            while True:
                await asyncio.sleep(min(pause_s, self._left_s()))
                look = await gateway.ask(watch.look)
                found = {"counts": look.counts.as_dict(), "message": look.failure or ""}
                if look.failure or look.done:
                    return found | {"outcome": "failed" if look.failure else "done"}
                if not self._left_s():
                    return found | {"outcome": "timed_out"}
                pause_s = watch.pause_s(self.poke_interval)
        finally:
            watch.stop()

    def _watch(self, client: GatewayClient) -> DeliveryWatch:
        from airflow_provider_p2psms.delivery.watch import DeliveryWatch

        return DeliveryWatch(
            client,
            self.message_outbox_ids,
            until=self.until,
            min_delivered=self.min_delivered,
            on_failed=self.on_failed,
        )

    def _left_s(self) -> float:
        return float("inf") if self.deadline is None else max(0.0, self.deadline - time.time())


class _Gateway:
    """One account's client, and the threads that wait for its answers; shared by all triggers that use it."""

    def __init__(self, settings: GatewaySettings) -> None:
        # Both are loaded here, which is not in the event loop.
        from airflow_provider_p2psms.delivery import watch  # noqa: F401
        from airflow_provider_p2psms.gateway.client import GatewayClient

        self.client = GatewayClient(settings)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="p2psms-trigger")

    async def ask(self, question: Callable[[], T]) -> T:
        """Run what asks the gateway beside the event loop."""
        # With the context of the trigger, by which Airflow knows whose log a line belongs to.
        in_context = partial(contextvars.copy_context().run, question)
        return await asyncio.get_running_loop().run_in_executor(self._pool, in_context)


_gateways: WeakValueDictionary[GatewaySettings, _Gateway] = WeakValueDictionary()


def _gateway(settings: GatewaySettings) -> _Gateway:
    gateway = _gateways.get(settings)
    if gateway is None:
        gateway = _gateways[settings] = _Gateway(settings)
    return gateway


# The next lookup of each connection, until it begins.
_lookups: dict[str, asyncio.Task[_Gateway]] = {}


async def _look_up(p2psms_conn_id: str) -> _Gateway:
    """
    Ask Airflow for a connection, together with all who wait to.

    Airflow is asked one question at a time. An answer goes to those who came before its question began, and
    to nobody else: a connection that was mended in between counts at once.
    """
    lookup = _lookups.get(p2psms_conn_id)
    if lookup is None or lookup.done() or lookup.get_loop() is not asyncio.get_running_loop():
        lookup = asyncio.create_task(ask_airflow(partial(_find_gateway, p2psms_conn_id)))
        _lookups[p2psms_conn_id] = lookup
    # Whoever is cancelled takes the answer from nobody else.
    return await asyncio.shield(lookup)


def _find_gateway(p2psms_conn_id: str) -> _Gateway:
    _lookups.pop(p2psms_conn_id, None)
    return _gateway(SMSHook(p2psms_conn_id).settings)
