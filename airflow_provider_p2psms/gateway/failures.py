"""
The errors that say what an answer was if it was no success: what its status means, and what can be done.

Which of them an answer is, is decided in ``response``.
"""

from collections.abc import Iterable

from airflow_provider_p2psms.errors import (
    AuthenticationError,
    GatewayRefusedError,
    OutcomeUnknownError,
    lay_out,
)
from airflow_provider_p2psms.gateway.envelope import Answer, Envelope
from airflow_provider_p2psms.gateway.redaction import Redactor

_CHECK_URL = "Check the connection's Base URL."
# What a status means, and then what can be done about it.
_MEANING: dict[int, tuple[str, ...]] = {
    400: ("It cannot read the request.",),
    401: (
        "It does not accept the API token.",
        "Put the bare token into the connection's Password: no 'Bearer', 'AccessKey' or 'apikey'.",
        "A login token expires after 10 hours, an API key does not: use a key.",
    ),
    402: ("The account has to be paid first.", "Pay it, and clear the task."),
    403: ("This account, line or address may not do that.", "Check from_number and the account's rights."),
    404: ("There is nothing at that address, or no such message.", _CHECK_URL),
    405: ("There is nothing at that address.", _CHECK_URL),
    407: ("The proxy wants credentials.", "Write them into the connection's extra proxy."),
    413: ("The request is too large.", "Lower batch_size."),
    415: ("It does not read that kind of file or request.",),
    422: ("It does not accept the fields.", "Correct what it names, and clear the task."),
    429: (
        "In the last 40 seconds it took the same text for the same number from this line.",
        "Do not send it later: that makes a second copy, which is paid for.",
    ),
    503: ("It takes nothing now, and says when to ask again.",),
}


def build_refusal(
    answer: Answer, envelope: Envelope | None, *, private: Iterable[str] = ()
) -> GatewayRefusedError:
    """
    Return the error of an answer that says *no*, with the gateway's words.

    :param private: texts that must not be quoted back.
    """
    status = answer.http_status
    if 300 <= status < 400:
        meaning, *options = "It points to another address, which is never followed.", _CHECK_URL
    else:
        meaning, *options = _MEANING.get(status, ("It took nothing.",))
    redact = Redactor(private)
    words = redact(envelope.message) if envelope and envelope.message else None
    code = envelope.code if envelope else None
    fields = envelope.errors if envelope else {}
    errors = {redact(name): tuple(map(redact, texts)) for name, texts in fields.items()}
    said = [f"HTTP {status}", *([f"code {code}"] if code else [])]
    facts = [f"Its words: {words}"] if words else []
    facts += [f"Field {name}: {' '.join(texts)}" for name, texts in errors.items()]
    error = AuthenticationError if status == 401 else GatewayRefusedError
    return error(
        lay_out(
            f"The gateway refused ({', '.join(said)}).",
            meaning,
            *(" ".join(fact.split()) for fact in facts),
            options=options,
        ),
        http_status=status,
        message_code=code,
        gateway_message=words,
        field_errors=errors,
        retry_after_s=answer.retry_after_s,
    )


def build_unknown(
    answer: Answer, what: str, *, outbox_ids: tuple[int, ...] = (), said_taken: bool = False
) -> OutcomeUnknownError:
    """
    Return the error of an answer that cannot be trusted.

    :param what: what is wrong with it, as the rest of a sentence about it.
    :param outbox_ids: the ids that it holds all the same.
    """
    kind = "HTML" if "html" in answer.content_type.lower() else f"{len(answer.body):,} bytes"
    status = answer.http_status
    return OutcomeUnknownError(
        lay_out(
            f"The gateway gave no answer to trust (HTTP {status}, {kind}).",
            f"It {what}. The request may have been taken.",
            options=[_CHECK_URL] if 300 <= status < 400 or status in {404, 405} else [],
        ),
        http_status=answer.http_status,
        outbox_ids=outbox_ids,
        said_taken=said_taken,
    )
