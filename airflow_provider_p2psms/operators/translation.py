"""What an error means to Airflow: fail for good, or let the task's own retries try again."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_p2psms.airflow_compat import (
    AirflowException,
    AirflowFailException,
    leave_state_to_newer_try,
)
from airflow_provider_p2psms.errors import (
    GatewayRefusedError,
    InvalidMessageError,
    OutcomeUnknownError,
    P2PSMSError,
    ReplacedError,
)


@contextmanager
def errors_for_airflow() -> Iterator[None]:
    """
    Translate this package's errors.

    What a retry cannot change becomes an ``AirflowFailException``, which Airflow does not retry: the same
    rows, token or request would be refused again, and what only a person can settle waits for one. All else
    becomes an ``AirflowException``: the ledger lets a later try go on where this one ended.
    """
    try:
        yield
    except ReplacedError as err:
        leave_state_to_newer_try()
        raise AirflowException(_text(err)) from err
    except (InvalidMessageError, GatewayRefusedError, OutcomeUnknownError) as err:
        raise AirflowFailException(_text(err)) from err
    except P2PSMSError as err:
        raise AirflowException(_text(err)) from err


def _text(err: P2PSMSError) -> str:
    return "\n".join((str(err), *getattr(err, "__notes__", ())))
