"""
The outcomes file: one line a row handed in, whatever happened to it, so that a pipeline can load it.

While rows are checked each is noted here, in their order; once the send has ended, what became of its batches
is laid over the notes. Columns: ``row,key,outcome,outbox_id,reason``; a group has a line a recipient.
"""

import csv
import tempfile
from collections.abc import Sequence
from itertools import count
from typing import Protocol, Self, TextIO

from airflow_provider_p2psms.sending.fates import Fates, Outcome

HEADER = ("row", "key", "outcome", "outbox_id", "reason")


class Notes(Protocol):
    """Where a plan notes each row that it reads."""

    def to_send(self, rows: Sequence[int], keys: Sequence[str]) -> None:
        """Note messages that go into batches."""

    def left_out(self, row: int, key: str, outcome: Outcome, reason: str) -> None:
        """Note a row that goes into none."""


class NoNotes:
    """For sends whose rows nobody asks after."""

    def to_send(self, rows: Sequence[int], keys: Sequence[str]) -> None:
        """Do nothing."""

    def left_out(self, row: int, key: str, outcome: Outcome, reason: str) -> None:
        """Do nothing."""


class OutcomeNotes:
    """The rows in their order, in a nameless file; ``write`` lays their fates over them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115 - see __exit__
        self._writer = csv.writer(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def to_send(self, rows: Sequence[int], keys: Sequence[str]) -> None:
        """Note messages whose fates ``write`` will be told."""
        self._writer.writerows(zip(rows, keys, strict=True))

    def left_out(self, row: int, key: str, outcome: Outcome, reason: str) -> None:
        """Note a row whose fate is known already."""
        self._writer.writerow((row, key, outcome, "", reason))

    def write(self, stream: TextIO, fates: Fates) -> None:
        """
        Write the outcomes.

        :param fates: the message that was noted n-th by ``to_send`` has place n.
        """
        places = count()
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(HEADER)
        self._file.seek(0)
        for noted in csv.reader(self._file):
            if len(noted) == len(HEADER):
                lines.writerow(noted)
            else:
                fate = fates[next(places)]
                lines.writerow((*noted, fate.outcome, fate.outbox_id, fate.reason))
