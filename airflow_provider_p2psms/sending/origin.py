"""Which gateway and account a ledger's messages were handed to, and whether they are those of now."""

from hashlib import blake2b

from airflow_provider_p2psms.errors import GatewayRefusedError, OutcomeUnknownError, UnsettledError, lay_out
from airflow_provider_p2psms.gateway.outbox import NoAnswerError, Outbox
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.ledger import History
from airflow_provider_p2psms.sending.plan import NOTHING_SENT

_OPTIONS = (
    "Let the connection name the gateway and account of before, and clear the task.",
    "If people are to get the texts from the present account as well, give resend a word.",
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
            lay_out(
                "The connection names another gateway than in earlier tries.",
                f"They handed messages to {', '.join(others)}.",
                f"It now names {settings.base_url}, whose reports know nothing of them.",
                NOTHING_SENT,
                options=_OPTIONS,
            )
        )
    if not {account for _, account in history.origins} - {account_of(settings)}:
        return
    if not history.receipts:
        raise OutcomeUnknownError(
            lay_out(
                "Earlier tries used another token, perhaps of another account.",
                "The ledger holds no outbox id by which the gateway could tell.",
                NOTHING_SENT,
                options=_OPTIONS,
            )
        )
    try:
        record = outbox.find(history.receipts[-1].outbox_id)
    except (NoAnswerError, GatewayRefusedError) as err:
        raise UnsettledError(
            lay_out(
                "Earlier tries used another token, perhaps of another account.",
                f"The gateway gave no answer that tells: {err.summary}",
                NOTHING_SENT,
            )
        ) from err
    if record is None:
        raise OutcomeUnknownError(
            lay_out(
                "Earlier tries used another account.",
                "The account of the present token does not show their messages.",
                NOTHING_SENT,
                options=_OPTIONS,
            )
        )
