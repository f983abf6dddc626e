"""Which gateway and account a ledger's messages were handed to, and whether they are those of now."""

from hashlib import blake2b

from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnsettledError
from airflow_provider_p2psms.gateway.outbox import NoAnswerError, Outbox
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.ledger import History

_WAYS_ON = (
    "Nothing was sent now. Let the connection name the gateway and account of before. Or, if these people "
    "are to get the texts from the present one as well, give resend a word."
)


def account_of(settings: GatewaySettings) -> str:
    """Return what tells accounts apart in the ledger: a digest of the token, which does not show it."""
    return blake2b(settings.token.encode(), key=settings.base_url.encode()[:64], digest_size=6).hexdigest()


def check_origin(history: History, settings: GatewaySettings, outbox: Outbox) -> None:
    """
    Refuse to go on with a ledger of another gateway or account.

    A token may have been renewed. So where only the token differs, the gateway is asked for an outbox id of
    this ledger: an account sees its own records.

    :raises OutcomeUnknownError: it is another gateway or account, or that cannot be known.
    :raises UnsettledError: the gateway gave no answer.
    """
    others = sorted({gateway for gateway, _ in history.origins} - {settings.base_url})
    if others:
        raise OutcomeUnknownError(
            f"Earlier tries handed messages to the gateway at {', '.join(others)}. The connection now names "
            f"{settings.base_url}, whose reports know nothing of them. {_WAYS_ON}"
        )
    if not {account for _, account in history.origins} - {account_of(settings)}:
        return
    if not history.receipts:
        raise OutcomeUnknownError(
            "Earlier tries used another token, and the ledger holds no outbox id that tells whether it "
            f"belongs to the same account. {_WAYS_ON}"
        )
    try:
        record = outbox.find(history.receipts[-1].outbox_id)
    except (NoAnswerError, GatewayRefusedError) as err:
        raise UnsettledError(
            "Earlier tries used another token, and the gateway gave no answer that tells whether it belongs "
            f"to the same account: {err}"
        ) from err
    if record is None:
        raise OutcomeUnknownError(
            "Earlier tries used another token, and the account of the present one does not show their "
            f"messages: it is another account. {_WAYS_ON}"
        )
