"""All trouble that is on, of all lines and of one: faults, habits, latency, credit, a blocked account."""

from dataclasses import fields
from typing import Any

from airflow_provider_p2psms.identity import canonical_line
from airflow_provider_p2psms.sandbox.by_line import check_line
from airflow_provider_p2psms.sandbox.habits import Habits
from airflow_provider_p2psms.sandbox.orders import Orders
from airflow_provider_p2psms.sandbox.settings import ACCOUNT, Settings


def show_trouble(settings: Settings, orders: Orders) -> dict[str, Any]:
    """Return the trouble that is on, for a program."""
    return {
        "faults": orders.waiting(),
        "habits": settings.habits_turned(),
        "latency_s": settings.latency_s,
        "send_block": settings.send_block,
        "credit": settings.credit,
        "lines": settings.turned_by_line(),
    }


def turn_trouble(settings: Settings, given: object) -> None:
    """
    Set the trouble that is no fault and no habit; of one line alone with ``from_number``.

    :raises ValueError: a name is unknown or a value is bad; nothing was changed.
    """
    from_number, values = _split(given, f"trouble is an object of {', '.join(ACCOUNT)}")
    for name in values:
        if name not in ACCOUNT:
            raise ValueError(f"no trouble {name!r}; known are {', '.join(ACCOUNT)}")
    settings.turn(values, from_number=from_number)


def turn_habits(settings: Settings, given: object, *, keep_others: bool) -> str:
    """
    Set habits; of one line alone with ``from_number``.

    :return: that line, or an empty text.
    :raises ValueError: a name is unknown or a value is bad; nothing was changed.
    """
    from_number, habits = _split(given, "habits are an object of names and values")
    for name in habits:
        if name in ACCOUNT:
            raise ValueError(f"{name} is no habit; order it on /sandbox/trouble")
    settings.turn(habits, keep_others=keep_others, from_number=from_number)
    return from_number


def _split(given: object, sentence: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(given, dict):
        raise ValueError(sentence)  # noqa: TRY004 - a bad value
    values = {name: value for name, value in given.items() if name != "from_number"}
    return check_line(given.get("from_number", "")), values


def trouble_form(settings: Settings, line: str) -> dict[str, Any]:
    """
    Return what the form for a line shows, for an empty text that for all lines.

    ``lines`` are those to choose among, ``line`` is the one chosen as it is spelled there. Each habit has its
    ``value`` and that of all lines (``of_all``).
    """
    of_line = settings.habits_of(line)
    habits = [
        {
            "name": each.name,
            "value": getattr(of_line, each.name),
            "of_all": getattr(settings, each.name),
            "default": each.default,
            **each.metadata,
        }
        for each in fields(Habits)
        if not line or each.metadata["per_line"]
    ]
    lines: dict[str, str] = {"": ""}  # by their canonical form, so that each is there once
    for each_line in (*settings.lines, *settings.turned_by_line(), line):
        lines.setdefault(canonical_line(each_line), each_line)
    return {
        "habits": habits,
        "line": lines[canonical_line(line)],
        "lines": [each_line for each_line in lines.values() if each_line],
        "latency_s": settings.latency_of(line),
        "credit": int(settings.credit_of(line).amount),
    }


def describe_trouble(settings: Settings, orders: Orders) -> list[str]:
    """Return the trouble that is on, a line for each, for a person."""
    lines = [_describe_order(order) for order in orders.waiting()]
    lines += [f"habit {name}: {value}" for name, value in settings.habits_turned().items()]
    if settings.latency_s:
        lines.append(f"every answer is {settings.latency_s * 1000:,.0f} ms late")
    if settings.send_block:
        lines.append("the account is blocked")
    for line, own in settings.turned_by_line().items():
        lines += [f"{_describe_own(name, value)}, from {line}" for name, value in own.items()]
    return lines


def _describe_own(name: str, value: Any) -> str:
    match name:
        case "latency_s":
            return f"every answer to a send is {value * 1000:,.0f} ms late"
        case "credit":
            return f"the credit is {value:,.0f} rial in all"
        case _:
            return f"habit {name}: {value}"


def clear_trouble(settings: Settings, orders: Orders) -> None:
    """Turn all trouble off."""
    orders.clear()
    settings.turn({}, keep_others=False)
    settings.clear_lines()
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
