"""
What the hook's sends raise where a retry of the task could send twice, or would be refused again.

Each class is one of this package's errors and an ``AirflowFailException``: code that catches the package's
error still does, and Airflow does not retry a task that lets it pass. ``UnreachableError``, and the refusal
of a gateway that asks to wait (HTTP 503 with ``Retry-After``), stay as they are: nothing was taken, and
Airflow may retry.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_p2psms.airflow_compat import AirflowFailException
from airflow_provider_p2psms.errors import (
    AuthenticationError,
    GatewayRefusedError,
    InvalidMessageError,
    OutcomeUnknownError,
    P2PSMSError,
    fold_lines,
    lay_out,
)

log = logging.getLogger(__name__)

BUSY_STATUS = 503


class FinalOutcomeUnknownError(OutcomeUnknownError, AirflowFailException):
    """The messages may have been taken, and the hook keeps no ledger: Airflow must not retry the task."""


class FinalGatewayRefusedError(GatewayRefusedError, AirflowFailException):
    """The gateway took nothing, and would refuse the same request again."""


class FinalAuthenticationError(AuthenticationError, FinalGatewayRefusedError):
    """The gateway does not accept the token (HTTP 401), and would not accept it in a retry."""


class FinalInvalidMessageError(InvalidMessageError, AirflowFailException):
    """What was handed in, or the connection, cannot be used; no request was made."""


# From the most specific on.
_FINAL: tuple[tuple[type[P2PSMSError], type[P2PSMSError]], ...] = (
    (OutcomeUnknownError, FinalOutcomeUnknownError),
    (AuthenticationError, FinalAuthenticationError),
    (GatewayRefusedError, FinalGatewayRefusedError),
    (InvalidMessageError, FinalInvalidMessageError),
)


@contextmanager
def no_retries_of_a_send() -> Iterator[None]:
    """
    Raise the classes above, with all attributes, in place of this package's errors that they stand for.

    All other errors pass unchanged.
    """
    try:
        yield
    except P2PSMSError as err:
        final = _build_final(err)
        if final is None:
            raise
        log.debug("The error came from here:", exc_info=err)
        raise final from None


@contextmanager
def interruption_is_unknown() -> Iterator[None]:
    """
    Say that the outcome is unknown if a request is interrupted: by the task's time-out, a signal, a fault.

    This package's own errors pass unchanged.

    :raises OutcomeUnknownError: something else ended the call; the request may have left by then.
    """
    try:
        yield
    except P2PSMSError:
        raise
    except BaseException as err:
        raise OutcomeUnknownError(
            lay_out(
                f"The send was interrupted ({type(err).__name__}).",
                "Its messages may have been taken.",
                options=("Look them up in the gateway's outbox before you send them again.",),
            )
        ) from err


def _build_final(err: P2PSMSError) -> P2PSMSError | None:
    """Return what to raise in place of ``err``; ``None`` if a retry is safe and may help."""
    if isinstance(err, GatewayRefusedError) and err.http_status == BUSY_STATUS:
        return None
    for kind, final in _FINAL:
        if isinstance(err, kind):
            built = final(fold_lines(str(err)))
            vars(built).update(vars(err))
            return built
    return None
