"""What each page of the gateway answers to a call that has been read; all of it synchronous."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from airflow_provider_p2psms.sandbox import phrases
from airflow_provider_p2psms.sandbox.calls import Call
from airflow_provider_p2psms.sandbox.contract import MIN_AHEAD_S, check_form, check_json
from airflow_provider_p2psms.sandbox.envelope import (
    Answer,
    Refused,
    bad_credentials,
    done,
    done_briefly,
    missing,
    not_found,
)
from airflow_provider_p2psms.sandbox.faults import SEND_PATH
from airflow_provider_p2psms.sandbox.groups import regroup
from airflow_provider_p2psms.sandbox.paging import page_number, whole_number
from airflow_provider_p2psms.sandbox.pricing import count_parts, prices
from airflow_provider_p2psms.sandbox.reports import Reports
from airflow_provider_p2psms.sandbox.settings import Settings
from airflow_provider_p2psms.sandbox.store import MAX_ID, RepeatedError, Store


class Pages:
    """The pages by method and path."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._asked_at: deque[float] = deque()
        self._pages: dict[str, tuple[str, Callable[[Call], Answer]]] = {
            SEND_PATH: ("POST", self.send),
            "/api/send/cancel": ("POST", self.cancel),
            "/api/send/calculate-price": ("POST", self.calculate_price),
            "/api/payment/credit/mine": ("GET", self.credit),
            "/api/number/numbers": ("GET", self.numbers),
            "/api/acl/auth/check_token": ("POST", self.check_token),
            "/api/report/by_bulk": ("GET", self.report),
            "/api/report/new_list": ("POST", self.report),
            "/api/report/recipients": ("GET", self.report),
            "/api/report/bulk_stats": ("GET", self.report),
        }

    def find(self, call: Call) -> Callable[[Call], Answer]:
        """
        Return the page that a call is for.

        :raises Refused: 404 for an unknown path, 405 for an unknown method, 401 without the token, 413 if the
            body was too large.
        """
        method, page = self._pages.get(call.path, ("", None))
        if page is None or (page == self.report and not self._settings.reports):
            raise not_found(phrases.NO_SUCH_PAGE)
        if call.method != method:
            raise Refused(405, "405-1", phrases.NO_SUCH_PAGE)
        if not call.authorised:
            raise bad_credentials()
        if call.too_large:
            raise Refused(413, "413-1", phrases.TOO_LARGE)
        return page

    def send(self, call: Call) -> Answer:
        """Take a send whole, or refuse it whole."""
        settings = self._settings
        if settings.send_block:
            raise Refused(403, "403-1", phrases.BLOCKED)
        if call.form is not None:
            submission = check_form(call.form.fields, call.form.files, settings=settings, now=call.now)
        else:
            submission = check_json(call.json(), settings=settings, now=call.now)
        call.messages = sum(len(group.recipients) for group in submission.groups)
        submission = replace(submission, groups=regroup(submission.groups, call.takes))
        if call.order:
            share = call.order.share if call.order.fault == "undelivered" else 0.0
            submission = replace(submission, state=call.order.meant.state, undelivered_share=share)
        try:
            ids = self._store.take(
                submission,
                request=call.request_id,
                now=call.now,
                duplicate_window_s=settings.duplicate_window_s,
                credit=settings.credit_of(submission.from_number),
            )
        except RepeatedError as err:
            raise Refused(429, "429-1", phrases.REPEATED) from err
        return done({"message_outbox_ids": ids}, taken=bool(ids))

    def cancel(self, call: Call) -> Answer:
        """Cancel a scheduled message, until five minutes before it is sent."""
        outbox_id = call.json().get("message_outbox_id")
        if not isinstance(outbox_id, int) or isinstance(outbox_id, bool):
            raise missing("message")  # the field that the page prints for it
        if not 0 <= outbox_id <= MAX_ID or not self._store.cancel(
            outbox_id, now=call.now, send_at_least=call.now + MIN_AHEAD_S
        ):
            raise not_found()
        return done(None)

    def calculate_price(self, call: Call) -> Answer:
        """Price a text."""
        body = call.json()
        for field in ("number", "message"):
            if not isinstance(body.get(field), str) or not body[field].strip():
                raise missing(field)
        return done(prices(count_parts(body["message"])), message=phrases.PRICE_DONE)

    def credit(self, call: Call) -> Answer:
        """Tell the credit left after all that was sent by now."""
        credit = self._settings.account_credit
        spent = self._store.spent(credit, sent_before=call.now - self._settings.queue_s)
        return done_briefly(
            {
                "credit": credit.amount - spent,
                "yesterday_credit": credit.amount,
                "gift": 0,
                "gift_expires_at": None,
                "updated_at": datetime.fromtimestamp(call.now, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            }
        )

    def numbers(self, call: Call) -> Answer:
        """List the account's lines."""
        page = page_number(call.query.get("page", 1), "page")
        per_page = page_number(call.query.get("per_page", 10), "per_page")
        lines = [
            {
                "id": 10_000 + place,
                "number": number,
                "operator_id": place,
                "alias": None if place == 1 else f"Line {place}",
                "gets": 0,
                "is_66_char": 0,
            }
            for place, number in enumerate(self._settings.lines, start=1)
        ]
        return done_briefly(lines[(page - 1) * per_page :][:per_page], message=phrases.NUMBERS_DONE)

    def check_token(self, _call: Call) -> Answer:
        """Tell whose token it is."""
        return done(
            {
                "user_name": "sandbox",
                "user_id": 58745,
                "document_block": False,
                "is_reseller": True,
                "send_block": self._settings.send_block,
                "name": "sandbox",
            }
        )

    def report(self, call: Call) -> Answer:
        """Answer one of the report pages."""
        self._keep_limit(call.now)
        reports = Reports(self._settings, self._store, now=call.now, question=call.request_id)
        if call.path.endswith("new_list"):
            return reports.new_list(call.json(), path=call.path)
        field = "messages_outbox_id" if call.path.endswith("by_bulk") else "bulk_id"
        if not call.query.get(field):
            raise missing(field)
        outbox_id = whole_number(call.query[field], field)
        if call.path.endswith("by_bulk"):
            return reports.by_bulk(outbox_id)
        if call.path.endswith("bulk_stats"):
            return reports.bulk_stats(outbox_id)
        page = page_number(call.query.get("page", 1), "page")
        per_page = page_number(call.query.get("per_page", 10), "per_page")
        return reports.recipients(outbox_id, page=page, per_page=per_page, path=call.path)

    def _keep_limit(self, now: float) -> None:
        limit = self._settings.report_limit_per_minute
        while self._asked_at and self._asked_at[0] <= now - 60:
            self._asked_at.popleft()
        if limit and len(self._asked_at) >= limit:
            raise Refused(429, "429-2", phrases.TOO_MANY_QUESTIONS)
        self._asked_at.append(now)
