"""The message that is scheduled and cancelled, and how it is made sure that it is cancelled."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnreachableError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.statuses import TERMINAL, State
from airflow_provider_p2psms.gateway.values import parse_whole_number
from airflow_provider_p2psms.verifying.asking import Questions, Times
from airflow_provider_p2psms.verifying.sends import Sender, Sent
from airflow_provider_p2psms.verifying.texts import BAR
from airflow_provider_p2psms.verifying.watching import AROUND_S, PAGES_AT_MOST, dates

AHEAD = timedelta(days=88)  # the gateway takes 3 months, which are 89 days at least


class Scheduled:
    """
    One message, scheduled far ahead.

    ``cancel()`` may be called at any time and often: it does nothing where there is nothing to cancel.
    ``cancelled`` and ``left`` are the ids that are cancelled, and that may not be; ``over`` those that the
    gateway sent or refused by itself.
    """

    def __init__(
        self,
        client: GatewayClient,
        questions: Questions,
        *,
        times: Times,
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._questions = questions
        self._times = times
        self._tell = tell
        self._sleep = sleep
        self.send_time = ""
        self.sent: Sent | None = None
        self.cancelled: list[int] = []
        self.left: list[int] = []
        self.over: list[int] = []
        self._is_done = False
        self.problem = ""
        self.cancel_s = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the send may have been taken under an id that is not known."""
        return (
            self.sent is not None
            and self.sent.unknown is not None
            and not (self.left or self.cancelled or self.over)
        )

    @property
    def warning(self) -> str:
        """What a person has to do, if anything."""
        if self.left:
            ids = ", ".join(map(str, self.left))
            return (
                f"The scheduled message {ids} was NOT cancelled. It goes to your number at {self.send_time} "
                "UTC. Cancel it in the gateway's panel."
            )
        if self.is_lost:
            return (
                f"A message to your number may be scheduled for {self.send_time} UTC: the answer to its send "
                "was lost, and the reports do not show it. Look into the gateway's panel, and cancel it "
                "there."
            )
        return ""

    def send(self, sender: Sender, text: str) -> Sent:
        """Schedule the text; must not be interrupted before it returns."""
        self.send_time = (datetime.now(UTC) + AHEAD).strftime("%Y-%m-%d %H:%M:%S")
        self.sent = sender.send_groups((text,), send_time=self.send_time)
        self.left = [each for each in self.sent.ids if each > 0] if self.sent.is_taken else []
        for outbox_id in self.left:
            self._tell(f"Scheduled message {outbox_id} for {self.send_time} UTC. It will be cancelled.")
        return self.sent

    def cancel(self) -> None:
        """Cancel what is scheduled; tries several times."""
        if self._is_done:
            return
        began = time.monotonic()
        pause = self._times.cancel_pause_s
        for attempt in range(self._times.cancel_tries):
            if attempt:
                self._sleep(pause)
                pause *= 2
            if self.sent is not None and self.is_lost:
                self.left = self._search(self.sent)
            self._cancel_each()
            if not self.left and not self.is_lost:
                break
        self.cancel_s += time.monotonic() - began
        self._is_done = True
        if self.warning:
            self._tell(self.warning)

    def _cancel_each(self) -> None:
        for outbox_id in tuple(self.left):
            try:
                self._client.cancel(outbox_id)
            except (GatewayRefusedError, UnreachableError, OutcomeUnknownError) as err:
                self.problem = err.summary
                # An earlier cancel may have been done though its answer was lost.
                state = self._state_of(outbox_id)
                if state in TERMINAL:
                    self._note(outbox_id, self.cancelled if state == State.CANCELLED else self.over)
            else:
                self._note(outbox_id, self.cancelled)
                self._tell(f"Cancelled message {outbox_id}.")

    def _note(self, outbox_id: int, where: list[int]) -> None:
        self.left.remove(outbox_id)
        where.append(outbox_id)

    def _state_of(self, outbox_id: int) -> int | None:
        record = self._questions.by_id(outbox_id).record or {}
        is_it = parse_whole_number(record.get("messages_outbox_id")) == outbox_id
        return parse_whole_number(record.get("state_id")) if is_it else None

    def _search(self, sent: Sent) -> list[int]:
        """Look for a message whose answer was lost by the first word of its text; return its ids."""
        marker = sent.texts[0].partition(BAR)[0]
        window = dates(sent.left_at - AROUND_S, time.time() + AROUND_S)
        for filters in (window, {}):
            for page in range(1, PAGES_AT_MOST + 1):
                records = self._questions.page(filters, page=page).records
                ids = [
                    parse_whole_number(each.get("messages_outbox_id"))
                    for each in records
                    if marker in str(each.get("message"))
                ]
                if found := [each for each in ids if each]:
                    return found
                if not records:
                    break
        return []
