"""The faults that were ordered and wait for requests; what a fault is, ``faults.py`` knows."""

import threading
from dataclasses import asdict, fields, replace
from typing import Any

from airflow_provider_p2psms.identity import canonical_line
from airflow_provider_p2psms.sandbox.faults import FAULTS, MESSAGE_FAULTS, Order


def read_order(given: object) -> Order:
    """
    Read the JSON of an order.

    :raises ValueError: a field is missing, unknown or bad; the text names it.
    """
    known = [field.name for field in fields(Order)]
    if not isinstance(given, dict):
        raise ValueError(f"an order is an object with the fields {', '.join(known)}")  # noqa: TRY004 - a bad value
    for name in given:
        if name not in known:
            raise ValueError(f"an order has no field {name!r}; known are {', '.join(known)}")
    if "fault" not in given:
        raise ValueError(f"fault is missing; it is one of {', '.join({**FAULTS, **MESSAGE_FAULTS})}")
    return Order(**given)


class Orders:
    """The faults ordered, those of a line first, then as they came; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Order] = []

    def add(self, order: Order) -> None:
        """Put an order behind those that wait already."""
        with self._lock:
            self._orders.append(order)

    def clear(self) -> None:
        """Forget all orders."""
        with self._lock:
            self._orders.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """Show the orders that still wait for requests."""
        with self._lock:
            return [asdict(order) for order in self._orders]

    def next_for(self, path: str, sender: str) -> Order | None:
        """
        Count a request on ``path`` and return the order that hits it, if one does.

        ``sender`` is the line of a send, else empty. An order for that line outranks those for all lines.
        Every order lets its own ``after`` requests pass, whether or not another one hits them.
        """
        line = canonical_line(sender)
        with self._lock:
            hit = None
            waiting = [order for order in self._orders if order.is_for(path, line)]
            for order in sorted(waiting, key=lambda order: not order.from_number):
                if order.after:
                    order.after -= 1
                elif hit is None:
                    hit = replace(order)
                    self._use_up(order)
            return hit

    def _use_up(self, order: Order) -> None:
        if order.times is not None:
            order.times -= 1
            if not order.times:
                self._orders.remove(order)
