"""What a send may cost at most, asked of the gateway before anything is sent."""

from airflow_provider_p2psms.errors import InvalidMessageError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.sending.plan import Plan


def check_cost(plan: Plan, client: GatewayClient, *, from_number: str, max_cost: float) -> None:
    """
    Refuse a send that may cost more than ``max_cost`` rial.

    Asks one price for each kind of text (alphabet and number of parts) and counts every recipient at the
    dearer of the operators' prices, so that the guard errs on the side of not sending.

    :raises InvalidMessageError: it may cost more; nothing was sent.
    :raises UnreachableError: the gateway gave no price.
    """
    cost = 0.0
    for sample, count in plan.samples.values():
        price = client.calculate_price(sample, from_number=from_number)
        cost += count * max(price.mci_price, price.other_price)
    if cost > max_cost:
        raise InvalidMessageError(
            f"max_cost is {max_cost:,.0f} rial, and this send may come to {cost:,.0f}. Nothing was sent. "
            "Raise the guard if that is what you want."
        )
