"""
Runs what blocks in threads beside an event loop.

What is known if the awaiting task is cancelled meanwhile is decided here: a thread cannot be stopped.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from airflow_provider_p2psms.hooks.errors import FinalOutcomeUnknownError

log = logging.getLogger(__name__)

T = TypeVar("T")


async def ask_in_thread(pool: ThreadPoolExecutor, question: Callable[[], T]) -> T:
    """Run what may be asked again: if the awaiting task is cancelled, the answer is of no interest."""
    return await asyncio.wrap_future(_submit(pool, question))


async def send_in_thread(pool: ThreadPoolExecutor, send: Callable[[], list[int]]) -> list[int]:
    """
    Run what must not be repeated.

    :raises CancelledError: the awaiting task was cancelled before the send began; nothing left this machine.
    :raises FinalOutcomeUnknownError: it was cancelled during the send, which goes on in its thread; the log
        says how it ended. Airflow does not retry the task.
    """
    future = _submit(pool, send)
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError as err:
        if future.cancel():
            raise
        future.add_done_callback(_log_end)
        raise FinalOutcomeUnknownError(
            "The send was cancelled while it was under way; its messages may have been taken. The log says "
            "how it ended. If it does not, look them up in the gateway's outbox before you send them again."
        ) from err


def _submit(pool: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T]:
    # With the context of the caller, by which Airflow knows whose log a line belongs to.
    return pool.submit(contextvars.copy_context().run, work)


def _log_end(future: Future[list[int]]) -> None:
    if error := future.exception():
        log.error("The send that was cancelled has ended with an error: %s", error)
    else:
        log.warning("The send that was cancelled was accepted: outbox ids %s.", future.result())
