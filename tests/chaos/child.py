"""One try of a send without Airflow, in a process of its own that may end at any moment."""

import csv
import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from airflow_provider_p2psms.errors import P2PSMSError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.stores import ObjectStore
from airflow_provider_p2psms.rows import RowRules, check_rows, read_rows
from airflow_provider_p2psms.sending.ledgers import LedgerRules
from airflow_provider_p2psms.sending.payloads import Payload, PeerToPeer, PeerToPeerFile
from airflow_provider_p2psms.sending.plan import PlanRules
from airflow_provider_p2psms.sending.send import Sender
from airflow_provider_p2psms.sending.times import Times
from airflow_provider_p2psms.sending.timing import Timing
from tests.chaos.kill_points import Trap, arm

FORMS: dict[str, Callable[[], Payload]] = {"json": PeerToPeer, "file": PeerToPeerFile}
SENDER = "+983000505"
TOKEN = "sandbox-token"

# Its processes are forked from one that has no thread and has loaded everything.
clean_processes = multiprocessing.get_context("forkserver")
clean_processes.set_forkserver_preload([__name__, "airflow_provider_p2psms.sandbox"])

Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How long a request may take and a try may wait: as in production, but for the scale.

    :param report_lag_s: the user's word that the reports show everything after that long; ``None``: no word.
    """

    connect_timeout_s: float
    read_timeout_s: float
    times: Times
    report_lag_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """
    One try: what is to be sent, how, and where it leaves its ledger and what it has to say.

    :param folder: of the send; all its tries share it.
    """

    rows: list[Row] = field(repr=False)
    form: Literal["json", "file"]
    batch_size: int
    url: str
    folder: Path
    number: int
    max_in_flight: int = 2
    pace: Pace
    trap: Trap | None = None

    @property
    def ledger(self) -> Path:
        """Where the records lie."""
        return self.folder / "ledger"

    def run(self) -> None:
        """Send, and write the result or the error; to be called in a process of its own."""
        if self.trap:
            arm(self.trap)
        try:
            said: dict[str, Any] = {"result": self._send()}
        except P2PSMSError as err:
            said = {
                "error": type(err).__name__,
                "text": "\n".join([str(err), *getattr(err, "__notes__", ())]),
            }
        self._said.write_text(json.dumps(said), encoding="utf-8")

    def _send(self) -> dict[str, Any]:
        settings = GatewaySettings(
            base_url=self.url,
            token=TOKEN,
            connect_timeout_s=self.pace.connect_timeout_s,
            read_timeout_s=self.pace.read_timeout_s,
        )
        with GatewayClient(settings) as client:
            sender = Sender(
                client=client,
                payload=FORMS[self.form](),
                from_number=SENDER,
                rules=PlanRules(),
                timing=Timing(),
                ledger=LedgerRules(
                    store=ObjectStore(self.ledger, patience_s=2.0),
                    scope="chaos",
                    try_number=self.number,
                    # Once a first try has opened its ledger, a later one must never miss it.
                    must_exist=any(self.ledger.glob("p2psms.1-*.json")),
                    report_lag_s=self.pace.report_lag_s,
                ),
                batch_size=self.batch_size,
                max_in_flight=self.max_in_flight,
                open_outcomes=self._open_outcomes,
                stop=threading.Event(),
                times=self.pace.times,
            )
            return sender.send(check_rows(read_rows(self.rows), RowRules())).as_dict()

    # --- what it has said

    @property
    def result(self) -> dict[str, Any]:
        """The result that it returned."""
        assert "result" in self.said, self.said
        result: dict[str, Any] = self.said["result"]
        return result

    @property
    def said(self) -> dict[str, Any]:
        """What it ended with: ``result``, or ``error`` and ``text``; empty where it was ended."""
        return json.loads(self._said.read_text(encoding="utf-8")) if self._said.exists() else {}

    @property
    def outcomes(self) -> list[dict[str, str]]:
        """The outcomes that it wrote, one a row."""
        with self._outcomes.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    @contextmanager
    def _open_outcomes(self) -> Iterator[TextIO]:
        with self._outcomes.open("w", encoding="utf-8", newline="") as stream:
            yield stream

    @property
    def _said(self) -> Path:
        return self.folder / f"said.{self.number}.json"

    @property
    def _outcomes(self) -> Path:
        return self.folder / f"outcomes.{self.number}.csv"


def warm_up() -> None:
    """Load what a first send loads late, so that processes forked from this one need not."""
    list(check_rows(read_rows([("+989120000000", "warm")]), RowRules()))
