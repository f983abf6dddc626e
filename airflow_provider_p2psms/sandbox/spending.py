"""What the messages cost, by line and in rial."""

import sqlite3
from collections import Counter
from collections.abc import Sequence

from airflow_provider_p2psms.sandbox.by_line import Credit
from airflow_provider_p2psms.sandbox.contract import Group
from airflow_provider_p2psms.sandbox.pricing import price_of
from airflow_provider_p2psms.sandbox.statuses import State, final_state_of


class Spending:
    """
    What was spent, and what was promised: the cost of all that was accepted and is or will be sent.

    Promises are kept in memory: a sum over all messages would slow down every send.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._deleted = Counter[str]()
        self._promised = self._sum_up()

    def promise(
        self, groups: Sequence[Group], *, line: str, credit: Credit, state: State | None
    ) -> list[tuple[int, State]]:
        """Return the cost of each group and the state in which it ends; ``state`` is that of a fault."""
        promised = sum(cost for each, cost in self._promised.items() if credit.pays_for(each))
        promises = []
        for group in groups:
            cost = sum(price_of(recipient, parts=group.parts) for recipient in group.recipients)
            final_state = final_state_of(group.text)
            if final_state is State.SENT:
                final_state = state or final_state
            if final_state is State.SENT and promised + cost > credit.amount:
                final_state = State.NO_CREDIT
            if final_state is State.SENT:
                promised += cost
                self._promised[line] += cost
            promises.append((cost, final_state))
        return promises

    def take_back(self, cost: int, *, line: str) -> None:
        """Take back the promise of a message that was cancelled."""
        self._promised[line] -= cost

    def spent(self, credit: Credit, *, sent_before: float) -> int:
        """Return what the messages that a credit pays for, and that were sent by then, have cost."""
        spent = self._deleted + self._sum_up(sent_before=sent_before)
        return sum(cost for line, cost in spent.items() if credit.pays_for(line))

    def note_deleted(self, before: "Counter[str]") -> None:
        """Note what messages have cost that were deleted; ``before`` is what :meth:`kept` was before."""
        self._deleted += before - self.kept()

    def kept(self) -> "Counter[str]":
        """Return what the messages have cost that are kept."""
        return self._sum_up()

    def reload(self) -> None:
        """Count the promises anew, after a transaction that failed."""
        self._promised = self._deleted + self._sum_up()

    def clear(self) -> None:
        """Forget everything."""
        self._promised.clear()
        self._deleted.clear()

    def _sum_up(self, *, sent_before: float | None = None) -> "Counter[str]":
        rows = self._db.execute(
            "SELECT line, sum(cost) FROM tallies WHERE final_state = 6 AND NOT is_cancelled"
            " AND (:before IS NULL OR send_at <= :before) GROUP BY line",
            {"before": sent_before},
        )
        return Counter(dict(map(tuple, rows)))
