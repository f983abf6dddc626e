"""All trouble that is on, whatever its kind: faults ordered, habits turned, latency, a blocked account."""

from typing import Any

from airflow_provider_p2psms.sandbox.habits import MOST
from airflow_provider_p2psms.sandbox.orders import Orders
from airflow_provider_p2psms.sandbox.settings import Settings

_TURNED = ("latency_s", "send_block", "credit")


def show_trouble(settings: Settings, orders: Orders) -> dict[str, Any]:
    """Return the trouble that is on, for a program."""
    return {
        "faults": orders.waiting(),
        "habits": settings.habits_turned(),
        "latency_s": settings.latency_s,
        "send_block": settings.send_block,
        "credit": settings.credit,
    }


def turn_trouble(settings: Settings, given: object) -> None:
    """
    Set the trouble that is no fault and no habit: ``latency_s``, ``send_block``, ``credit``.

    :raises ValueError: a name is unknown or a value is bad; nothing was changed.
    """
    if not isinstance(given, dict):
        raise ValueError(f"trouble is an object of {', '.join(_TURNED)}")  # noqa: TRY004 - a bad value
    for name, value in given.items():
        if name not in _TURNED:
            raise ValueError(f"no trouble {name!r}; known are {', '.join(_TURNED)}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "send_block" and not isinstance(value, bool):
            raise ValueError(f"send_block is true or false, not {value!r}")
        if name != "send_block" and not (is_number and 0 <= value <= MOST):
            raise ValueError(f"{name} is a number from 0 to {MOST:,}, not {value!r}")
    for name, value in given.items():
        setattr(settings, name, value)


def describe_trouble(settings: Settings, orders: Orders) -> list[str]:
    """Return the trouble that is on, a line for each, for a person."""
    lines = [_describe_order(order) for order in orders.waiting()]
    lines += [f"habit {name}: {value}" for name, value in settings.habits_turned().items()]
    if settings.latency_s:
        lines.append(f"every answer is {settings.latency_s * 1000:,.0f} ms late")
    if settings.send_block:
        lines.append("the account is blocked")
    return lines


def clear_trouble(settings: Settings, orders: Orders) -> None:
    """Turn all trouble off."""
    orders.clear()
    settings.turn({}, keep_others=False)
    settings.latency_s, settings.send_block = 0.0, False


def _describe_order(order: dict[str, Any]) -> str:
    times = order["times"]
    words = [
        f"fault {order['fault']}",
        "always" if times is None else "once" if times == 1 else f"{times:,} times",
        "on all paths" if order["path"] == "/" else f"on {order['path']}",
    ]
    if order["from_number"]:
        words.append(f"from {order['from_number']}")
    if order["fault"] == "undelivered":
        words.append(f"{order['share']:.0%} of the messages")
    if order["fault"] == "slow":
        words.append(f"{order['delay_s']:g} s late")
    if order["after"]:
        words.append(f"after {order['after']:,} more")
    return ", ".join(words)
