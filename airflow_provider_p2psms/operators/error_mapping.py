"""What an error means to Airflow: fail for good, or let the task's own retries try again."""

import logging
from types import TracebackType

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
    fold_lines,
)

log = logging.getLogger(__name__)

_FINAL = (InvalidMessageError, GatewayRefusedError, OutcomeUnknownError)


class errors_for_airflow:  # noqa: N801 - stands in a `with`, as a function does
    """
    Translate this package's errors.

    What a retry cannot change becomes an ``AirflowFailException``, which Airflow does not retry: the same
    rows, token or request would be refused again, and what only a person can settle waits for one. All else
    becomes an ``AirflowException``: the ledger lets a later try go on where this one ended.

    The log has one traceback, which is short: it is no generator, whose frames would be in it. Where the
    error came from is logged at the level DEBUG.
    """

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise what Airflow is to see of an error of this package; let all others pass."""
        if not isinstance(err, P2PSMSError):
            return
        log.debug("The error came from here:", exc_info=err)
        if isinstance(err, ReplacedError):
            leave_state_to_newer_try()
        translated = AirflowFailException if isinstance(err, _FINAL) else AirflowException
        raise translated(_text(err)) from None


def _text(err: P2PSMSError) -> str:
    """Write what happened, the facts, what can be done, and then the rows at fault, which may be many."""
    what, _, rest = str(err).partition("\n")
    lines = "\n".join((*getattr(err, "__notes__", ()), rest)).splitlines()
    lines.sort(key=lambda line: (line.startswith("  "), line.startswith("- ")))
    return fold_lines("\n".join((what, *lines)))
