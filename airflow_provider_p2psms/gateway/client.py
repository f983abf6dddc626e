"""
The gateway as an object with methods: each call is one request; only questions are repeated.

Knows paths, and which documents of `request.py` and `response.py` belong to them. A send makes exactly one
POST, whatever happens.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from airflow_provider_p2psms.errors import OutcomeUnknownError, UnreachableError, lay_out
from airflow_provider_p2psms.gateway import request, response
from airflow_provider_p2psms.gateway.envelope import as_record
from airflow_provider_p2psms.gateway.settings import GatewaySettings
from airflow_provider_p2psms.gateway.transport import Transport

_QUESTION_ATTEMPTS = 3
_JSON = {"Content-Type": "application/json; charset=utf-8"}


class GatewayClient:
    """
    One account at one gateway; safe to share between threads.

    Every method raises ``GatewayRefusedError`` (``AuthenticationError``) when the gateway says no. Questions
    raise ``UnreachableError`` when no answer to trust came after three attempts: asking again is always safe.
    ``attempts=1`` asks a report exactly once, for callers that keep a pace. ``origin`` names what asks, for
    the page of a local sandbox; other gateways do not get it.
    """

    def __init__(self, settings: GatewaySettings, *, origin: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self._transport = Transport(settings, origin=origin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def clock_offset_s(self) -> float | None:
        """How many seconds the gateway's clock is ahead of ours; ``None`` before its first answer."""
        return self._transport.gateway_clock.offset_s

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    # --- sends

    def send_peer_to_peer(
        self,
        groups: list[request.Group],
        *,
        from_number: str,
        send_time: str | None = None,
        start_by: float = math.inf,
    ) -> response.Receipt:
        """
        Hand groups to the gateway in JSON: exactly one POST, never a second.

        :param groups: recipients in E.164; about 1,000 of them in all is the most that the gateway likes.
        :param send_time: ``YYYY-MM-DD HH:MM:SS`` in UTC; without it, at once.
        :param start_by: ``clock.elapsed()`` after which the request may not leave any more.
        :return: the receipt; one id per *group*, in the order given.
        :raises GatewayRefusedError: the gateway answered and took nothing.
        :raises UnreachableError: no connection was made; nothing left this machine.
        :raises OutcomeUnknownError: the request left and no answer to trust came. Do not resend; reconcile.

        Source: gateway docs, "Send Peer to Peer SMS".
        """
        return self.send_groups(
            request.write_groups(groups),
            expected=len(groups),
            from_number=from_number,
            send_time=send_time,
            start_by=start_by,
        )

    def send_groups(
        self,
        content: bytes,
        *,
        expected: int,
        from_number: str,
        send_time: str | None = None,
        start_by: float = math.inf,
    ) -> response.Receipt:
        """
        Do as ``send_peer_to_peer``, with ``expected`` groups that are written already.

        :param content: what ``request.write_groups`` or ``request.write_single_groups`` gives.
        """
        answer = self._transport.exchange(
            "POST",
            request.SEND_PATH,
            data=request.build_peer_to_peer(
                msgspec.Raw(content), from_number=from_number, send_time=send_time
            ),
            headers=_JSON,
            start_by=start_by,
        )
        written = (content,)  # read if needed
        texts = (group.message for each in written for group in request.read_groups(each))
        return response.parse_receipt(answer, expected=expected, private=texts)

    def send_peer_to_peer_file(
        self,
        messages: list[tuple[str, str]],
        *,
        from_number: str,
        send_time: str | None = None,
        start_by: float = math.inf,
    ) -> response.Receipt:
        """
        Upload (recipient, text) rows to the gateway as one CSV: exactly one POST, never a second.

        :param messages: at most 10,000.
        :return: the receipt; one id per *row*, in the order given.

        Errors, ``send_time`` and ``start_by`` as in ``send_peer_to_peer``.

        Source: gateway docs, "Send Peer to Peer by File".
        """
        return self.send_csv(
            request.build_csv((recipient.encode(), text.encode()) for recipient, text in messages),
            expected=len(messages),
            from_number=from_number,
            send_time=send_time,
            start_by=start_by,
        )

    def send_csv(
        self,
        content: bytes,
        *,
        expected: int,
        from_number: str,
        send_time: str | None = None,
        start_by: float = math.inf,
    ) -> response.Receipt:
        """Do as ``send_peer_to_peer_file``, with ``expected`` rows that ``request.build_csv`` has written."""
        answer = self._transport.exchange(
            "POST",
            request.SEND_PATH,
            data=request.build_peer_to_peer_file(from_number=from_number, send_time=send_time),
            files={"files[]": ("messages.csv", content, "text/csv")},
            start_by=start_by,
        )
        written = (content,)  # read if needed
        texts = (text for each in written for _, text in request.read_csv(each))
        return response.parse_receipt(answer, expected=expected, private=texts)

    def cancel(self, outbox_id: int) -> None:
        """
        Cancel one scheduled message, until 5 minutes before its time.

        :raises GatewayRefusedError: unknown or too late (``http_status`` 404).
        :raises OutcomeUnknownError: no answer to trust came; it may be cancelled.

        Source: gateway docs, "Cancel".
        """
        response.parse_answer(self._post("/api/send/cancel", {"message_outbox_id": outbox_id}))

    # --- questions

    def check_token(self) -> response.Account:
        """Ask whose token it is; costs nothing, works with tokens and API keys."""
        return response.parse_account(self._ask(lambda: self._post("/api/acl/auth/check_token", {}))[0])

    def calculate_price(self, message: str, *, from_number: str) -> response.Price:
        """Ask what one text from one line costs, in rial a recipient."""
        question = {"number": from_number, "message": message}
        return response.parse_price(self._ask(lambda: self._post("/api/send/calculate-price", question))[0])

    def credit(self) -> Mapping[str, Any]:
        """Ask for the account's credit: ``credit`` and ``gift`` in rial, as the gateway answers."""
        return as_record(self._ask(lambda: self._get("/api/payment/credit/mine"))[0])

    def numbers(self, *, page: int = 1, per_page: int = 100) -> response.Page:
        """Ask for a page of the account's lines: ``number``, ``alias``, ``is_66_char``."""
        return response.parse_page(
            *self._ask(lambda: self._get("/api/number/numbers", page=page, per_page=per_page))
        )

    def report_by_bulk(self, outbox_id: int, *, attempts: int = _QUESTION_ATTEMPTS) -> Mapping[str, Any]:
        """Ask for the record of one outbox id."""
        data, _ = self._ask(
            lambda: self._get("/api/report/by_bulk", messages_outbox_id=outbox_id), attempts=attempts
        )
        return as_record(data)

    def report_list(
        self,
        filters: Mapping[str, Any],
        *,
        page: int = 1,
        limit: int = 100,
        attempts: int = _QUESTION_ATTEMPTS,
    ) -> response.Page:
        """Ask for a page of outbox records; dates in ``filters`` are Unix seconds as strings."""
        question = {"page": page, "limit": limit, "filters": dict(filters)}
        return response.parse_page(
            *self._ask(lambda: self._post("/api/report/new_list", question), attempts=attempts)
        )

    def report_recipients(
        self, outbox_id: int, *, page: int = 1, per_page: int = 100, attempts: int = _QUESTION_ATTEMPTS
    ) -> response.Page:
        """Ask for a page of the recipients of one outbox id; statuses are final once the message is."""
        question = {"bulk_id": outbox_id, "page": page, "per_page": per_page}
        return response.parse_page(
            *self._ask(lambda: self._get("/api/report/recipients", **question), attempts=attempts)
        )

    def report_bulk_stats(self, outbox_id: int) -> Mapping[str, Any]:
        """Ask for the counts of one outbox id by outcome, operator and language, as they come."""
        return as_record(self._ask(lambda: self._get("/api/report/bulk_stats", bulk_id=outbox_id))[0])

    # --- one request

    def _get(self, path: str, **params: Any) -> Any:
        return self._transport.exchange("GET", path, params=params)

    def _post(self, path: str, document: Mapping[str, Any]) -> Any:
        return self._transport.exchange("POST", path, data=msgspec.json.encode(document), headers=_JSON)

    def _ask(
        self, question: Callable[[], Any], *, attempts: int = _QUESTION_ATTEMPTS
    ) -> tuple[Any, Mapping[str, Any]]:
        """Repeat a question that stayed without an answer to trust: it changes nothing at the gateway."""
        retrying = Retrying(
            retry=retry_if_exception_type((UnreachableError, OutcomeUnknownError)),
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        try:
            return retrying(lambda: response.parse_answer(question()))
        except OutcomeUnknownError as err:
            raise UnreachableError(
                lay_out(
                    "The gateway did not answer a question.",
                    f"The last error: {err.headline}",
                    "Asking again is safe.",
                )
            ) from err
