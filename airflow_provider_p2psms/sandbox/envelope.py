"""The one envelope of every answer, and the refusals that the documents print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_p2psms.sandbox import phrases


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and its JSON; ``taken`` says whether messages were accepted with it."""

    status: int
    body: dict[str, Any]
    taken: bool = False


def done(data: Any, *, message: str = phrases.DONE, taken: bool = False) -> Answer:
    """Build the success of sends, prices and statistics."""
    meta = {"status": True, "message": message, "message_parameters": [], "message_code": "200-1"}
    return Answer(200, {"data": data, "meta": meta}, taken)


def done_briefly(
    data: Any, *, message: str = phrases.DONE, paging: Mapping[str, Any] | None = None
) -> Answer:
    """Build the success of lists, records and the credit: printed without ``message_parameters``."""
    meta = {**(paging or {}), "status": True, "message": message, "message_code": "200-1"}
    return Answer(200, {"data": data, "meta": meta})


class Refused(Exception):  # noqa: N818 - it is an answer of the gateway, not a fault of the sandbox
    """The request is answered with ``answer``, and nothing of it is taken."""

    def __init__(
        self, status: int, code: str, message: str, *, errors: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__(code)
        meta = {
            "status": False,
            "message": message,
            "message_parameters": [],
            "message_code": code,
            "errors": dict(errors or {}),
        }
        self.answer = Answer(status, {"data": None, "meta": meta})


def bad_credentials() -> Refused:
    """HTTP 401 as every page prints it."""
    return Refused(401, "400-1", phrases.BAD_CREDENTIALS)


def not_found(message: str = phrases.NOT_FOUND) -> Refused:
    """HTTP 404 as the page of cancelling prints it; that page gives it the code of bad credentials."""
    return Refused(404, "400-1", message)


def wrong_fields(errors: Mapping[str, Sequence[str]]) -> Refused:
    """HTTP 422 with its errors by field; the first of them is the message."""
    first = next(iter(errors.values()))[0]
    return Refused(422, "400-2", first, errors=errors)


def missing(field: str) -> Refused:
    """HTTP 422 for one field that must be there."""
    return wrong_fields({field: [phrases.required(field)]})
