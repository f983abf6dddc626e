"""Makes one figure: one contender meets one fault on a gateway of its own, and what arrived is counted."""

import pkgutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_p2psms.sandbox import Sandbox
from scripts.faults.conditions import BESIDE, FAULT_ROWS, MESSAGES, OWN_NUMBER, REPORT_LAG_S
from scripts.faults.traffic import PREFIX

RULE_S = 40.0

Message = tuple[str, str]


@dataclass(frozen=True)
class Column:
    """
    One contender.

    ``send`` is its function by name: the process that prints the table need not load Airflow. ``reports``
    says whether its gateway has any. ``messages`` is how many it hands over with one request; a fault in the
    answer for several has no meaning where it is one. ``beside`` are the messages of its other requests, of
    which ``after`` pass before the fault. It is ``in_both`` tables, without the 40-second rule and with it,
    or only in the first one.
    """

    head: str
    send: str
    reports: bool = True
    messages: int = len(MESSAGES)
    beside: tuple[Message, ...] = ()
    after: int = 0
    in_both: bool = True

    def meets(self, fault: str) -> bool:
        """Whether the fault is possible for it."""
        if fault == "refused" and self.after:  # it is the first connection that is refused
            return False
        return self.messages > 1 or fault not in {"too_few_ids", "partial"}


_OURS = "scripts.faults.ours"
COLUMNS = (
    Column("`PeerToPeerSMSOperator`<br>`report_lag`", f"{_OURS}:send_json"),
    Column("`PeerToPeerFileOperator`<br>`report_lag`", f"{_OURS}:send_file"),
    Column(
        "`PeerToPeerSMSOperator`<br>a later batch",
        f"{_OURS}:send_with_later_batch",
        beside=BESIDE,
        in_both=False,
    ),
    Column(
        "`PeerToPeerSMSOperator`<br>an earlier batch,<br>other traffic",
        f"{_OURS}:send_with_traffic",
        beside=BESIDE,
        after=1,
        in_both=False,
    ),
    Column(
        "`PeerToPeerSMSOperator`<br>`witness_recipient`",
        f"{_OURS}:send_with_witness_recipient",
        in_both=False,
    ),
    Column("`PeerToPeerSMSOperator`<br>none of these", f"{_OURS}:send_alone"),
    Column("`PeerToPeerSMSOperator`<br>no reports", f"{_OURS}:send_json", reports=False),
    Column("`HttpOperator`", "scripts.faults.peers:send_with_http_operator"),
    Column("requests and<br>tenacity", "scripts.faults.peers:send_with_tenacity"),
    Column("Twilio SDK<br>alone", "scripts.faults.peers:send_with_twilio", messages=1),
    Column("Twilio SDK<br>in a task", "scripts.faults.peers:send_with_twilio_in_airflow", messages=1),
)


@dataclass(frozen=True)
class Figure:
    """
    How often each recipient got their text, and what the caller was told.

    ``beside`` is for the recipients of the send's other requests.
    """

    arrived: tuple[int, ...]
    told: str
    beside: tuple[int, ...] = ()

    @property
    def good(self) -> bool:
        """Whether everybody got their text once, and the caller knows at once."""
        return set(self.arrived) == {1} and self.told == "ok"

    @property
    def twice(self) -> bool:
        """Whether somebody got a text more than once."""
        return max(self.arrived + self.beside) > 1

    @property
    def lost(self) -> bool:
        """Whether somebody got none, and the caller believes otherwise."""
        return min(self.arrived + self.beside) == 0 and self.told in {"ok", "retried"}

    @property
    def wrongly_failed(self) -> bool:
        """Whether somebody got a text, and the caller was told that it failed."""
        return max(self.arrived) > 0 and self.told == "failed"

    @property
    def in_doubt(self) -> bool:
        """Whether the caller was told that nobody knows."""
        return self.told == "in doubt"

    def __str__(self) -> str:
        counts = " and ".join(map(str, sorted(set(self.arrived), reverse=True)))
        text = f"{counts} {self.told}"
        return f"**{text}**" if self.twice or self.lost else text


def measure(column: Column, fault: str, *, rule: bool) -> Figure:
    """Let a contender send through a gateway with a fault; ``rule`` is the 40-second rule."""
    (row,) = (row for row in FAULT_ROWS if row.name == fault)
    send = pkgutil.resolve_name(column.send)
    gateway = Sandbox(
        duplicate_window_s=RULE_S if rule else 0, reports=column.reports, report_lag_s=REPORT_LAG_S
    )
    with gateway as sandbox:
        with row.meet(sandbox, after=column.after):
            told = send(sandbox)
        return figure(sandbox, MESSAGES[: column.messages], told, beside=column.beside)


def figure(
    sandbox: Sandbox, messages: Sequence[Message], told: str, *, beside: Sequence[Message] = ()
) -> Figure:
    """Count what arrived."""
    arrived = Counter(
        (message.recipient, message.text)
        for message in sandbox.arrived
        if message.recipient != OWN_NUMBER and not message.recipient.startswith(PREFIX)
    )
    if strangers := set(arrived) - {*messages, *beside}:
        raise AssertionError(f"{len(strangers)} messages arrived that nobody sent")
    return Figure(
        tuple(arrived[message] for message in messages),
        told,
        tuple(arrived[message] for message in beside),
    )
