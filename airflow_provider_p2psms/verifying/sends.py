"""The sends of a run: each is one POST, and what came of it is kept, also where that is not known."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnreachableError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.gateway.response import Receipt
from airflow_provider_p2psms.verifying.watching import Sighting

ENOUGH_FOR_THE_RULE_S = 40.0


@dataclass(frozen=True, slots=True)
class Sent:
    """
    One request: its texts, in its order, and its ids or the error it ended with.

    ``ids`` has those of an answer that does not add up, too.
    """

    texts: tuple[str, ...] = field(repr=False)
    left_at: float
    answered_at: float
    ids: tuple[int, ...] = ()
    refused: GatewayRefusedError | None = None
    unreachable: UnreachableError | None = None
    unknown: OutcomeUnknownError | None = None
    is_scheduled: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether the gateway said that it took it."""
        return self.refused is None and self.unreachable is None and (self.unknown is None or bool(self.ids))

    @property
    def is_plain(self) -> bool:
        """Whether there is one id for each text."""
        return len(self.ids) == len(self.texts) and self.unknown is None

    @property
    def problem(self) -> str:
        """What went wrong, in a sentence."""
        error = self.refused or self.unreachable or self.unknown
        return str(error or "")

    def sightings(self) -> list[Sighting]:
        """Return what to look for in the reports; an id beyond the texts has the last text."""
        if not self.is_taken:
            return []
        texts = (*self.texts, *(self.texts[-1:] * len(self.ids)))
        return [
            Sighting(outbox_id, text, self.left_at, self.answered_at, is_scheduled=self.is_scheduled)
            for outbox_id, text in zip(self.ids, texts, strict=False)
            if outbox_id > 0
        ]


class Sender:
    """Sends texts to one recipient from one line."""

    def __init__(self, client: GatewayClient, *, line: str, recipient: str) -> None:
        self._client = client
        self._line = line
        self._recipient = recipient

    def send_groups(self, texts: tuple[str, ...], *, send_time: str | None = None) -> Sent:
        """Send each text as a group of its own, in one request."""
        groups = [Group((self._recipient,), text) for text in texts]
        return _note(
            texts,
            lambda: self._client.send_peer_to_peer(groups, from_number=self._line, send_time=send_time),
            is_scheduled=send_time is not None,
        )

    def send_file(self, texts: tuple[str, ...]) -> Sent:
        """Send each text as a row of one file."""
        rows = [(self._recipient, text) for text in texts]
        return _note(texts, lambda: self._client.send_peer_to_peer_file(rows, from_number=self._line))


def _note(texts: tuple[str, ...], send: Callable[[], Receipt], *, is_scheduled: bool = False) -> Sent:
    left_at = time.time()
    ids: tuple[int, ...] = ()
    refused, unreachable, unknown = None, None, None
    try:
        ids = tuple(send().outbox_ids)
    except GatewayRefusedError as err:
        refused = err
    except UnreachableError as err:
        unreachable = err
    except OutcomeUnknownError as err:
        unknown, ids = err, err.outbox_ids
    return Sent(
        texts,
        left_at,
        time.time(),
        ids=ids,
        refused=refused,
        unreachable=unreachable,
        unknown=unknown,
        is_scheduled=is_scheduled,
    )
