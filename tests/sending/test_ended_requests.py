"""How a request ended is noted once, and the failure that is told is the one that a person has to act on."""

import pytest

from airflow_provider_p2psms.batch import Batch
from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnreachableError
from airflow_provider_p2psms.ledger.digest import DIGEST_BYTES
from airflow_provider_p2psms.ledger.ledger import Ledger
from airflow_provider_p2psms.ledger.stores import MemoryStore
from airflow_provider_p2psms.sending.machine import Item, Limits, Origin, Post, SendMachine, Write
from airflow_provider_p2psms.sending.outcomes import Outcomes

REFUSED = GatewayRefusedError("The line is blocked.", http_status=403)
UNREACHABLE = UnreachableError("No connection was made.")
UNKNOWN = OutcomeUnknownError("The answer was lost.")


def under_way(items: int) -> tuple[SendMachine, Outcomes]:
    """Make a machine whose requests, of one message each, are all under way."""
    ledger, outcomes = Ledger(MemoryStore(), name="p2psms", try_number=1), Outcomes()
    ledger.open(must_exist=False)
    batches = [
        Batch(
            rows=[row],
            keys=[""],
            messages=b"+989120000001\0hello",
            parts=b"\1",
            digests=bytes([row]) * DIGEST_BYTES,
            places=outcomes.add([0]),
        )
        for row in range(1, items + 1)
    ]
    machine = SendMachine(
        [Item(batch=batch) for batch in batches],
        limits=Limits(exchange_s=1.0, linger_s=0.1, fenced=True, report_lag_s=0.0),
        ledger=ledger,
        outcomes=outcomes,
        origin=Origin(line="+983000505"),
        read=lambda request: Batch(),
        close=lambda requests: None,
    )
    assert machine.next(0.0) == Write()
    machine.written()
    for number in range(items):
        assert isinstance(post := machine.next(0.0), Post)
        assert number == post.item
    return machine, outcomes


@pytest.mark.parametrize(
    ("result", "requests"), [([7], 1), (REFUSED, 1), (UNREACHABLE, 0), (UNKNOWN, 1)], ids=repr
)
def test_a_request_that_is_reported_twice_ended_once(result, requests):
    """Where a time-out strikes just after a report, the driver reports all that was under way again."""
    machine, outcomes = under_way(1)

    machine.ended(0, result, 1.0)
    before = requests, outcomes.count(), list(machine.receipts), machine.failure
    machine.ended(0, result, 2.0)

    assert before == (machine.requests, outcomes.count(), list(machine.receipts), machine.failure)


@pytest.mark.parametrize("results", [(REFUSED, UNREACHABLE), (UNREACHABLE, REFUSED)], ids=repr)
def test_a_refusal_is_told_before_what_a_retry_may_mend(results):
    """Whichever of two requests fails first: nothing is sent until somebody acts on the refusal."""
    machine, _ = under_way(2)

    for number, result in enumerate(results):
        machine.ended(number, result, 1.0)

    assert REFUSED is machine.failure
