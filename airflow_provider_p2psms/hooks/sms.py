"""
The hook: an Airflow connection of type ``p2psms`` as a client of the gateway.

Knows how a connection is read; sends exactly once and keeps no record. The operators do more: they check
rows, make batches and say what became of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_p2psms import provider_info
from airflow_provider_p2psms.airflow_compat import (
    AirflowNotFoundException,
    BaseHook,
    ask_airflow,
    running_task,
)
from airflow_provider_p2psms.errors import InvalidMessageError, P2PSMSError, lay_out

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from airflow_provider_p2psms.gateway.client import GatewayClient
    from airflow_provider_p2psms.gateway.response import Page, Price
    from airflow_provider_p2psms.gateway.settings import GatewaySettings

T = TypeVar("T")

# So many calls of one hook's twins are under way at once; more wait for a thread.
_THREADS = 8


class SMSHook(BaseHook):
    """
    One account at the gateway, by its connection.

    :param p2psms_conn_id: the connection. *Host* is the base address, *Password* the API token; extras, all
        optional: ``from_number``, ``region``, ``connect_timeout``, ``read_timeout``, ``proxy``,
        ``ca_bundle``, ``allow_http``, ``allowed_recipients``, ``redirect_to``, ``requests_per_second``,
        ``outbox_url``, ``report_lag``, ``witness_recipient``, ``notifier_recipients``, ``notifier_text``.

    The hook keeps no ledger. After an unknown outcome or a refusal its sends raise an error that is also an
    ``AirflowFailException``, so Airflow does not retry the task. A process that is killed raises no error,
    and Airflow's retry sends again. ``@task.p2psms`` keeps a ledger: its retries send only what was not sent.

    Each method that asks or sends has a twin for event loops (``async_send_peer_to_peer`` …), with the same
    contract. If the awaiting task is cancelled during a send, the outcome is unknown: the twin raises
    ``FinalOutcomeUnknownError`` in place of ``CancelledError``, and the log says how the send ended.
    """

    conn_name_attr = "p2psms_conn_id"
    default_conn_name = provider_info.DEFAULT_CONN_ID
    conn_type = "p2psms"
    hook_name = "P2P SMS gateway"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Say how the connection form labels and hides its fields (read by Airflow before 3.2)."""
        return provider_info.ui_field_behaviour()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Give the connection form's fields for the extras (read by Airflow before 3.2)."""
        return provider_info.connection_form_widgets()

    def __init__(self, p2psms_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.p2psms_conn_id = p2psms_conn_id

    @cached_property
    def settings(self) -> GatewaySettings:
        """
        What the connection says.

        :raises InvalidMessageError: it names no gateway, no token, or something unknown.
        :raises AirflowNotFoundException: there is no such connection.
        """
        from airflow_provider_p2psms.gateway.settings import parse_settings

        try:
            connection = self.get_connection(self.p2psms_conn_id)
        except AirflowNotFoundException:
            raise AirflowNotFoundException(
                lay_out(
                    f"There is no connection {self.p2psms_conn_id}.",
                    options=(
                        "Create it in Airflow (Admin, Connections), of the type P2P SMS gateway.",
                        "Or name another one in p2psms_conn_id.",
                    ),
                )
            ) from None
        try:
            return parse_settings(
                host=connection.host,
                password=connection.password,
                login=connection.login,
                schema=connection.schema,
                port=connection.port,
                extra=connection.extra_dejson,
            )
        except InvalidMessageError as err:
            raise InvalidMessageError(f"{err}\nThe connection is {self.p2psms_conn_id}.") from None

    def get_conn(self) -> GatewayClient:
        """Return the client; it is one and the same for this hook, and threads may share it."""
        return self._client

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(_THREADS, thread_name_prefix="p2psms-hook")

    @cached_property
    def _client(self) -> GatewayClient:
        from airflow_provider_p2psms.gateway.client import GatewayClient

        return GatewayClient(self.settings, origin=running_task())

    def test_connection(self) -> tuple[bool, str]:
        """Ask the gateway whose token it is: costs nothing, sends nothing."""
        try:
            account = self.get_conn().check_token()
        except P2PSMSError as err:
            # Airflow tests what the form holds under a random id, which would say nothing to anyone.
            return False, str(err).removesuffix(f"\nThe connection is {self.p2psms_conn_id}.")
        blocks = [name for name in ("send_block", "document_block") if getattr(account, name)]
        if blocks:
            return False, (
                f"The token is good, but the gateway has blocked account {account.user_id} "
                f"({', '.join(blocks)}): it will take no message. Ask the gateway's support."
            )
        return True, f"The gateway knows the token: account {account.user_id}."

    def send_peer_to_peer(
        self,
        groups: Sequence[Mapping[str, Any]],
        *,
        from_number: str | None = None,
        send_time: str | None = None,
    ) -> list[int]:
        """
        Send groups in JSON: exactly one POST, never a second.

        :param groups: ``{"recipients": [E.164, …], "message": text}``, about 1,000 recipients in all at most.
        :param from_number: the sending line; default the connection's.
        :param send_time: ``YYYY-MM-DD HH:MM:SS`` in UTC; without it, at once.
        :return: one outbox id a group, in the order given.
        :raises FinalOutcomeUnknownError: the request left, but no trustworthy answer came back, or the send
            was interrupted. Do not resend. Airflow does not retry the task.
        :raises FinalGatewayRefusedError: the gateway answered and took nothing. Airflow does not retry the
            task. ``FinalAuthenticationError`` if the gateway does not accept the token.
        :raises FinalInvalidMessageError: the connection or the line cannot be used; nothing left this
            machine. Airflow does not retry the task.
        :raises GatewayRefusedError: the gateway took nothing and asks to wait (HTTP 503). Airflow may retry.
        :raises UnreachableError: no connection was made; nothing left this machine. Airflow may retry.

        Nothing is checked or recorded here.
        """
        from airflow_provider_p2psms.gateway.request import Group
        from airflow_provider_p2psms.hooks.errors import interruption_is_unknown, no_retries_of_a_send

        content = [Group(list(group["recipients"]), group["message"]) for group in groups]
        with no_retries_of_a_send():
            client, line = self.get_conn(), self.line(from_number)
            with interruption_is_unknown():
                receipt = client.send_peer_to_peer(content, from_number=line, send_time=send_time)
                return list(receipt.outbox_ids)

    def send_peer_to_peer_file(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        from_number: str | None = None,
        send_time: str | None = None,
    ) -> list[int]:
        """
        Send (recipient, text) rows as one uploaded CSV: exactly one POST, never a second.

        :param messages: at most 10,000.
        :return: one outbox id a row, in the order given.

        All else as in ``send_peer_to_peer``.
        """
        from airflow_provider_p2psms.hooks.errors import interruption_is_unknown, no_retries_of_a_send

        content = list(messages)
        with no_retries_of_a_send():
            client, line = self.get_conn(), self.line(from_number)
            with interruption_is_unknown():
                receipt = client.send_peer_to_peer_file(content, from_number=line, send_time=send_time)
                return list(receipt.outbox_ids)

    async def async_send_peer_to_peer(
        self,
        groups: Sequence[Mapping[str, Any]],
        *,
        from_number: str | None = None,
        send_time: str | None = None,
    ) -> list[int]:
        """Do as ``send_peer_to_peer``, out of an event loop."""
        return await self._send(
            partial(self.send_peer_to_peer, groups, from_number=from_number, send_time=send_time)
        )

    async def async_send_peer_to_peer_file(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        from_number: str | None = None,
        send_time: str | None = None,
    ) -> list[int]:
        """Do as ``send_peer_to_peer_file``, out of an event loop."""
        return await self._send(
            partial(self.send_peer_to_peer_file, messages, from_number=from_number, send_time=send_time)
        )

    def cancel(self, outbox_id: int) -> None:
        """Cancel one scheduled message, until 5 minutes before its time."""
        self.get_conn().cancel(outbox_id)

    def calculate_price(self, message: str, *, from_number: str | None = None) -> Price:
        """Ask what one text costs a recipient, in rial."""
        return self.get_conn().calculate_price(message, from_number=self.line(from_number))

    def credit(self) -> Mapping[str, Any]:
        """Ask for the account's credit."""
        return self.get_conn().credit()

    def report_by_bulk(self, outbox_id: int) -> Mapping[str, Any]:
        """Ask for the record of one outbox id."""
        return self.get_conn().report_by_bulk(outbox_id)

    def report_list(self, filters: Mapping[str, Any], *, page: int = 1, limit: int = 100) -> Page:
        """Ask for a page of outbox records."""
        return self.get_conn().report_list(filters, page=page, limit=limit)

    def report_recipients(self, outbox_id: int, *, page: int = 1, per_page: int = 100) -> Page:
        """Ask for a page of the recipients of one outbox id."""
        return self.get_conn().report_recipients(outbox_id, page=page, per_page=per_page)

    async def async_test_connection(self) -> tuple[bool, str]:
        """Do as ``test_connection``, out of an event loop."""
        try:
            return await self._ask(self.test_connection)
        except P2PSMSError as err:
            return False, str(err)

    async def async_cancel(self, outbox_id: int) -> None:
        """Do as ``cancel``, out of an event loop."""
        await self._ask(partial(self.cancel, outbox_id))

    async def async_calculate_price(self, message: str, *, from_number: str | None = None) -> Price:
        """Do as ``calculate_price``, out of an event loop."""
        return await self._ask(partial(self.calculate_price, message, from_number=from_number))

    async def async_credit(self) -> Mapping[str, Any]:
        """Do as ``credit``, out of an event loop."""
        return await self._ask(self.credit)

    async def async_report_by_bulk(self, outbox_id: int) -> Mapping[str, Any]:
        """Do as ``report_by_bulk``, out of an event loop."""
        return await self._ask(partial(self.report_by_bulk, outbox_id))

    async def async_report_list(self, filters: Mapping[str, Any], *, page: int = 1, limit: int = 100) -> Page:
        """Do as ``report_list``, out of an event loop."""
        return await self._ask(partial(self.report_list, filters, page=page, limit=limit))

    async def async_report_recipients(self, outbox_id: int, *, page: int = 1, per_page: int = 100) -> Page:
        """Do as ``report_recipients``, out of an event loop."""
        return await self._ask(partial(self.report_recipients, outbox_id, page=page, per_page=per_page))

    async def _send(self, send: Callable[[], list[int]]) -> list[int]:
        from airflow_provider_p2psms.hooks.errors import no_retries_of_a_send
        from airflow_provider_p2psms.hooks.threads import send_in_thread

        with no_retries_of_a_send():
            await ask_airflow(self.get_conn)
        return await send_in_thread(self._threads, send)

    async def _ask(self, question: Callable[[], T]) -> T:
        from airflow_provider_p2psms.hooks.threads import ask_in_thread

        # First the connection, in the one thread where Airflow may be asked for it.
        await ask_airflow(self.get_conn)
        return await ask_in_thread(self._threads, question)

    def number(self, number: str) -> str:
        """
        Return a number in E.164, read in the connection's region.

        :raises InvalidMessageError: it is none.
        """
        from airflow_provider_p2psms.rows.phone_numbers import to_e164

        return to_e164(number, self.settings.region)

    def line(self, from_number: str | None = None) -> str:
        """
        Return the sending line: the one named, or the connection's.

        :raises InvalidMessageError: neither names one.
        """
        line = (from_number or self.settings.from_number or "").strip()
        if not line:
            raise InvalidMessageError(
                "No sending line: set from_number in the task or in the connection's extra, e.g. +983000505."
            )
        return line
