"""What an error means to Airflow: fail for good, or let the task's own retries try again."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_p2psms.airflow_compat import AirflowException, AirflowFailException
from airflow_provider_p2psms.errors import P2PSMSError, UnreachableError


@contextmanager
def errors_for_airflow() -> Iterator[None]:
    """
    Translate this package's errors.

    ``UnreachableError`` becomes an ``AirflowException``: nothing was sent, and a later try may find the
    gateway. All others become an ``AirflowFailException``, which Airflow does not retry: the same rows, token
    or request would be refused again, and what may have been sent must not be sent twice.
    """
    try:
        yield
    except UnreachableError as err:
        raise AirflowException(_text(err)) from err
    except P2PSMSError as err:
        raise AirflowFailException(_text(err)) from err


def _text(err: P2PSMSError) -> str:
    return "\n".join((str(err), *getattr(err, "__notes__", ())))
