"""
What a send may cost, asked of the gateway before anything is sent: two figures, for two uses.

The estimate takes each number's operator from its first digits. Numbers can be ported to another operator, so
guards count every recipient at the dearer price: they err on the side of not sending.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_p2psms.errors import InvalidMessageError, UnreachableError, lay_out
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.response import Price
from airflow_provider_p2psms.gateway.values import parse_amount
from airflow_provider_p2psms.sending.plan import NOTHING_SENT, RAISE_GUARD
from airflow_provider_p2psms.sending.price_classes import PriceClass, PriceClasses

_IRAN = "+98"
_MCI = "IR-MCI"  # as the metadata of phonenumbers names the operator that has a price of its own
_NATIONAL_DIGITS = 10

Prices = Mapping[tuple[bool, int], Price]


@dataclass(frozen=True, slots=True)
class Cost:
    """In rial: by the operators that the numbers belonged to first, and at the dearest."""

    estimate: float
    at_most: float


def ask_prices(price_classes: PriceClasses, client: GatewayClient, *, from_number: str) -> Prices:
    """
    Ask the price of each alphabet and length: 40 questions at most, however many messages there are.

    :raises GatewayRefusedError: the gateway tells no prices; nothing was sent.
    :raises UnreachableError: it gave no answer; nothing was sent.
    """
    return {
        kind: client.calculate_price(sample, from_number=from_number)
        for kind, sample in price_classes.samples.items()
    }


def cost_of(price_classes: Mapping[PriceClass, int], prices: Prices) -> Cost:
    """Add up what messages cost."""
    estimate = at_most = 0.0
    for kind, count in price_classes.items():
        price = prices[kind.is_ascii, kind.parts]
        estimate += count * (price.mci_price if is_mci(kind.prefix) else price.other_price)
        at_most += count * max(price.mci_price, price.other_price)
    return Cost(estimate, at_most)


def check_cost(
    price_classes: PriceClasses, client: GatewayClient, *, from_number: str, max_cost: float
) -> float:
    """
    Refuse a send that may cost more than ``max_cost`` rial, or more than the account's credit.

    The guard counts the whole send, earlier tries included; the credit has to cover what nobody has tried to
    send yet: what earlier tries sent, or may have sent, is paid for or was checked by them. Gifts are not
    counted as credit: it is nowhere stated what they pay for.

    :return: the estimate for the whole send, in rial.
    :raises InvalidMessageError: it may cost more; nothing was sent.
    :raises GatewayRefusedError: the gateway tells no prices or no credit; nothing was sent.
    :raises UnreachableError: it gave no answer; nothing was sent.
    """
    prices = ask_prices(price_classes, client, from_number=from_number)
    whole = cost_of(price_classes.all, prices)
    if whole.at_most > max_cost:
        raise InvalidMessageError(
            lay_out(
                f"max_cost is {max_cost:,.0f} rial, and this send may come to {whole.at_most:,.0f}.",
                NOTHING_SENT,
                options=RAISE_GUARD,
            )
        )
    left = cost_of(price_classes.left, prices)
    credit = read_credit(client.credit())
    if credit is None:
        raise UnreachableError("The gateway's answer about the credit holds none.")
    if left.at_most > credit:
        raise InvalidMessageError(
            lay_out(
                f"The account has {credit:,.0f} rial, and this send may come to {left.at_most:,.0f}.",
                NOTHING_SENT,
                options=("Top the account up, and clear the task.",),
            )
        )
    return whole.estimate


def is_mci(prefix: str) -> bool:
    """Tell whether numbers that begin like this were given out by MCI: those have a price of their own."""
    if not prefix.startswith(_IRAN):
        return False
    from phonenumbers import PhoneNumber, carrier  # noqa: PLC0415 - its tables are read where a cost is asked

    national = prefix.removeprefix(_IRAN).ljust(_NATIONAL_DIGITS, "0")
    number = PhoneNumber(country_code=98, national_number=int(national))
    return str(carrier.name_for_number(number, "en")) == _MCI


def read_credit(answer: Mapping[str, object]) -> float | None:
    """Read the rial that the account has; ``None`` where the answer does not say."""
    return parse_amount(answer.get("credit"))
