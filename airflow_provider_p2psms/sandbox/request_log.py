"""A line for each request to the gateway's paths: counts and times, no number and no text."""

from datetime import datetime

from airflow_provider_p2psms.sandbox.calls import Call
from airflow_provider_p2psms.sandbox.envelope import Answer
from airflow_provider_p2psms.sandbox.faults import Order


def describe(call: Call, answer: Answer, order: Order | None, *, took_s: float) -> str:
    """Say what was asked and answered: ``12:01:07 send 1,000 messages → 1,000 ids 41 ms``."""
    clock = datetime.fromtimestamp(call.now).astimezone().strftime("%H:%M:%S")
    path = ascii(call.path.removeprefix("/api/"))[1:-1]  # a path may hold what moves the cursor
    asked = f" {_count(call.messages, 'message')}" if call.messages else ""
    return f"{clock} {path}{asked} → {_result(answer, order)} {took_s * 1000:,.0f} ms"


def _result(answer: Answer, order: Order | None) -> str:
    if order:
        status = order.meant.status
        return f"fault {order.fault} ({f'HTTP {status}' if status else 'no answer'})"
    if answer.taken:
        return _count(len(answer.body["data"]["message_outbox_ids"]), "id")
    at_fault = ", ".join(answer.body["meta"].get("errors", ()))
    return f"HTTP {answer.status}" + (f" ({at_fault})" if at_fault else "")


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
