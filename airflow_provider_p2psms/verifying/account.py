"""What the account says before anything is sent: token, credit, lines and prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_p2psms.errors import (
    AuthenticationError,
    GatewayRefusedError,
    P2PSMSError,
    UnreachableError,
)
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.response import Price
from airflow_provider_p2psms.sending.cost import read_credit
from airflow_provider_p2psms.verifying.findings import Finding, Report, Result
from airflow_provider_p2psms.verifying.texts import Texts

_LINES_A_PAGE = 100


class BlockedError(P2PSMSError):
    """Nothing can be sent, or nothing more; the text says why."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What a run sends and costs.

    ``cost_at_most`` is in rial, ``None`` where the gateway gives no price; ``scheduled_cost`` is paid only if
    the cancel fails.
    """

    least_messages: int
    most_messages: int
    least_parts: int = 0
    most_parts: int = 0
    cost_at_most: float | None = None
    scheduled_cost: float | None = None
    credit: float | None = field(default=None)

    def lines(self, *, line: str, recipient: str) -> list[str]:
        """Say it in sentences; ``recipient`` is masked already."""
        cost = "The gateway gives no prices, so the cost is not known."
        if self.cost_at_most is not None:
            parts = f"{self.least_parts} to {self.most_parts} parts"
            cost = f"They have {parts} and cost {self.cost_at_most:,.0f} rial at most."
        scheduled = "It costs nothing once it is cancelled"
        if self.scheduled_cost is not None:
            scheduled += f", else {self.scheduled_cost:,.0f} rial"
        messages = f"{self.least_messages} to {self.most_messages} messages"
        lines = [
            f"This sends {messages} from {line} to {recipient}, by JSON and by file. {cost}",
            "Three of them are sent again within 40 seconds, to see whether the gateway stops the copies.",
            f"One more message is scheduled 88 days ahead and cancelled. {scheduled}.",
        ]
        if self.credit is not None:
            lines.append(f"The account's credit is {self.credit:,.0f} rial.")
            if self.cost_at_most is not None and self.credit < self.cost_at_most:
                lines.append("The credit may not cover the cost.")
        return lines


def ask_account(client: GatewayClient, report: Report, *, line: str) -> float | None:
    """
    Ask for the account, its credit and its lines; return the credit.

    :raises BlockedError: the token is not accepted, the account is blocked, or the gateway does not answer.
    """
    report.add("account.token", _ask_token(client, report))
    credit = None
    try:
        credit = read_credit(client.credit())
        known = f"{credit:,.0f} rial." if credit is not None else "The answer holds no credit."
        result = Result.AS_DOCUMENTED if credit is not None else Result.DIFFERS
        report.add(
            "account.credit", Finding(result, known, "max_cost can stop a send that it does not cover.")
        )
    except P2PSMSError as err:
        report.add(
            "account.credit", Finding(Result.DIFFERS, err.summary, "max_cost cannot look at the credit.")
        )
    report.add("account.lines", _ask_lines(client, line))
    return credit


def ask_estimate(
    client: GatewayClient, report: Report, texts: Texts, *, line: str, credit: float | None
) -> Estimate:
    """Ask what the texts cost; without prices the estimate has none."""
    once, twice = texts.groups, (texts.short, *texts.rows)
    least, most = len(once) + len(twice), len(once) + 2 * len(twice)
    try:
        prices = {
            text: client.calculate_price(text, from_number=line) for text in (*once, *twice, texts.scheduled)
        }
    except P2PSMSError as err:
        report.add(
            "price", Finding(Result.DIFFERS, err.summary, "max_cost cannot be used with this account.")
        )
        return Estimate(least, most, credit=credit)
    cost = sum(_most(prices[text]) for text in once) + 2 * sum(_most(prices[text]) for text in twice)
    parts = [prices[text].parts for text in once], [prices[text].parts for text in twice]
    short = prices[texts.short]
    report.add(
        "price",
        Finding(
            Result.AS_DOCUMENTED,
            f"One part costs {short.mci_price:,.0f} rial (MCI) or {short.other_price:,.0f} rial (others).",
            "max_cost can be used. A line that adds an opt-out suffix may cost one part more.",
            values={"mci_price": short.mci_price, "other_price": short.other_price},
        ),
    )
    return Estimate(
        least,
        most,
        sum(parts[0]) + sum(parts[1]),
        sum(parts[0]) + 2 * sum(parts[1]),
        cost,
        _most(prices[texts.scheduled]),
        credit,
    )


def _ask_token(client: GatewayClient, report: Report) -> Finding:
    try:
        account = client.check_token()
    except (AuthenticationError, UnreachableError) as err:
        report.add("account.token", Finding(Result.DIFFERS, err.summary, "Nothing can be sent."))
        raise BlockedError(f"Nothing was sent. {err.summary}") from err
    except GatewayRefusedError as err:
        return Finding(Result.DIFFERS, err.summary, "The connection test in Airflow fails; sends may work.")
    blocks = [name for name in ("send_block", "document_block") if getattr(account, name)]
    values = {"user_id": account.user_id, "blocks": blocks}
    if blocks:
        named = " and ".join(blocks)
        report.add(
            "account.token",
            Finding(
                Result.AS_DOCUMENTED,
                f"The token is accepted, and the account has {named}.",
                "The gateway takes no message from this account. Ask its support.",
                values=values,
            ),
        )
        raise BlockedError(f"Nothing was sent: the account has {named}. Ask the gateway's support.")
    return Finding(
        Result.AS_DOCUMENTED,
        f"The token is accepted: account {account.user_id}, not blocked.",
        "The connection works.",
        values=values,
    )


def _ask_lines(client: GatewayClient, line: str) -> Finding:
    try:
        lines = client.numbers(per_page=_LINES_A_PAGE).records
    except P2PSMSError as err:
        return Finding(Result.DIFFERS, err.summary, "Nothing is known about it.")
    mine = next((each for each in lines if _is_same(each.get("number"), line)), None)
    values = {"lines": len(lines), "listed": mine is not None}
    if mine is None:
        return Finding(
            Result.NOT_OBSERVED,
            f"{line} is not among the first {len(lines)} lines of the account.",
            "It may be a shared line. If sends are refused, check from_number.",
            values=values,
        )
    return Finding(
        Result.AS_DOCUMENTED if mine.get("number") == line else Result.DIFFERS,
        f"{line} is among the account's lines, as {mine.get('number')}.{_about(mine)}",
        "from_number is right.",
        values=values | {"is_66_char": bool(mine.get("is_66_char"))},
    )


def _about(mine: Mapping[str, Any]) -> str:
    alias = f" Its alias is {str(mine['alias'])[:40]}." if mine.get("alias") else ""
    shorter = (
        " Its parts have 66 characters, so counts without the gateway are too low."
        if mine.get("is_66_char")
        else ""
    )
    return alias + shorter


def _is_same(shown: object, line: str) -> bool:
    plain: Sequence[str] = [str(each).lstrip("+0").removeprefix("98").lower() for each in (shown, line)]
    return plain[0] == plain[1]


def _most(price: Price) -> float:
    return max(price.mci_price, price.other_price)
