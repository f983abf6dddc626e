"""
The report: one line a question, with what is documented, what was observed, and what it means.

The keys of ``CATALOGUE`` are stable: scripts read them in the JSON.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FORMAT = 1
NOTHING = "nothing"


class Result(StrEnum):
    """How an observation compares with the documents."""

    AS_DOCUMENTED = "as documented"
    DIFFERS = "differs"
    OBSERVED = "observed"  # the documents say nothing about it
    NOT_OBSERVED = "not observed"
    NOT_ASKED = "not asked"


CATALOGUE: Mapping[str, str] = {
    "account.token": "check_token names the account of a token and says whether the account may send.",
    "account.credit": "credit/mine shows the credit in rial.",
    "account.lines": "number/numbers lists the lines of the account in E.164.",
    "price": "calculate-price gives the price of one text for each operator, and its parts.",
    "send.groups": "One outbox id for each group.",
    "send.groups_order": "Not stated whether the ids stand in the order of the groups.",
    "send.file": "One outbox id for each row; the header is no row.",
    "send.file_order": "Not stated whether the ids stand in the order of the rows.",
    "repeat.groups": "HTTP 429 for the same recipient, sender and text within 40 seconds. Not stated whether "
    "this covers groups.",
    "repeat.file": "HTTP 429 for the same recipient, sender and text within 40 seconds. Not stated whether "
    "this covers files.",
    "report.by_id": "report/by_bulk shows the record of one outbox id. Not stated how soon.",
    "report.list": "report/new_list shows all records. Not stated how soon.",
    "report.clock": "Nothing is stated about the gateway's clock.",
    "report.time": "Records count Unix seconds, in UTC.",
    "report.line": "Records show the line in E.164.",
    "report.recipients": "report/recipients shows each recipient in E.164, and rcpts_count their number.",
    "report.text.letters": "Records show the text. Not stated whether Arabic ya and kaf stay as they are.",
    "report.text.digits": "Records show the text. Not stated whether digits stay as they are.",
    "report.text.zwnj": "Records show the text. Not stated whether zero-width non-joiners stay.",
    "report.text.line_end": "Records show the text. Not stated whether line ends stay.",
    "report.text.blanks": "Records show the text. Not stated whether two blanks stay two.",
    "report.text.quotes": "Records show the text. Not stated whether straight quotes stay straight.",
    "report.text.markup": "Records show the text. Not stated whether & < > are escaped.",
    "report.text.long": "Records show the text. Not stated whether a long one is shown whole.",
    "report.text.added": "Prices are without the opt-out suffix that lines may add; no page says whether "
    "records show it.",
    "report.text.pages": "Three pages show the text of a message: by_bulk, new_list and recipients.",
    "report.pages": "A page of new_list has current_page, last_page, per_page and total.",
    "report.limit": "limit sets the size of a page. No largest size is stated.",
    "report.last_page": "last_page can be asked for like every other page.",
    "report.filters": "create_from_date and create_to_date (Unix seconds) limit the list; so do "
    "messages_outbox_id, number and message.",
    "report.answers": "No rate limit of the report pages is stated.",
    "schedule.send": "send_time may be 5 minutes to 3 months ahead.",
    "schedule.report": "Not stated whether records of scheduled messages are shown before they are sent.",
    "schedule.cancel": "A scheduled message can be cancelled until 5 minutes before its time.",
    "schedule.after": "A cancelled message is in state 7.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One line of the report.

    ``connection`` is what to put into the connection. ``values`` is what a script may want to read.
    """

    result: Result
    observed: str
    meaning: str
    connection: str = NOTHING
    values: Mapping[str, Any] = field(default_factory=dict)


NOT_ASKED = Finding(Result.NOT_ASKED, "Not asked.", "Nothing is known about it.")


class Report:
    """
    All findings, in the order of the catalogue.

    ``private`` are texts (the token, spellings of the recipient) that are taken out of every line, since the
    gateway may quote them.
    """

    def __init__(self, *, about: Mapping[str, Any], private: Iterable[str]) -> None:
        self.about = dict(about)
        self.is_complete = False
        self.ended = ""
        self._private = sorted({text for text in private if text}, key=len, reverse=True)
        self._findings: dict[str, Finding] = {}

    def add(self, key: str, finding: Finding) -> None:
        """Set the finding of a key of the catalogue; the last one wins."""
        self._findings[key] = finding

    def findings(self) -> dict[str, Finding]:
        """Return a finding for every key of the catalogue."""
        return {key: self._findings.get(key, NOT_ASKED) for key in CATALOGUE}

    def clean(self, text: str) -> str:
        """Take the private texts out of a line."""
        for private in self._private:
            text = text.replace(private, "…")
        return text

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        findings = {
            key: {
                "result": str(each.result),
                "documented": CATALOGUE[key],
                "observed": each.observed,
                "meaning": each.meaning,
                "connection": each.connection,
                "values": dict(each.values),
            }
            for key, each in self.findings().items()
        }
        document = {
            "format": FORMAT,
            **self.about,
            "is_complete": self.is_complete,
            "ended": self.ended,
            "findings": findings,
        }
        cleaned: dict[str, Any] = self._clean_all(document)
        return cleaned

    def _clean_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {key: self._clean_all(each) for key, each in value.items()}
        return [self._clean_all(each) for each in value] if isinstance(value, list | tuple) else value
