"""The recipe of a run: ask the account, send, schedule, watch the reports, cancel, ask for pages."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.verifying import display_findings, schedule_findings, send_findings
from airflow_provider_p2psms.verifying.account import BlockedError, Estimate, ask_account, ask_estimate
from airflow_provider_p2psms.verifying.asking import Questions, Reply, Times
from airflow_provider_p2psms.verifying.findings import Finding, Report, Result
from airflow_provider_p2psms.verifying.interrupts import Interrupts
from airflow_provider_p2psms.verifying.paging import ask_pages
from airflow_provider_p2psms.verifying.scheduled import Scheduled
from airflow_provider_p2psms.verifying.sends import Sender, Sent
from airflow_provider_p2psms.verifying.texts import Texts
from airflow_provider_p2psms.verifying.watching import Sighting, Watch

_CANCEL_SHOWN_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to verify: an account, its line, and the user's own number in E.164."""

    settings: GatewaySettings
    line: str
    recipient: str = field(repr=False)
    tag: str
    times: Times


class Verification:
    """
    One run. ``report`` has what is known at any time.

    ``ask()`` and ``run()`` are called one after the other; ``close()`` always, by the ``with`` block. It
    cancels what is still scheduled.
    """

    def __init__(
        self,
        order: Order,
        report: Report,
        *,
        interrupts: Interrupts,
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._order = order
        self.report = report
        self._interrupts = interrupts
        self._tell = tell
        self._sleep = sleep
        times = order.times
        self._texts = Texts(order.tag)
        self._client = GatewayClient(order.settings)
        self._questions = Questions(order.settings, times=times, sleep=sleep)
        self._sender = Sender(self._client, line=order.line, recipient=order.recipient)
        self._watch = Watch(self._questions, times=times, tell=tell, sleep=sleep)
        self._scheduled = Scheduled(self._client, self._questions, times=times, tell=tell, sleep=sleep)
        self._sightings: list[Sighting] = []
        self._groups: Sent | None = None
        self._file: Sent | None = None
        self._recipients: list[tuple[Sighting, Reply]] = []
        self._is_watched = False
        self.refusals: list[str] = []
        self.messages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def warning(self) -> str:
        """What a person has to do, if anything."""
        return self._scheduled.warning

    def ask(self) -> Estimate:
        """
        Ask the account and the prices; sends nothing.

        :raises BlockedError: nothing can be sent.
        """
        line = self._order.line
        credit = ask_account(self._client, self.report, line=line)
        return ask_estimate(self._client, self.report, self._texts, line=line, credit=credit)

    def run(self) -> None:
        """
        Send and observe.

        :raises BlockedError: the first message was not taken.
        :raises KeyboardInterrupt: the user stopped it; what was scheduled is cancelled.
        """
        try:
            self._send()
            with self._interrupts.hold():
                self._schedule()
            self._watch.wait_for(self._sightings)
            self._is_watched = True
        finally:
            with self._interrupts.hold():
                self._scheduled.cancel()
        self._look_after_cancel()
        self._ask_recipients()
        self._tell("Asking for pages of the list.")
        for key, finding in ask_pages(self._questions, self._usual(), line=self._order.line).items():
            self.report.add(key, finding)
        self.report.is_complete = True

    def close(self) -> None:
        """Cancel what is still scheduled, describe what is known, close the connections."""
        with self._interrupts.hold():
            self._scheduled.cancel()
            self._describe()
        self._questions.close()
        self._client.close()

    def _send(self) -> None:
        texts = self._texts
        short = self._note("groups", self._sender.send_groups((texts.short,)))
        if not short.is_taken:
            self.report.add("send.groups", send_findings.find_ids(short, of="group"))
            raise BlockedError(f"The first message was not taken. {short.problem}")
        again = self._note("groups", self._sender.send_groups((texts.short,)), may_be_refused=True)
        self.report.add("repeat.groups", send_findings.find_repeat(short, again, of="group"))
        self._groups = self._note("groups", self._sender.send_groups(texts.groups))
        self.report.add("send.groups", send_findings.find_ids(self._groups, of="group"))
        self._file = self._note("file", self._sender.send_file(texts.rows))
        self.report.add("send.file", send_findings.find_ids(self._file, of="row"))
        if self._file.is_taken:
            again = self._note("file", self._sender.send_file(texts.rows), may_be_refused=True)
            self.report.add("repeat.file", send_findings.find_repeat(self._file, again, of="file"))

    def _note(self, kind: str, sent: Sent, *, may_be_refused: bool = False) -> Sent:
        self._sightings += [] if may_be_refused else sent.sightings()
        self.messages += len(sent.ids)
        if sent.is_taken:
            count = len(sent.texts)
            by = "file" if kind == "file" else "JSON"
            self._tell(f"Sent {count} message{'s' if count > 1 else ''} by {by}.")
        elif not may_be_refused:
            self.refusals.append(sent.problem)
        return sent

    def _schedule(self) -> None:
        sent = self._scheduled.send(self._sender, self._texts.scheduled)
        self._sightings += sent.sightings()
        self.report.add(
            "schedule.send", send_findings.find_scheduling(sent, send_time=self._scheduled.send_time)
        )
        if not sent.is_taken:
            self.refusals.append(sent.problem)

    def _look_after_cancel(self) -> None:
        scheduled = [each for each in self._sightings if each.is_scheduled]
        if not scheduled or not self._scheduled.cancelled:
            return
        if scheduled[0].any is None:
            self.report.add("schedule.after", schedule_findings.NEVER_SHOWN)
            return
        end = time.monotonic() + min(_CANCEL_SHOWN_WITHIN_S, self._order.times.wait_s)
        while True:
            shown = self._watch.look_again(scheduled[0])
            finding = schedule_findings.find_after(*shown)
            self.report.add("schedule.after", finding)
            if finding.result is Result.AS_DOCUMENTED or time.monotonic() > end:
                return
            self._sleep(self._order.times.pause_s)

    def _ask_recipients(self) -> None:
        for each in self._usual():
            if each.any is not None:
                reply = self._questions.insist(partial(self._questions.recipients, each.outbox_id))
                self._recipients.append((each, reply))

    def _usual(self) -> list[Sighting]:
        return [each for each in self._sightings if not each.is_scheduled]

    def _describe(self) -> None:
        """Turn all that was seen into findings; asks nothing."""
        report, times, usual = self.report, self._order.times, self._usual()
        report.about |= {"messages_sent": self.messages, "questions": self._questions.count}
        for sent, kind, of in ((self._groups, "groups", "group"), (self._file, "file", "row")):
            if sent is not None and self._is_watched:
                report.add(f"send.{kind}_order", send_findings.find_order(sent, usual, of=of))
        self._describe_schedule()
        if self._questions.count:
            report.add("report.answers", _find_answers(self._questions))
            report.add("report.clock", display_findings.find_clock(self._questions.offsets))
        if not self._is_watched and not any(each.any for each in usual):
            return
        by_id, listed = [each.by_id_s for each in usual], [each.listed_s for each in usual]
        report.add("report.by_id", display_findings.find_lag(by_id, wait_s=times.wait_s, is_list=False))
        report.add("report.list", display_findings.find_lag(listed, wait_s=times.wait_s, is_list=True))
        offsets = self._questions.offsets
        date_offset_s = statistics.median(offsets) + 0.5 if offsets else None
        report.add("report.time", display_findings.find_time(usual, date_offset_s=date_offset_s))
        report.add("report.line", display_findings.find_line(usual, line=self._order.line))
        for key, finding in display_findings.find_texts(usual).items():
            report.add(key, finding)
        if self._recipients or self._is_watched:
            recipients = display_findings.find_recipients(
                self._recipients, recipient=self._order.recipient, clean=report.clean
            )
            report.add("report.recipients", recipients)
            report.add("report.text.pages", display_findings.find_text_pages(self._recipients))

    def _describe_schedule(self) -> None:
        scheduled = [each for each in self._sightings if each.is_scheduled]
        if self._scheduled.sent is None:
            return
        self.report.add("schedule.cancel", schedule_findings.find_cancel(self._scheduled))
        if scheduled and (self._is_watched or scheduled[0].any):
            finding = schedule_findings.find_listing(
                scheduled[0],
                wait_s=self._order.times.wait_s,
                is_cancelled=bool(self._scheduled.cancelled) and not self.warning,
            )
            self.report.add("schedule.report", finding)


def _find_answers(questions: Questions) -> Finding:
    problems = dict(questions.problems)
    values = {"questions": questions.count, "problems": problems}
    if not problems:
        return Finding(
            Result.OBSERVED,
            f"All {questions.count} questions were answered.",
            "A task asks at most 30 questions within a minute.",
            values=values,
        )
    named = ", ".join(f"{name}: {count}" for name, count in sorted(problems.items()))
    no_list = (
        " HTTP 404 says that this gateway has no list of what was sent." if "HTTP 404" in problems else ""
    )
    return Finding(
        Result.OBSERVED,
        f"Of {questions.count} questions some got no answer ({named}).",
        "The package asks again, with growing pauses. Where such answers stay, a message whose answer was "
        f"lost stays in doubt.{no_list}",
        values=values,
    )
