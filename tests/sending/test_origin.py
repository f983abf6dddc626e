"""Another gateway or account than the ledger's is for a person; a renewed token is not."""

import threading

import pytest

from airflow_provider_p2psms.errors import OutcomeUnknownError, UnsettledError
from airflow_provider_p2psms.gateway.client import GatewayClient
from airflow_provider_p2psms.gateway.outbox import Outbox, QuestionPace
from airflow_provider_p2psms.gateway.request import Group
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.ledger.history import History, Receipt
from airflow_provider_p2psms.sandbox import Sandbox
from airflow_provider_p2psms.sending.origin import account_of, check_origin


@pytest.fixture
def settings(sandbox: Sandbox):
    return GatewaySettings(base_url=sandbox.base_url, token=sandbox.token)


@pytest.fixture
def client(settings):
    return GatewayClient(settings)


@pytest.fixture
def check(client, settings):
    """Hold a ledger against the sandbox's account, with the outbox id that it holds."""

    def check(origin, *, outbox_id=None):
        receipts = [Receipt(outbox_id, 0.0, 1.0, 0.0, is_scheduled=False)] if outbox_id else []
        history = History(origins={origin}, receipts=receipts)
        check_origin(history, settings, Outbox(client, pace=QuestionPace(stop=threading.Event())))

    return check


@pytest.fixture
def renewed(settings):
    """Name the sandbox's account by a token that it had before."""
    return settings.base_url, account_of(GatewaySettings(base_url=settings.base_url, token="before"))


def test_the_same_account_is_not_asked_about(check, settings, sandbox: Sandbox):
    """A ledger of this gateway and account is gone on with at once."""
    check((settings.base_url, account_of(settings)))

    assert not sandbox.requests


def test_another_gateway_is_for_a_person(check, settings):
    """Its reports know nothing of these messages; the error names both gateways."""
    with pytest.raises(OutcomeUnknownError, match=r"(?s)https://other\.example/v1.*" + settings.base_url):
        check(("https://other.example/v1", account_of(settings)))


def test_a_renewed_token_of_the_same_account_is_gone_on_with(check, client, renewed):
    """An account sees its own records, whatever its token."""
    receipt = client.send_peer_to_peer([Group(["+989120000001"], "hi")], from_number="+983000505")

    check(renewed, outbox_id=receipt.outbox_ids[0])


def test_an_account_that_does_not_show_the_messages_is_for_a_person(check, renewed):
    """It is another account at the same gateway."""
    with pytest.raises(OutcomeUnknownError, match="used another account"):
        check(renewed, outbox_id=12_345)


def test_another_token_without_an_id_to_ask_for_is_for_a_person(check, renewed):
    """Nothing tells whether it is the same account."""
    with pytest.raises(OutcomeUnknownError, match="holds no outbox id"):
        check(renewed)


def test_another_token_is_unsettled_while_the_gateway_gives_no_answer(check, renewed, sandbox: Sandbox):
    """A later try asks again."""
    sandbox.stop()

    with pytest.raises(UnsettledError, match="gave no answer"):
        check(renewed, outbox_id=12_345)
